//! The forward pass on 8-bit integers, for processors with AVX-512 VNNI.
//!
//! Weights are signed bytes with one step per output, `max |w| / 127` (Jacob et al., 2018, arXiv 1712.05877; a step
//! per output as in Krishnamoorthi, 2018, arXiv 1806.08342), rounded so that their sum over a channel is kept. An image's bytes are taken as they are; what goes into a
//! later layer follows a ReLU and becomes unsigned bytes, with one step per image and layer: its own largest value
//! over 255. So no images are needed to find ranges, and an image is answered alike in any company. Sums of products
//! are exact; bias, normalization and the last layer are computed in `f32`.

mod conv;
mod dense;
mod quantize;

use self::{
    conv::Conv,
    dense::{Dense, Last},
    quantize::{Filters, quantize, step},
};
use super::{Convolution, Layers, Product};
use crate::{conv::Geometry, scratch::grow};

/// Lanes of a vector of 32-bit numbers.
const LANES: usize = 16;

/// Most products in a sum of 32 bits: each is at most 255 * 127 in magnitude.
const MOST_PRODUCTS: usize = 1 << 16;

/// The layers of a network, weights as bytes.
pub(crate) struct Int8 {
    tables: Vec<[f32; 256]>,
    /// For each channel the byte that stands for what is nearest to zero: the border of the first block.
    zeros: Vec<u8>,
    blocks: Vec<Conv>,
    hidden: Vec<Dense>,
    last: Last,
}

/// What one thread computes with.
#[derive(Default)]
pub(crate) struct Buffers {
    /// What goes into a block, with its border.
    bytes: Vec<u8>,
    /// What comes out of it.
    values: Vec<f32>,
    /// What goes into a dense layer and what comes out, `[images, values]`.
    rows: Vec<f32>,
    next_rows: Vec<f32>,
    /// The rows as bytes, and the step of each.
    row_bytes: Vec<u8>,
    steps: Vec<f32>,
}

impl Int8 {
    /// The network, if each layer has a kernel: bytes must stand for values on a line, hidden layers end with
    /// ReLU, and sums fit 32 bits.
    pub(super) fn new(layers: &Layers) -> Option<Self> {
        let tables = &layers.tables;
        let lines = tables.iter().map(line).collect::<Option<Vec<_>>>()?;
        let (last, hidden) = layers.dense.split_last()?;
        let [_, _, seen_channels] = layers.seen();
        let (mut blocks, mut dense) = (Vec::new(), Vec::new());
        for Convolution {
            geometry,
            weight,
            map,
        } in &layers.blocks
        {
            let area = geometry.kernel * geometry.kernel;
            let lines = blocks.is_empty().then_some(&lines[..]);
            let channel_of = |input| input / area;
            let filters = Filters::new(weight, map, lines, channel_of)?;
            blocks.push(Conv::new(*geometry, filters));
        }
        for Product { weight, map } in hidden {
            let outputs = map.scale.len();
            let inputs = weight.len() / outputs;
            let at = |output| (0..inputs).map(move |input| weight[input * outputs + output]);
            let transposed: Vec<f32> = (0..outputs).flat_map(at).collect();
            let lines = (blocks.is_empty() && dense.is_empty()).then_some(&lines[..]);
            // What a dense layer says has no channels.
            let channels = if dense.is_empty() { seen_channels } else { 1 };
            let channel_of = |input| input % channels;
            dense.push(Dense::new(Filters::new(
                &transposed,
                map,
                lines,
                channel_of,
            )?));
        }
        let maps = layers.blocks.iter().map(|block| &block.map);
        let mut maps = maps.chain(hidden.iter().map(|layer| &layer.map));
        maps.all(|map| map.relu).then(|| Self {
            tables: tables.clone(),
            zeros: tables.iter().map(nearest_zero).collect(),
            blocks,
            hidden: dense,
            last: Last::new(&last.weight, &last.map),
        })
    }

