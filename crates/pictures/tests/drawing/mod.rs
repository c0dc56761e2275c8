//! Handwriting from MNIST on paper of all kinds, for tests, benchmarks and examples.

// Each of its users needs a part of it.
#![allow(dead_code, missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod kinds;

use std::{f32::consts::TAU, fs::File, io::Read as _, path::Path};

use flate2::read::GzDecoder;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, GrayImage, Rgb, RgbImage, imageops};

/// SplitMix64 (Steele, Lea and Flood 2014): numbers that are the same wherever the tests run.
pub struct Random(pub u64);

impl Random {
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly from `low` to `high`.
    pub fn within(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.next_u64() >> 40) as f32 / (1 << 24) as f32
    }

    pub fn below(&mut self, count: usize) -> usize {
        (self.next_u64() % count as u64) as usize
    }
}

/// Images of 28×28, row by row, and what they show.
pub struct Handwriting {
    pub images: Vec<[u8; 784]>,
    pub labels: Vec<u8>,
}

impl Handwriting {
    /// The images that nothing learnt from (`t10k`) or those that networks learn from (`train`).
    pub fn read(split: &str) -> Self {
        let read = |kind: &str, header: usize| {
            let path = format!("../data/mnist/{split}-{kind}-ubyte.gz");
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../pictures")
                .join(path);
            let mut bytes = Vec::new();
            GzDecoder::new(File::open(path).unwrap())
                .read_to_end(&mut bytes)
                .unwrap();
            bytes.split_off(header)
        };
        Self {
            images: read("images-idx3", 16).as_chunks().0.to_vec(),
            labels: read("labels-idx1", 8),
        }
    }
}

/// A share of ink or print at each pixel, 0 to 1.
#[derive(Clone)]
pub struct Sheet {
    pub width: u32,
    pub height: u32,
    pub share: Vec<f32>,
}

