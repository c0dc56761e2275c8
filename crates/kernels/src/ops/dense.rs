//! Dense layers.

use burn::{
    nn::{BatchNorm, Linear},
    tensor::{Tensor, activation::relu},
};

use super::fused::{Block, Layer};
#[cfg(feature = "remote")]
use super::{fused::Packed, remote};
use crate::{
    Affine, Error, Isa, Moments, Normalization, Precision,
    conv::Gradients,
    dense::{Dense, Kept},
};

/// One dense layer: `linear`, `norm` if given, ReLU if asked for.
///
/// `x` is `[batch, inputs]`; returns `[batch, outputs]`. The normalization behaves as in
/// [`conv_block`](crate::conv_block).
pub fn dense_block(
    x: Tensor<2>,
    linear: &Linear,
    norm: Option<&BatchNorm>,
    with_relu: bool,
) -> Tensor<2> {
    dense_block_in(x, linear, norm, with_relu, Precision::F32)
}

/// [`dense_block`] with products of a precision.
pub(crate) fn dense_block_in(
    x: Tensor<2>,
    linear: &Linear,
    norm: Option<&BatchNorm>,
    with_relu: bool,
    precision: Precision,
) -> Tensor<2> {
    let block = Block {
        weight: linear.weight.val(),
        bias: linear.bias.as_ref().map(|bias| bias.val()),
        norm,
        relu: with_relu,
    };
    let [inputs, outputs] = block.weight.dims();
    let layer = Dense::on(inputs, outputs, Isa::best_for(precision))
        .ok()
        .filter(|_| x.dims()[1] == inputs);
    block.run(x, layer, |x| {
        let x = linear.forward(x);
        let x = match norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        if with_relu { relu(x) } else { x }
    })
}

impl Layer for Dense {
    type Kept = Kept;

    fn outputs(&self) -> usize {
        self.outputs
    }

    fn output_shape(&self, batch: usize) -> Vec<usize> {
        vec![batch, self.outputs]
    }

    fn forward(
        &self,
        input: &[f32],
        weight: &[f32],
        map: &Affine,
        output: &mut [f32],
        _: &mut [u8],
    ) -> Result<(), Error> {
        self.forward(input, weight, map, output)
    }

    fn forward_train(
        &self,
        input: &[f32],
        weight: &[f32],
        norm: &Normalization<'_>,
        output: &mut [f32],
    ) -> Result<Kept, Error> {
        self.forward_train(input, weight, norm, output)
    }

    fn moments(kept: &Kept) -> &Moments {
        kept.moments()
    }

    fn backward(
        &self,
        input: &[f32],
        weight: &[f32],
        relu_output: Option<&[f32]>,
        _: &[u8],
        output_grad: &[f32],
        input_grad: Option<&mut [f32]>,
    ) -> Result<Gradients, Error> {
        self.backward(input, weight, relu_output, output_grad, input_grad)
    }

    #[cfg(feature = "remote")]
    fn numbers(&self) -> Vec<u64> {
        vec![remote::DENSE, self.inputs as u64, self.outputs as u64]
    }

    #[cfg(feature = "remote")]
    fn pack(kept: Kept) -> Packed {
        Packed {
            values: [kept.values.into_vec(), Vec::new()],
            bytes: kept.moments.to_bytes(),
        }
    }

    #[cfg(feature = "remote")]
    fn unpack(packed: Packed) -> Option<Kept> {
        let [values, _] = packed.values;
        let (moments, _) = Moments::from_bytes(&packed.bytes)?;
        Some(Kept {
            values: values.into(),
            moments,
        })
    }

    fn backward_train(
        &self,
        input: &[f32],
        weight: &[f32],
        norm: &Normalization<'_>,
        kept: &Kept,
        output_grad: &[f32],
        input_grad: Option<&mut [f32]>,
    ) -> Result<Gradients, Error> {
        self.backward_train(input, weight, norm, kept, output_grad, input_grad)
    }
}
