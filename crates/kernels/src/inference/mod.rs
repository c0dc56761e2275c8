//! A whole network's forward pass, prepared once: bytes in, logits out.
//!
//! [`conv_block`](crate::conv_block) and [`dense_block`](crate::dense_block) start from Burn's tensors at
//! every layer of every call. Here weights are packed once, an image goes through all convolutions while it is in
//! the nearest cache, each value is written once, to where the next layer reads it, and a batch is one parallel
//! section.

mod block;
mod dense;
mod direct;
mod tail;
mod winograd;

use std::{
    cell::RefCell,
    fmt,
    sync::{Mutex, PoisonError},
};

use pulp::{Simd, WithSimd};

use self::{
    block::{Block, Workspace},
    dense::Dense,
    tail::Place,
};
use crate::{Affine, Error, Isa, conv::Geometry, error::check_len, scratch::Buffer};

/// Most images that go through the network together: as many rows as two tiles of a dense layer have.
const MOST: usize = 22;

/// Fewest images that are worth another thread.
const LEAST: usize = 4;

/// A network of convolution blocks and dense layers, ready to run on bytes.
pub struct Forward {
    isa: Isa,
    /// Height, width and channels of an image.
    shape: [usize; 3],
    /// What each byte of a channel stands for.
    tables: Vec<[f32; 256]>,
    blocks: Vec<Block>,
    dense: Vec<Dense>,
}

/// What a forward pass makes of images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// What the last layer says, `[images, outputs]`.
    pub outputs: Vec<f32>,
    /// The mean of each channel after the last block, `[images, channels]`.
    pub means: Vec<f32>,
}

impl Forward {
    /// A network without layers on images `[channels, height, width]`, whose channels' bytes stand for what the
    /// tables say.
    pub fn new(height: usize, width: usize, tables: Vec<[f32; 256]>) -> Self {
        Self::on(height, width, tables, Isa::best())
    }

    /// The same on a given instruction set.
    pub fn on(height: usize, width: usize, tables: Vec<[f32; 256]>, isa: Isa) -> Self {
        Self {
            isa,
            shape: [height, width, tables.len()],
            tables,
            blocks: Vec::new(),
            dense: Vec::new(),
        }
    }

    /// Height, width and channels after the last block.
    fn seen(&self) -> [usize; 3] {
        self.blocks.last().map_or(self.shape, |block| {
            let [height, width] = block.geometry.output_size();
            [height, width, block.geometry.out_channels]
        })
    }

    /// Adds a block: convolution, max-pool if asked for, then a map per channel. The weight is
    /// `[out_channels, in_channels, kernel, kernel]`.
    ///
    /// # Errors
    ///
    /// [`Error::Geometry`] if nothing would come out, [`Error::Length`] if the weight doesn't fit.
    pub fn conv(
        mut self,
        weight: &[f32],
        [kernel, padding]: [usize; 2],
        pool: bool,
        map: &Affine,
    ) -> Result<Self, Error> {
        let channels = map.scale.len();
        let geometry = Geometry::new(self.seen(), channels, kernel, padding, pool)?;
        check_len("weight", weight.len(), geometry.weight_len())?;
        check_len("shift", map.shift.len(), channels)?;
        let block = Block::new(geometry, weight, map, self.isa.lanes());
        self.blocks.push(block);
        Ok(self)
    }