impl Sheet {
    pub fn new(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            share: vec![0.0; (width * height) as usize],
        }
    }

    /// An image of 28×28 drawn `size` pixels high. Returns where its ink is: left, top, right, bottom.
    pub fn digit(&mut self, image: &[u8; 784], left: f32, top: f32, size: f32) -> [f32; 4] {
        let small = GrayImage::from_raw(28, 28, image.to_vec()).unwrap();
        let side = size.round() as u32;
        let large = imageops::resize(&small, side, side, imageops::FilterType::CatmullRom);
        let mut bounds = [f32::MAX, f32::MAX, 0.0, 0.0];
        for (u, v, value) in large.enumerate_pixels() {
            let (x, y) = (left as i64 + i64::from(u), top as i64 + i64::from(v));
            // A pen's edge is sharper than an enlarged pixel's.
            let share = ((f32::from(value[0]) / 255.0 - 0.5) * 3.0 + 0.5).clamp(0.0, 1.0);
            let outside =
                x < 0 || y < 0 || x >= i64::from(self.width) || y >= i64::from(self.height);
            if outside || share == 0.0 {
                continue;
            }
            let at = &mut self.share[y as usize * self.width as usize + x as usize];
            *at = at.max(share);
            if share > 0.5 {
                let (x, y) = (x as f32, y as f32);
                bounds = [
                    bounds[0].min(x),
                    bounds[1].min(y),
                    bounds[2].max(x),
                    bounds[3].max(y),
                ];
            }
        }
        bounds
    }

    /// A line from point to point.
    pub fn stroke(&mut self, points: &[(f32, f32)], width: f32) {
        for ends in points.windows(2) {
            let ((ax, ay), (bx, by)) = (ends[0], ends[1]);
            let (dx, dy) = (bx - ax, by - ay);
            let reach = width / 2.0 + 1.0;
            let span = |a: f32, b: f32, side: u32| {
                let low = (a.min(b) - reach).floor().clamp(0.0, side as f32) as usize;
                let high = (a.max(b) + reach).ceil().clamp(0.0, side as f32) as usize;
                low..high
            };
            for y in span(ay, by, self.height) {
                for x in span(ax, bx, self.width) {
                    let (u, v) = (x as f32 + 0.5 - ax, y as f32 + 0.5 - ay);
                    let along = ((u * dx + v * dy) / (dx * dx + dy * dy).max(1e-6)).clamp(0.0, 1.0);
                    let distance = (u - along * dx).hypot(v - along * dy);
                    let share = (width / 2.0 - distance + 0.5).clamp(0.0, 1.0);
                    let at = &mut self.share[y * self.width as usize + x];
                    *at = at.max(share);
                }
            }
        }
    }

    /// The same through the whole sheet: a line through `(x, y)` that rises by `degrees`, and bends by
    /// `bend` pixels towards its ends.
    pub fn line_through(&mut self, (x, y): (f32, f32), degrees: f32, width: f32, bend: f32) {
        let reach = self.width.max(self.height) as f32 * 1.5;
        let (sin, cos) = degrees.to_radians().sin_cos();
        let points: Vec<(f32, f32)> = (-40..=40)
            .map(|step| {
                let share = step as f32 / 40.0;
                let (u, v) = (share * reach, bend * share * share);
                (x + u * cos + v * sin, y - u * sin + v * cos)
            })
            .collect();
        self.stroke(&points, width);
    }

    /// Ruled (or squared) paper: lines `spacing` pixels apart.
    pub fn ruled(&mut self, spacing: f32, degrees: f32, width: f32, bend: f32, squared: bool) {
        let (cx, cy) = (self.width as f32 / 2.0, self.height as f32 / 2.0);
        let count = (1.5 * self.width.max(self.height) as f32 / spacing) as i32;
        let (sin, cos) = degrees.to_radians().sin_cos();
        for line in -count..=count {
            let offset = (line as f32 + 0.37) * spacing;
            self.line_through((cx + offset * sin, cy + offset * cos), degrees, width, bend);
            if squared {
                self.line_through(
                    (cx + offset * cos, cy - offset * sin),
                    degrees + 90.0,
                    width,
                    bend,
                );
            }
        }
    }

    /// A closed or nearly closed curve around `centre`, as a hand draws it: `radii` to the side and up.
    pub fn circle(
        &mut self,
        random: &mut Random,
        centre: (f32, f32),
        radii: (f32, f32),
        width: f32,
    ) {
        let start = random.within(0.0, TAU);
        let turn = TAU * random.within(0.92, 1.15);
        let (drift, wave, phase) = (
            random.within(-0.08, 0.08),
            random.within(0.0, 0.05),
            random.within(0.0, TAU),
        );
        let points: Vec<(f32, f32)> = (0..=64)
            .map(|step| {
                let share = step as f32 / 64.0;
                let angle = start + share * turn;
                let radius = 1.0 + drift * share + wave * (2.0 * angle + phase).sin();
                (
                    centre.0 + radii.0 * radius * angle.cos(),
                    centre.1 + radii.1 * radius * angle.sin(),
                )
            })
            .collect();
        self.stroke(&points, width);
    }

    /// From point to point as a hand does it: not quite straight, `shake` pixels off.
    pub fn by_hand(&mut self, random: &mut Random, points: &[(f32, f32)], width: f32, shake: f32) {
        let mut path = vec![points[0]];
        for ends in points.windows(2) {
            let ((ax, ay), (bx, by)) = (ends[0], ends[1]);
            let length = (bx - ax).hypot(by - ay).max(1.0);
            let bend = random.within(-shake, shake);
            path.extend((1..=12).map(|step| {
                let t = step as f32 / 12.0;
                let off = bend * 4.0 * t * (1.0 - t);
                (
                    ax + t * (bx - ax) - off * (by - ay) / length,
                    ay + t * (by - ay) + off * (bx - ax) / length,
                )
            }));
        }
        self.stroke(&path, width);
    }
}

/// Layers of colour on paper: each a share and its colour, the later over the earlier.
pub fn on_paper(
    paper: [f32; 3],
    layers: &[(&Sheet, [f32; 3])],
    light: impl Fn(f32, f32) -> f32,
) -> RgbImage {
    let (width, height) = (layers[0].0.width, layers[0].0.height);
    let long = width.max(height) as f32;
    RgbImage::from_fn(width, height, |x, y| {
        let at = (y * width + x) as usize;
        let mut colour = paper;
        for (sheet, ink) in layers {
            let share = sheet.share[at];
            colour = std::array::from_fn(|c| colour[c] * (1.0 - share) + ink[c] * share);
        }
        let light = light(x as f32 / long, y as f32 / long);
        Rgb(colour.map(|value| (value * light).round().clamp(0.0, 255.0) as u8))
    })
}

/// The light of a room with the shadow of a hand.
pub fn shadow(x: f32, y: f32) -> f32 {
    if x + 0.3 * y > 0.7 {
        0.6
    } else {
        1.0 - 0.2 * x
    }
}

/// Noise of a camera: each channel of each pixel up to `amount` levels off.
pub fn noisy(mut picture: RgbImage, random: &mut Random, amount: f32) -> RgbImage {
    for pixel in picture.pixels_mut() {
        pixel.0 = pixel.0.map(|value| {
            (f32::from(value) + random.within(-amount, amount)).clamp(0.0, 255.0) as u8
        });
    }
    picture
}

/// What a JPEG of this quality leaves of a picture.
pub fn compressed(picture: &RgbImage, quality: u8) -> DynamicImage {
    image::load_from_memory(&jpeg(picture, quality)).unwrap()
}

pub fn jpeg(picture: &RgbImage, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(picture)
        .unwrap();
    bytes
}
