//! From strokes to MNIST's frame.

use image::DynamicImage;

use crate::digits::Strokes;
use crate::ink::Strength;
use crate::parts::Bounds;
use crate::plane::Plane;
use crate::{Framed, Region};
use crate::{HEIGHT, PIXELS, WIDTH};

/// Side of the box that the digit fills.
const BOX: f32 = 20.0;
/// Where MNIST's centres of mass are, on both axes, counted in pixels from 0: no image of MNIST is
/// further from it than 0.52.
const CENTRE: f32 = 14.0;
/// Stroke width in the frame below which strokes are strengthened: MNIST's thin pens. A ball pen on
/// a large digit would be a pale line that the network never saw.
const THIN: f32 = 2.0;
/// Shares of the digit's own ink level that become 0 and 255. They lie evenly about one half, so
/// that strokes keep their width.
const BLACK: f32 = 0.2;
const WHITE: f32 = 0.8;

/// Brings the strokes into the frame: `[28, 28]`; none if there are none.
pub(crate) fn frame(strength: &Strength, strokes: &Strokes) -> Option<[u8; PIXELS]> {
    let level = level(strength, strokes)?;
    let scale = BOX / strokes.bounds.width().max(strokes.bounds.height()) as f32;
    // The mask widened takes the soft edge of the strokes along.
    let soft = (strokes.width / 2.0).ceil().max(1.0) as usize;
    let mut ink = strength
        .plane
        .zip(&strokes.mask.dilated(soft), |ink, mask| {
            mask * ((ink / level - BLACK) / (WHITE - BLACK)).clamp(0.0, 1.0)
        });
    let missing = (THIN / scale - strokes.width) / 2.0;
    if missing >= 0.5 {
        ink = ink.dilated(missing.round() as usize);
    }
    let bounds = inked(&ink)?;
    let (width, height) = (bounds.width() as f32, bounds.height() as f32);
    let step = width.max(height) / BOX;
    // The short side is centred in whole pixels first; the centre of mass then moves the box.
    let side = |extent: f32| ((extent / step).round() as usize).clamp(1, BOX as usize);
    let small = ink.sampled(
        (side(width), side(height)),
        (bounds.left as f32, bounds.top as f32),
        (width / side(width) as f32, height / side(height) as f32),
    );
    let mut centre = [0.0_f32; 2];
    let mass: f32 = small.values.iter().sum();
    for y in 0..small.height {
        for x in 0..small.width {
            centre[0] += x as f32 * small.at(x, y) / mass;
            centre[1] += y as f32 * small.at(x, y) / mass;
        }
    }
    let offset = |centre: f32, side: usize, field: usize| {
        ((CENTRE - centre).round().max(0.0) as usize).min(field - side)
    };
    let (left, top) = (
        offset(centre[0], small.width, WIDTH),
        offset(centre[1], small.height, HEIGHT),
    );
    let mut pixels = [0; PIXELS];
    for y in 0..small.height {
        for x in 0..small.width {
            pixels[(top + y) * WIDTH + left + x] = (255.0 * small.at(x, y)).round() as u8;
        }
    }
    Some(pixels)
}

/// The usual strength of the digit's ink: the upper quartile over its pixels.
fn level(strength: &Strength, strokes: &Strokes) -> Option<f32> {
    let mut values: Vec<f32> = (strength.plane.values.iter().zip(&strokes.mask.values))
        .filter(|&(_, &mask)| mask > 0.0)
        .map(|(&ink, _)| ink)
        .collect();
    let rank = values.len() * 3 / 4;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(rank, f32::total_cmp).1)
}

/// The box around everything that shows in the frame.
fn inked(ink: &Plane) -> Option<Bounds> {
    const SHOWS: f32 = 0.25;
    let rows = ink.values.chunks_exact(ink.width).enumerate();
    // Most rows are empty: they are told without a branch for each pixel.
    let rows = rows.filter(|(_, row)| row.iter().fold(false, |any, &value| any | (value > SHOWS)));
    rows.filter_map(|(y, row)| {
        let shows = |value: &f32| *value > SHOWS;
        Some(Bounds {
            left: row.iter().position(shows)?,
            right: row.iter().rposition(shows)?,
            top: y,
            bottom: y,
        })
    })
    .reduce(Bounds::joined)
}

/// The image itself if it is in MNIST's frame already, or its negative.
pub(crate) fn already_framed(picture: &DynamicImage) -> Option<Framed> {
    if picture.width() as usize != WIDTH || picture.height() as usize != HEIGHT {
        return None;
    }
    let mut pixels = [0; PIXELS];
    for (pixel, rgba) in pixels.iter_mut().zip(picture.to_rgba8().pixels()) {
        let [r, g, b, alpha] = rgba.0;
        if alpha < 255 || r != g || g != b {
            return None;
        }
        *pixel = r;
    }
    let region = Region {
        left: 0,
        top: 0,
        width: WIDTH as u32,
        height: HEIGHT as u32,
    };
    [pixels, pixels.map(|pixel| 255 - pixel)]
        .into_iter()
        .find(in_frame)
        .map(|pixels| Framed { pixels, region })
}

fn in_frame(pixels: &[u8; PIXELS]) -> bool {
    let (mut low, mut high) = ([WIDTH, HEIGHT], [0, 0]);
    let (mut mass, mut moment) = (0.0, [0.0; 2]);
    for (at, &pixel) in pixels.iter().enumerate().filter(|&(_, &pixel)| pixel > 0) {
        mass += f32::from(pixel);
        for (axis, place) in [at % WIDTH, at / WIDTH].into_iter().enumerate() {
            low[axis] = low[axis].min(place);
            high[axis] = high[axis].max(place);
            moment[axis] += f32::from(pixel) * place as f32;
        }
    }
    // All 70,000 images of MNIST have a box of 19 or 20 and their centre within 0.52 of the middle.
    mass > 0.0
        && moment
            .iter()
            .all(|moment| (moment / mass - CENTRE).abs() < 0.55)
        && (19..=20).contains(
            &(0..2)
                .map(|axis| high[axis] - low[axis] + 1)
                .max()
                .unwrap_or(0),
        )
}
