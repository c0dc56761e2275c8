//! The forward pass in `f32`.

use pulp::{Simd, WithSimd};

use super::{
    Convolution, Layers, Product,
    block::{Block, Workspace},
    dense::Dense,
    tail::{self, Place},
};
use crate::{Isa, scratch::Buffer};

/// The layers of a network, packed.
pub(super) struct F32 {
    tables: Vec<[f32; 256]>,
    /// Height, width and channels after the last block.
    seen: [usize; 3],
    blocks: Vec<Block>,
    dense: Vec<Dense>,
}

impl F32 {
    pub(super) fn new(layers: &Layers, isa: Isa) -> Self {
        let lanes = isa.lanes();
        let block =
            |block: &Convolution| Block::new(block.geometry, &block.weight, &block.map, lanes);
        let dense = |layer: &Product| Dense::new(&layer.weight, &layer.map, lanes);
        Self {
            tables: layers.tables.clone(),
            seen: layers.seen(),
            blocks: layers.blocks.iter().map(block).collect(),
            dense: layers.dense.iter().map(dense).collect(),
        }
    }
}

/// What one thread computes with.
#[derive(Default)]
pub(super) struct Buffers {
    /// What goes into a block, and what comes out.
    images: [Buffer; 2],
    /// What goes into a dense layer, and what comes out.
    rows: [Buffer; 2],
    workspace: Workspace,
}

/// Some images, all the way.
pub(super) struct Chunk<'a> {
    pub(super) network: &'a F32,
    /// Height, width and channels of an image.
    pub(super) shape: [usize; 3],
    pub(super) images: &'a [u8],
    pub(super) outputs: &'a mut [f32],
    pub(super) means: &'a mut [f32],
    pub(super) buffers: &'a mut Buffers,
}

impl WithSimd for Chunk<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Chunk {
            network,
            shape,
            images,
            outputs,
            means,
            buffers,
        } = self;
        let [height, width, channels] = shape;
        let seen = network.seen;
        let seen_len: usize = seen.iter().product();
        let image_len = height * width * channels;
        let count = images.len() / image_len;
        let Buffers {
            images: [from, to],
            rows: [rows, next_rows],
            workspace,
        } = buffers;
        let (mut rows, mut next_rows) = (rows, next_rows);
        let values = rows.slice(count * seen_len);
        let each = images
            .chunks_exact(image_len)
            .zip(values.chunks_exact_mut(seen_len));
        for ((image, row), means) in each.zip(means.chunks_exact_mut(seen[2])) {
            let (mut from, mut to) = (&mut *from, &mut *to);
            match network.blocks.first() {
                Some(first) => network.read(image, shape, first.input(from)),
                None => network.read(image, shape, (row, Place::plain(width, channels))),
            }
            for (i, block) in network.blocks.iter().enumerate() {
                let input = from.slice(block.bordered_len());
                let output = match network.blocks.get(i + 1) {
                    Some(next) => next.input(to),
                    None => (&mut *row, Place::plain(seen[1], seen[2])),
                };
                block.run(simd, input, output, workspace);
                std::mem::swap(&mut from, &mut to);
            }
            tail::means(simd, row, means);
        }
        let Some((last, hidden)) = network.dense.split_last() else {
            outputs.copy_from_slice(values);
            return;
        };
        let mut len = count * seen_len;
        for layer in hidden {
            let next_len = count * layer.outputs;
            layer.run(
                simd,
                rows.slice(len),
                next_rows.slice(next_len),
                &mut workspace.products,
            );
            len = next_len;
            std::mem::swap(&mut rows, &mut next_rows);
        }
        last.run(simd, rows.slice(len), outputs, &mut workspace.products);
    }
}

impl F32 {
    /// Brings the bytes of one image into their place, with the channels last.
    #[inline(always)]
    fn read(
        &self,
        image: &[u8],
        [height, width, channels]: [usize; 3],
        (values, place): (&mut [f32], Place),
    ) {
        let planes = image.chunks_exact(height * width).zip(&self.tables);
        for (channel, (plane, table)) in planes.enumerate() {
            for (row, bytes) in plane.chunks_exact(width).enumerate() {
                let values = &mut values[place.start + row * place.row_len + channel..];
                let of = |byte: &u8| table[usize::from(*byte)];
                // One channel is worth a loop without steps.
                if channels == 1 {
                    values
                        .iter_mut()
                        .zip(bytes)
                        .for_each(|(value, byte)| *value = of(byte));
                } else {
                    let values = values.iter_mut().step_by(channels);
                    values
                        .zip(bytes)
                        .for_each(|(value, byte)| *value = of(byte));
                }
            }
        }
    }
}