    /// Runs images: see [`Forward::run`](super::Forward::run).
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(crate) fn run(
        &self,
        [height, width, channels]: [usize; 3],
        images: &[u8],
        outputs: &mut [f32],
        means: &mut [f32],
        buffers: &mut Buffers,
    ) {
        let Buffers {
            bytes,
            values,
            rows,
            next_rows,
            row_bytes,
            steps,
        } = buffers;
        let image_len = height * width * channels;
        let count = images.len() / image_len;
        let seen_channels = means.len() / count;
        let seen_len = match self.blocks.last() {
            Some(block) => block.geometry.output_len(),
            None => image_len,
        };
        let images = images.chunks_exact(image_len);
        let seen = grow(rows, count * seen_len).chunks_exact_mut(seen_len);
        for ((image, row), means) in images
            .clone()
            .zip(seen)
            .zip(means.chunks_exact_mut(seen_channels))
        {
            match self.blocks.first() {
                Some(first) => self.read(image, &first.geometry, grow(bytes, first.input_len())),
                None => {
                    for (i, value) in row.iter_mut().enumerate() {
                        let (channel, pixel) = (i % channels, i / channels);
                        let byte = image[channel * height * width + pixel];
                        *value = self.tables[channel][usize::from(byte)];
                    }
                }
            }
            let mut step_in = 1.0;
            for (i, block) in self.blocks.iter().enumerate() {
                let Some(next) = self.blocks.get(i + 1) else {
                    block.run(bytes, step_in, row);
                    break;
                };
                let output = grow(values, block.geometry.output_len());
                block.run(bytes, step_in, output);
                step_in = step(output);
                border(
                    &next.geometry,
                    output,
                    step_in,
                    grow(bytes, next.input_len()),
                );
            }
            means.fill(0.0);
            for position in row.chunks_exact(seen_channels) {
                means
                    .iter_mut()
                    .zip(position)
                    .for_each(|(mean, value)| *mean += value);
            }
            let positions = (seen_len / seen_channels) as f32;
            means.iter_mut().for_each(|mean| *mean /= positions);
        }
        let mut len = seen_len;
        for (i, layer) in self.hidden.iter().enumerate() {
            let row_bytes = grow(row_bytes, count * layer.row_len());
            let steps = grow(steps, count);
            let each = rows
                .chunks_exact(len)
                .zip(row_bytes.chunks_exact_mut(layer.row_len()));
            for ((row, bytes), step_of) in each.zip(&mut *steps) {
                *step_of = step(row);
                quantize(row, *step_of, bytes);
            }
            if i == 0 && self.blocks.is_empty() {
                for (image, bytes) in images
                    .clone()
                    .zip(row_bytes.chunks_exact_mut(layer.row_len()))
                {
                    interleave(image, channels, bytes);
                }
                steps.fill(1.0);
            }
            layer.run(row_bytes, steps, grow(next_rows, count * layer.outputs));
            std::mem::swap(rows, next_rows);
            len = layer.outputs;
        }
        self.last.run(&rows[..count * len], outputs);
    }

    /// Brings the bytes of an image into the middle of a border, with the channels last.
    fn read(&self, image: &[u8], geometry: &Geometry, bytes: &mut [u8]) {
        let Geometry {
            height,
            width,
            in_channels: channels,
            padding,
            ..
        } = *geometry;
        if padding > 0 {
            let border = self.zeros.iter().cycle();
            bytes
                .iter_mut()
                .zip(border)
                .for_each(|(byte, zero)| *byte = *zero);
        }
        let rows = bytes.chunks_exact_mut(geometry.row_len()).skip(padding);
        for (y, to) in rows.take(height).enumerate() {
            let to = &mut to[padding * channels..][..width * channels];
            for (channel, plane) in image.chunks_exact(height * width).enumerate() {
                let row = &plane[y * width..][..width];
                if channels == 1 {
                    to.copy_from_slice(row);
                } else {
                    let to = to[channel..].iter_mut().step_by(channels);
                    to.zip(row).for_each(|(to, byte)| *to = *byte);
                }
            }
        }
    }
}

/// The bytes of an image with the channels last.
fn interleave(image: &[u8], channels: usize, bytes: &mut [u8]) {
    let plane_len = image.len() / channels;
    for (channel, plane) in image.chunks_exact(plane_len).enumerate() {
        let to = bytes[channel..].iter_mut().step_by(channels);
        to.zip(plane).for_each(|(to, byte)| *to = *byte);
    }
}

/// Values as bytes of a step, in the middle of a border of zeros.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn border(geometry: &Geometry, values: &[f32], step: f32, bytes: &mut [u8]) {
    let padding = geometry.padding * geometry.in_channels;
    if padding == 0 {
        quantize(values, step, &mut bytes[..values.len()]);
        return;
    }
    bytes.fill(0);
    let row_len = geometry.width * geometry.in_channels;
    let rows = bytes
        .chunks_exact_mut(geometry.row_len())
        .skip(geometry.padding);
    for (values, to) in values.chunks_exact(row_len).zip(rows) {
        quantize(values, step, &mut to[padding..][..row_len]);
    }
}

/// Slope and intercept of a table whose values lie on a line.
fn line(table: &[f32; 256]) -> Option<[f64; 2]> {
    let start = f64::from(table[0]);
    let slope = (f64::from(table[255]) - start) / 255.0;
    let mut values = table.iter().enumerate();
    let straight = values.all(|(byte, value)| {
        let expected = start + slope * byte as f64;
        (f64::from(*value) - expected).abs() <= 1e-4 * slope.abs()
    });
    (straight && slope != 0.0).then_some([slope, start])
}

/// The byte that stands for the value nearest to zero.
fn nearest_zero(table: &[f32; 256]) -> u8 {
    let bytes = (0..=u8::MAX).zip(table);
    let nearest = bytes.min_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs()));
    nearest.map_or(0, |(byte, _)| byte)
}