    /// Adds a dense layer: matrix product, then a map per output. The weight is `[inputs, outputs]`; inputs of
    /// the first one after a block are `[channels, height, width]`, as Burn flattens them.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if the weight doesn't fit, [`Error::Dense`] without outputs.
    pub fn dense(mut self, weight: &[f32], map: &Affine) -> Result<Self, Error> {
        let outputs = map.scale.len();
        let [height, width, channels] = self.seen();
        let seen = height * width * channels;
        let inputs = self.dense.last().map_or(seen, |layer| layer.outputs);
        if outputs == 0 {
            return Err(Error::Dense { inputs, outputs });
        }
        check_len("weight", weight.len(), inputs * outputs)?;
        check_len("shift", map.shift.len(), outputs)?;
        let layer = if self.dense.is_empty() {
            // Values lie with the channels last.
            let place = |input| input % channels * (height * width) + input / channels;
            let rows = (0..inputs).flat_map(|input| &weight[place(input) * outputs..][..outputs]);
            let ordered: Vec<f32> = rows.copied().collect();
            Dense::new(&ordered, map, self.isa.lanes())
        } else {
            Dense::new(weight, map, self.isa.lanes())
        };
        self.dense.push(layer);
        Ok(self)
    }

    /// Runs images, `[count, channels, height, width]`, with one thread of rayon's pool beside the calling one for
    /// each that the pool has more than one.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if the bytes are no whole images.
    pub fn run(&self, images: &[u8]) -> Result<Found, Error> {
        let image_len: usize = self.shape.iter().product();
        let count = images.len() / image_len;
        check_len("images", images.len(), count * image_len)?;
        let [height, width, channels] = self.seen();
        let outputs = self
            .dense
            .last()
            .map_or(height * width * channels, |layer| layer.outputs);
        let mut found = Found {
            outputs: vec![0.0; count * outputs],
            means: vec![0.0; count * channels],
        };
        let threads = rayon::current_num_threads();
        let rounds = count.div_ceil(MOST * threads);
        let per_chunk = count.div_ceil((rounds * threads).max(1)).max(LEAST);
        let jobs = images
            .chunks(per_chunk * image_len)
            .zip(found.outputs.chunks_mut(per_chunk * outputs))
            .zip(found.means.chunks_mut(per_chunk * channels));
        let workers = threads.min(jobs.len());
        let jobs = Mutex::new(jobs);
        let work = || {
            let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
            while let Some(((images, outputs), means)) = next() {
                with_buffers(|buffers| {
                    self.isa.run(Chunk {
                        network: self,
                        images,
                        outputs,
                        means,
                        buffers,
                    });
                });
            }
        };
        if workers <= 1 {
            work();
        } else {
            // The calling thread doesn't wait for another to wake.
            rayon::in_place_scope(|scope| {
                (1..workers).for_each(|_| scope.spawn(|_| work()));
                work();
            });
        }
        Ok(found)
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward")
            .field("isa", &self.isa)
            .field("shape", &self.shape)
            .field("blocks", &self.blocks.len())
            .field("dense", &self.dense.len())
            .finish_non_exhaustive()
    }
}

/// What one thread computes with.
#[derive(Default)]
struct Buffers {
    /// What goes into a block, and what comes out.
    images: [Buffer; 2],
    /// What goes into a dense layer, and what comes out.
    rows: [Buffer; 2],
    workspace: Workspace,
}

fn with_buffers<T>(f: impl FnOnce(&mut Buffers) -> T) -> T {
    thread_local! {
        static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers::default());
    }
    BUFFERS.with(|buffers| f(&mut buffers.borrow_mut()))
}

/// Some images, all the way.
struct Chunk<'a> {
    network: &'a Forward,
    images: &'a [u8],
    outputs: &'a mut [f32],
    means: &'a mut [f32],
    buffers: &'a mut Buffers,
}

impl WithSimd for Chunk<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Chunk {
            network,
            images,
            outputs,
            means,
            buffers,
        } = self;
        let [height, width, channels] = network.shape;
        let seen = network.seen();
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
                Some(first) => network.read(image, first.input(from)),
                None => network.read(image, (row, Place::plain(width, channels))),
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

impl Forward {
    /// Brings the bytes of one image into their place, with the channels last.
    #[inline(always)]
    fn read(&self, image: &[u8], (values, place): (&mut [f32], Place)) {
        let [height, width, channels] = self.shape;
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
