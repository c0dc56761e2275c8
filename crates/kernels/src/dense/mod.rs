//! A dense layer on slices: matrix product, normalization or bias, ReLU, and their gradients.
//!
//! Values are `[batch, inputs]` and `[batch, outputs]`; the weight is in Burn's order, `[inputs, outputs]`.
//! The matrix products run on the tiles of the convolution.

mod backward;
mod chunk;
mod pairs;

use crate::{
    chunks::run,
    error::{Error, check_len},
    norm::{Affine, MapChunk, Moments, Normalization},
    recycle::Recycled,
    scratch::with_scratch,
    simd::Isa,
};
use chunk::{Matrix, MomentsChunk, ProductChunk};

/// Rows of the batch that one thread multiplies at a time: two full tiles of the widest vectors.
const ROWS: usize = 22;

/// One dense layer of a fixed size.
#[derive(Clone, Copy, Debug)]
pub struct Dense {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    isa: Isa,
}

/// What a forward pass with a normalization keeps for the backward pass.
#[derive(Debug, Default)]
pub struct Kept {
    /// Values before the normalization, `[batch, outputs]`.
    pub(crate) values: Recycled<f32>,
    pub(crate) moments: Moments,
}

impl Kept {
    /// Statistics of the batch, without the layer's bias.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }
}

impl Dense {
    /// A layer that runs on the best instruction set of this processor.
    ///
    /// # Errors
    ///
    /// [`Error::Dense`] if a size is zero.
    pub fn new(inputs: usize, outputs: usize) -> Result<Self, Error> {
        Self::on(inputs, outputs, Isa::best())
    }

    /// A layer that runs on a given instruction set.
    ///
    /// # Errors
    ///
    /// [`Error::Dense`] if a size is zero.
    pub fn on(inputs: usize, outputs: usize, isa: Isa) -> Result<Self, Error> {
        if inputs == 0 || outputs == 0 {
            return Err(Error::Dense { inputs, outputs });
        }
        Ok(Self {
            inputs,
            outputs,
            isa,
        })
    }

    /// Matrix product, then a map per output: a bias where its scale is one, or a normalization by running
    /// statistics.
    ///
    /// # Shapes
    ///
    /// - `input`: `[batch, inputs]`; its length says what the batch is
    /// - `weight`: `[inputs, outputs]`
    /// - `map`: `[outputs]` each
    /// - `output`: `[batch, outputs]`; overwritten
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if a slice does not fit the layer and the batch.
    pub fn forward(
        &self,
        input: &[f32],
        weight: &[f32],
        map: &Affine,
        output: &mut [f32],
    ) -> Result<(), Error> {
        let batch = self.check(input, weight)?;
        check_len("output", output.len(), batch * self.outputs)?;
        check_len("scale", map.scale.len(), self.outputs)?;
        check_len("shift", map.shift.len(), self.outputs)?;
        let map = map.padded(self.isa.lanes());
        self.multiply(input, weight, Some(&map), output);
        Ok(())
    }

    /// Matrix product and batch normalization by the statistics of the batch. Returns what the backward
    /// pass needs. The shapes are those of [`forward`](Self::forward); `gamma` and `beta` are `[outputs]`.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if a slice does not fit the layer and the batch.
    pub fn forward_train(
        &self,
        input: &[f32],
        weight: &[f32],
        norm: &Normalization<'_>,
        output: &mut [f32],
    ) -> Result<Kept, Error> {
        let batch = self.check(input, weight)?;
        self.check_norm(norm)?;
        check_len("output", output.len(), batch * self.outputs)?;
        let mut values = Recycled::new(batch * self.outputs);
        self.multiply(input, weight, None, &mut values);

        let channels = self.outputs;
        let rows = ROWS * channels;
        let jobs = values.chunks(rows).collect();
        let parts = run(jobs, |values| {
            self.isa.run(MomentsChunk { values, channels })
        });
        let mut moments = Moments::default();
        parts.iter().for_each(|part| moments.merge(part));

        let map = norm.map(&moments, self.isa.lanes());
        let jobs = values.chunks(rows).zip(output.chunks_mut(rows)).collect();
        run(jobs, |(from, to)| {
            self.isa.run(MapChunk {
                map: &map,
                channels,
                from,
                to,
            });
        });
        Ok(Kept { values, moments })
    }

    /// The number of rows, if `input` and `weight` fit the layer.
    fn check(&self, input: &[f32], weight: &[f32]) -> Result<usize, Error> {
        let batch = input.len() / self.inputs;
        check_len("input", input.len(), batch * self.inputs)?;
        check_len("weight", weight.len(), self.inputs * self.outputs)?;
        Ok(batch)
    }

    fn check_norm(&self, norm: &Normalization<'_>) -> Result<(), Error> {
        check_len("gamma", norm.gamma.len(), self.outputs)?;
        check_len("beta", norm.beta.len(), self.outputs)
    }

    fn multiply(&self, input: &[f32], weight: &[f32], map: Option<&Affine>, output: &mut [f32]) {
        let matrix = Matrix::new(self.isa, weight, self.outputs);
        let jobs = input
            .chunks(ROWS * self.inputs)
            .zip(output.chunks_mut(ROWS * self.outputs))
            .collect();
        run(jobs, |(input, output)| {
            with_scratch(|scratch| {
                self.isa.run(ProductChunk {
                    sizes: [self.inputs, self.outputs],
                    input,
                    matrix: &matrix,
                    map,
                    output,
                    scratch,
                });
            });
        });
    }
}
