//! In which colours ink differs from its ground, and on which side it is.

use crate::channels::Channels;
use crate::plane::Plane;

/// Weight of the four corners against the shape of the distribution, both between -1 and 1.
const CORNERS: f32 = 0.6;
/// Range of the outermost pixels, as a share of that of the picture, up to which they are alike.
const RIM: f32 = 0.1;
/// Long side at which colours are compared with their surroundings, and at which these are measured.
const COLOURS: usize = 64;
/// See [`COLOURS`].
const SURROUNDINGS: usize = 32;

/// The direction in red, green and blue along which ink differs from the ground around it, scaled so
/// that a grey difference of d levels gives ±d; ink is on the positive side.
///
/// It is the first principal component of the differences to the local median, which the ground sets
/// because ink covers less than half of any large surrounding. The side is that of the larger
/// squares: edges of shadows differ equally to both sides, ink to one. Where that is undecided, as on
/// pictures cut to the digit's own size, the corners decide: they are ground. An even rim decides
/// alone, and without doubt.
pub(crate) fn axis(channels: &Channels) -> Option<([f32; 3], bool)> {
    let channels = channels.map(|channel| channel.at_most(COLOURS));
    let differences = Differences::of(&channels);
    let covariance = differences.covariance();
    // Starts near grey, where pictures without colour stay; off it, for colours orthogonal to grey.
    let mut axis = [1.0, 1.1, 0.9];
    for _ in 0..32 {
        let next = covariance.map(|row| row.iter().zip(axis).map(|(c, a)| c * a).sum::<f32>());
        let length = next.iter().map(|v| v.abs()).sum::<f32>();
        if length <= 0.0 || !length.is_finite() {
            return None;
        }
        axis = next.map(|v| v / length);
    }
    let (sum, magnitude) = (differences.0.along(axis).values.iter())
        .fold((0.0, 0.0), |(sum, magnitude), d| {
            (sum + d * d.abs(), magnitude + d * d)
        });
    let small = channels.along(axis);
    let rim = even_rim(&small);
    let side = match rim {
        Some(ground) => -ground,
        None => sum / magnitude - CORNERS * corners(&small),
    };
    Some((axis.map(|v| v * side.signum()), rim.is_some()))
}

/// The differences of each channel to its local median.
struct Differences(Channels);

impl Differences {
    fn of(channels: &Channels) -> Self {
        Self(channels.map(local_median_difference))
    }

    fn covariance(&self) -> [[f32; 3]; 3] {
        match &self.0 {
            Channels::Grey(plane) => [[plane.values.iter().fold(0.0, |sum, d| sum + d * d); 3]; 3],
            Channels::Colours(planes) => planes.each_ref().map(|a| {
                planes.each_ref().map(|b| {
                    let pairs = a.values.iter().zip(&b.values);
                    pairs.fold(0.0, |sum, (a, b)| sum + a * b)
                })
            }),
        }
    }
}

/// If the outermost pixels are alike and much of the picture is like them, they are ground: 1 where
/// it is the upper end of the range of values, -1 where it is the lower.
fn even_rim(plane: &Plane) -> Option<f32> {
    let (width, height) = (plane.width, plane.height);
    let last = (height - 1) * width;
    let mut rim: Vec<f32> = plane.values[..width].to_vec();
    rim.extend(&plane.values[last..]);
    rim.extend(plane.values.iter().step_by(width));
    rim.extend(plane.values[width - 1..].iter().step_by(width));
    rim.sort_unstable_by(f32::total_cmp);
    let count = plane.values.len();
    let (low, high) = (
        plane.ranked_from_top(count - 1 - count / 100),
        plane.ranked_from_top(count / 100),
    );
    let ground = rim[rim.len() / 2];
    let range = rim[rim.len() * 19 / 20] - rim[rim.len() / 20];
    let nearer = |value: f32| (value - ground).abs() < 0.5 * (high - low);
    let alike = plane.values.iter().filter(|v| nearer(**v)).count();
    (range <= RIM * (high - low) && 2 * alike >= count)
        .then(|| (ground - (low + high) / 2.0).signum())
}

/// How many of the four corners lie in the upper half of the range of values rather than the lower:
/// from 1, all, to -1, none.
fn corners(plane: &Plane) -> f32 {
    let count = plane.values.len();
    let middle = (plane.ranked_from_top(count / 20) + plane.ranked_from_top(count * 19 / 20)) / 2.0;
    let (right, bottom) = (plane.width - 1, plane.height - 1);
    [(0, 0), (right, 0), (0, bottom), (right, bottom)]
        .map(|(x, y)| if plane.at(x, y) > middle { 0.25 } else { -0.25 })
        .iter()
        .sum()
}

/// The difference of each pixel to the median of a square of half the picture's
/// side around it.
fn local_median_difference(plane: &Plane) -> Plane {
    let ground = local_median(&plane.at_most(SURROUNDINGS));
    let place = |at: usize, side: usize, of: usize| (2 * at + 1) * of / (2 * side);
    let columns: Vec<usize> = (0..plane.width)
        .map(|x| place(x, plane.width, ground.width))
        .collect();
    let mut out = Vec::with_capacity(plane.values.len());
    for (y, row) in plane.values.chunks_exact(plane.width).enumerate() {
        let ground = &ground.values[place(y, plane.height, ground.height) * ground.width..];
        out.extend((row.iter().zip(&columns)).map(|(value, &column)| value - ground[column]));
    }
    plane.with(out)
}

/// The median, in whole levels, of a square of half the picture's side around each pixel. The square
/// moves along a row, and a histogram of what it holds with it (Huang, Yang and Tang 1979).
fn local_median(plane: &Plane) -> Plane {
    let radius = plane.long_side() / 4;
    let levels: Vec<u8> = plane.values.iter().map(|v| v.round() as u8).collect();
    let mut values = Vec::with_capacity(levels.len());
    for y in 0..plane.height {
        let rows = y.saturating_sub(radius)..(y + radius + 1).min(plane.height);
        let column = |x: usize| {
            let rows = rows.clone();
            let levels = &levels;
            rows.map(move |row| usize::from(levels[row * plane.width + x]))
        };
        let (mut counts, mut count) = ([0_usize; 256], 0);
        // `below` of the square's pixels are below the median.
        let (mut median, mut below) = (0_usize, 0);
        for x in 0..(plane.width + radius) {
            if x < plane.width {
                for level in column(x) {
                    counts[level] += 1;
                    count += 1;
                    below += usize::from(level < median);
                }
            }
            if x > 2 * radius {
                for level in column(x - 2 * radius - 1) {
                    counts[level] -= 1;
                    count -= 1;
                    below -= usize::from(level < median);
                }
            }
            if x < radius {
                continue;
            }
            let rank = count / 2;
            while below > rank {
                median -= 1;
                below -= counts[median];
            }
            while below + counts[median] <= rank {
                below += counts[median];
                median += 1;
            }
            values.push(median as f32);
        }
    }
    Plane { values, ..*plane }
}
