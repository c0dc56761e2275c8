//! What is known of a picture's blocks, and the picture at an eighth of its size.

use image::{DynamicImage, GrayImage, RgbImage};

use super::damage::{Damage::Wrong, Problem};
use super::frame::Frame;
use super::tables::Tables;

/// What is known of the blocks of a component.
pub(super) struct Blocks {
    /// The quantized mean of each, if it is asked for.
    pub means: Vec<i16>,
    /// For progressive files, a bit for each coefficient: whether it is set.
    pub set: Vec<u64>,
    /// For each coefficient, the bits that are still to come; none before its first scan.
    pub missing: [Option<u8>; 64],
}

pub(super) struct Picture {
    pub frame: Frame,
    pub blocks: Vec<Blocks>,
}

impl Picture {
    pub(super) fn new(frame: Frame, means: bool) -> Self {
        let blocks = frame.components.iter().map(|component| Blocks {
            means: vec![0; if means { component.blocks() } else { 0 }],
            set: vec![
                0;
                if frame.progressive {
                    component.blocks()
                } else {
                    0
                }
            ],
            missing: [None; 64],
        });
        let blocks = blocks.collect();
        Picture { frame, blocks }
    }

    /// Whether every block came. Coefficients that a progressive file with its last marker doesn't
    /// bring are zero.
    pub(super) fn is_whole(&self, ended: bool) -> bool {
        let needed = if ended { 1 } else { 64 };
        self.blocks
            .iter()
            .all(|blocks| blocks.missing[..needed].iter().all(|&bits| bits == Some(0)))
    }

    /// The means of the blocks as a picture.
    pub(super) fn eighth(
        &self,
        tables: &Tables,
        transform: Option<u8>,
    ) -> Result<DynamicImage, Problem> {
        let frame = &self.frame;
        let (width, height) = (frame.width.div_ceil(8), frame.height.div_ceil(8));
        let first = &frame.components[0];
        let (across, down) = (first.horizontal, first.vertical);
        let mut channels = Vec::new();
        for (component, blocks) in frame.components.iter().zip(&self.blocks) {
            let divisor = f32::from(tables.quantization[component.table].ok_or(Wrong)?);
            channels.push(move |x: usize, y: usize| {
                let (x, y) = (
                    x * component.horizontal / across,
                    y * component.vertical / down,
                );
                let mean = blocks.means[y * component.padded.0 + x];
                128.0 + f32::from(mean) * divisor / 8.0
            });
        }
        let ids: Vec<u8> = frame
            .components
            .iter()
            .map(|component| component.id)
            .collect();
        let is_rgb = transform == Some(0) || transform.is_none() && ids == *b"RGB";
        let (width, height) = (width as u32, height as u32);
        match channels.as_slice() {
            [grey] => Ok(GrayImage::from_fn(width, height, |x, y| {
                image::Luma([grey(x as usize, y as usize).round() as u8])
            })
            .into()),
            [first, second, third] => Ok(RgbImage::from_fn(width, height, |x, y| {
                let (x, y) = (x as usize, y as usize);
                let (first, second, third) = (first(x, y), second(x, y), third(x, y));
                let colour = if is_rgb {
                    [first, second, third]
                } else {
                    let (blue, red) = (second - 128.0, third - 128.0);
                    [
                        first + 1.402 * red,
                        first - 0.344_136 * blue - 0.714_136 * red,
                        first + 1.772 * blue,
                    ]
                };
                image::Rgb(colour.map(|value| value.round() as u8))
            })
            .into()),
            _ => Err("so large and of four colours".into()),
        }
    }
}
