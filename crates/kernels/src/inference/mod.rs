//! A whole network's forward pass, prepared once: bytes in, what the last layer says out.
//!
//! [`conv_block`](crate::conv_block) and [`dense_block`](crate::dense_block) start from Burn's tensors at
//! every layer of every call. Here weights are packed once, an image goes through all convolutions while it is in
//! the nearest cache, each value is written once, to where the next layer reads it, and a batch is one parallel
//! section.

mod block;
mod dense;
mod direct;
mod f32s;
#[cfg(target_arch = "x86_64")]
pub(crate) mod int8;
mod precision;
mod tail;
mod winograd;

use std::{
    cell::RefCell,
    fmt,
    sync::{Mutex, PoisonError},
};

use self::f32s::{Chunk, F32};
#[cfg(target_arch = "x86_64")]
use self::int8::Int8;
pub use self::precision::Precision;
#[cfg(target_arch = "x86_64")]
use crate::isa_entry::Vnni;
use crate::{Affine, Error, Isa, conv::Geometry, error::check_len};

/// Most images that go through the network together: as many rows as two tiles of a dense layer have.
const MOST: usize = 22;

/// Fewest images that are worth another thread.
const LEAST: usize = 4;

/// The layers of a network on bytes, first to last.
#[derive(Clone, Debug)]
pub struct Layers {
    /// Height, width and channels of an image.
    shape: [usize; 3],
    /// What each byte of a channel stands for.
    tables: Vec<[f32; 256]>,
    blocks: Vec<Convolution>,
    dense: Vec<Product>,
}

/// A convolution, a max-pool if the geometry has one, and a map.
#[derive(Clone, Debug)]
struct Convolution {
    geometry: Geometry,
    /// `[out_channels, in_channels, kernel, kernel]`
    weight: Vec<f32>,
    map: Affine,
}

/// A matrix product and a map.
#[derive(Clone, Debug)]
struct Product {
    /// `[inputs, outputs]`; inputs of the first one are `[height, width, channels]`.
    weight: Vec<f32>,
    map: Affine,
}

impl Layers {
    /// No layers, on images `[channels, height, width]` whose channels' bytes stand for what the tables say.
    pub fn new(height: usize, width: usize, tables: Vec<[f32; 256]>) -> Self {
        Self {
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
        map: Affine,
    ) -> Result<Self, Error> {
        let channels = map.scale.len();
        let geometry = Geometry::new(self.seen(), channels, kernel, padding, pool)?;
        check_len("weight", weight.len(), geometry.weight_len())?;
        check_len("shift", map.shift.len(), channels)?;
        self.blocks.push(Convolution {
            geometry,
            weight: weight.to_vec(),
            map,
        });
        Ok(self)
    }

    /// Adds a dense layer: matrix product, then a map per output. The weight is `[inputs, outputs]`; inputs of
    /// the first one are `[channels, height, width]`, as Burn flattens them.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if the weight doesn't fit, [`Error::Dense`] without outputs.
    pub fn dense(mut self, weight: &[f32], map: Affine) -> Result<Self, Error> {
        let outputs = map.scale.len();
        let [height, width, channels] = self.seen();
        let seen = height * width * channels;
        let inputs = self
            .dense
            .last()
            .map_or(seen, |layer| layer.map.scale.len());
        if outputs == 0 {
            return Err(Error::Dense { inputs, outputs });
        }
        check_len("weight", weight.len(), inputs * outputs)?;
        check_len("shift", map.shift.len(), outputs)?;
        let weight = if self.dense.is_empty() {
            // Values lie with the channels last.
            let place = |input| input % channels * (height * width) + input / channels;
            let rows = (0..inputs).flat_map(|input| &weight[place(input) * outputs..][..outputs]);
            rows.copied().collect()
        } else {
            weight.to_vec()
        };
        self.dense.push(Product { weight, map });
        Ok(self)
    }

    /// The forward pass of these layers on the best instructions of this processor.
    ///
    /// # Errors
    ///
    /// [`Error::Int8`] if that is asked for, and the processor has no instructions for it or a layer no kernel.
    pub fn prepare(&self, precision: Precision) -> Result<Forward, Error> {
        match precision {
            Precision::F32 => Ok(self.prepare_on(Isa::best())),
            #[cfg(target_arch = "x86_64")]
            Precision::Int8 => {
                let token =
                    Vnni::detect().ok_or(Error::Int8("this processor has no AVX-512 VNNI"))?;
                let layers = Int8::new(self)
                    .ok_or(Error::Int8("a layer of this network has no such kernel"))?;
                Ok(self.forward(Way::Int8(token, layers)))
            }
            #[cfg(not(target_arch = "x86_64"))]
            Precision::Int8 => Err(Error::Int8("this processor has no AVX-512 VNNI")),
        }
    }

    /// The forward pass in `f32` on a given instruction set.
    pub fn prepare_on(&self, isa: Isa) -> Forward {
        self.forward(Way::F32(isa, F32::new(self, isa)))
    }

    fn forward(&self, way: Way) -> Forward {
        let [height, width, channels] = self.seen();
        let last = self.dense.last();
        Forward {
            shape: self.shape,
            channels,
            outputs: last.map_or(height * width * channels, |layer| layer.map.scale.len()),
            way,
        }
    }
}

/// A network ready to run.
pub struct Forward {
    /// Height, width and channels of an image.
    shape: [usize; 3],
    /// Channels after the last block.
    channels: usize,
    /// Values that the last layer makes of an image.
    outputs: usize,
    way: Way,
}

enum Way {
    F32(Isa, F32),
    #[cfg(target_arch = "x86_64")]
    Int8(Vnni, Int8),
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
    /// Runs images, `[count, channels, height, width]`: on the calling thread, and where there are enough of them
    /// on the others of rayon's pool, too. What it says of an image does not depend on the others, nor on the number
    /// of threads.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if the bytes are no whole images.
    pub fn run(&self, images: &[u8]) -> Result<Found, Error> {
        let image_len: usize = self.shape.iter().product();
        let count = images.len() / image_len;
        check_len("images", images.len(), count * image_len)?;
        let (outputs, channels) = (self.outputs, self.channels);
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
                with_buffers(|buffers| self.run_some(images, outputs, means, buffers));
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

    fn run_some(
        &self,
        images: &[u8],
        outputs: &mut [f32],
        means: &mut [f32],
        buffers: &mut Buffers,
    ) {
        match &self.way {
            Way::F32(isa, network) => isa.run(Chunk {
                network,
                shape: self.shape,
                images,
                outputs,
                means,
                buffers: &mut buffers.f32s,
            }),
            #[cfg(target_arch = "x86_64")]
            Way::Int8(token, network) => {
                let buffers = &mut buffers.int8;
                token.run(network, self.shape, images, outputs, means, buffers);
            }
        }
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward")
            .field("shape", &self.shape)
            .field("channels", &self.channels)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}

/// What one thread computes with.
#[derive(Default)]
struct Buffers {
    f32s: f32s::Buffers,
    #[cfg(target_arch = "x86_64")]
    int8: int8::Buffers,
}

fn with_buffers<T>(f: impl FnOnce(&mut Buffers) -> T) -> T {
    thread_local! {
        static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers::default());
    }
    BUFFERS.with(|buffers| f(&mut buffers.borrow_mut()))
}
