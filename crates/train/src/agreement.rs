//! Whether a device computes what the CPU computes.
//!
//! Drivers of graphics adapters and compilers of shaders have faults, and with wrong gradients a network only
//! learns badly, or its loss stays where it is. So what training consists of is tried before it begins: a product
//! of matrices and a convolution, with their gradients.

use burn::tensor::{
    Device, ExecutionError, Tensor, TensorData, Transaction, module::conv2d, ops::ConvOptions,
};
use thiserror::Error;

/// Two results agree where they differ by no more than so much of the largest value. Sums in another order differ by
/// a millionth in 32 bits; those of numbers of ten bits, as some adapters multiply, by some ten thousandths.
const TOLERANCE: f64 = 2e-3;

/// A device that can't be trained on.
#[derive(Debug, Error)]
pub enum AgreementError {
    /// It computes something else.
    #[error(
        "the device {device} computes wrong numbers: {what} has {found:.6} where the CPU has {expected:.6}; train with \
         --backend ndarray, or install another graphics driver"
    )]
    Differs {
        /// Its name.
        device: String,
        /// What differs.
        what: &'static str,
        /// What it computed, where that is farthest from what the CPU computed.
        found: f64,
        /// What the CPU computed there.
        expected: f64,
    },
    /// It computes nothing.
    #[error(
        "the device {device} fails to compute: {reason}; train with --backend ndarray, or install another graphics \
         driver"
    )]
    Fails {
        /// Its name.
        device: String,
        /// What the runtime said.
        reason: String,
    },
}

/// Tries a device, which errors call `name`.
///
/// # Errors
/// [`AgreementError`] if it fails, or computes something else.
pub fn check(device: &Device, name: &str) -> Result<(), AgreementError> {
    let trial = Trial {
        parts: [
            "a product of matrices",
            "the gradient of a product by its left side",
            "the gradient of a product by its right side",
        ],
        shapes: [[ROWS, INNER], [INNER, COLUMNS], [ROWS, COLUMNS]],
    };
    trial.run((device, name), |x, w| x.matmul(w), product_terms())?;
    let trial = Trial {
        parts: [
            "a convolution",
            "the gradient of a convolution by its input",
            "the gradient of a convolution by its weights",
        ],
        shapes: [
            [IMAGES, IN, SIDE, SIDE],
            [OUT, IN, KERNEL, KERNEL],
            [IMAGES, OUT, SIDE, SIDE],
        ],
    };
    let padded = |x, w| {
        conv2d(
            x,
            w,
            None,
            ConvOptions::new([1, 1], [PADDING; 2], [1, 1], 1),
        )
    };
    trial.run((device, name), padded, convolution_terms())
}

/// The matrices.
const ROWS: usize = 48;
const INNER: usize = 96;
const COLUMNS: usize = 40;

/// The convolution.
const IMAGES: usize = 2;
const IN: usize = 8;
const OUT: usize = 16;
const SIDE: usize = 9;
const KERNEL: usize = 3;
const PADDING: usize = 1;

/// A function of two tensors that is linear in each.
struct Trial<const D: usize> {
    /// What it is, and its gradients.
    parts: [&'static str; 3],
    /// Of what goes in, left and right, and of what comes out.
    shapes: [[usize; D]; 3],
}

impl<const D: usize> Trial<D> {
    /// Compares the function on the device with the sum over its terms, each of which is the place of a value that
    /// goes in on the left, of one on the right, and of the one that gets their product.
    fn run(
        &self,
        (device, name): (&Device, &str),
        function: impl Fn(Tensor<D>, Tensor<D>) -> Tensor<D>,
        terms: impl Iterator<Item = [usize; 3]>,
    ) -> Result<(), AgreementError> {
        let [left, right, upstream] = self.shapes.map(|shape| values(shape.iter().product()));
        let [mut by_left, mut by_right, mut result] =
            [&left, &right, &upstream].map(|values| vec![0.0; values.len()]);
        for [l, r, o] in terms {
            result[o] += f64::from(left[l]) * f64::from(right[r]);
            by_left[l] += f64::from(upstream[o]) * f64::from(right[r]);
            by_right[r] += f64::from(upstream[o]) * f64::from(left[l]);
        }
        let computed = self.compute(device, function, [left, right, upstream]);
        let computed = computed.map_err(|error| AgreementError::Fails {
            device: name.to_owned(),
            reason: error.to_string().replace('\n', " "),
        })?;
        let expected = [result, by_left, by_right];
        for ((what, computed), expected) in self.parts.into_iter().zip(&computed).zip(&expected) {
            if let Some((found, expected)) = difference(computed, expected) {
                return Err(AgreementError::Differs {
                    device: name.to_owned(),
                    what,
                    found,
                    expected,
                });
            }
        }
        Ok(())
    }

    /// The function and its gradients, on the device.
    fn compute(
        &self,
        device: &Device,
        function: impl Fn(Tensor<D>, Tensor<D>) -> Tensor<D>,
        values: [Vec<f32>; 3],
    ) -> Result<Vec<TensorData>, ExecutionError> {
        let device = device.clone().autodiff();
        let mut shapes = self.shapes.into_iter();
        let [left, right, upstream] = values.map(|values| {
            let shape = shapes.next().unwrap_or([0; D]);
            Tensor::<D>::from_data(TensorData::new(values, shape), &device)
        });
        let (left, right) = (left.require_grad(), right.require_grad());
        let result = function(left.clone(), right.clone());
        let gradients = result.clone().mul(upstream).sum().backward();
        let computed = [
            Some(result.inner()),
            left.grad(&gradients),
            right.grad(&gradients),
        ];
        let read = computed.into_iter().flatten();
        read.fold(Transaction::default(), Transaction::register)
            .try_execute()
    }
}

/// Numbers from -1 to 1 in no order.
fn values(count: usize) -> Vec<f32> {
    (0..count)
        .map(|index| (index * 37 % 101) as f32 / 50.0 - 1.0)
        .collect()
}

/// The terms of a product of matrices.
fn product_terms() -> impl Iterator<Item = [usize; 3]> {
    (0..ROWS * COLUMNS).flat_map(|place| {
        let (row, column) = (place / COLUMNS, place % COLUMNS);
        (0..INNER).map(move |inner| [row * INNER + inner, inner * COLUMNS + column, place])
    })
}

/// The terms of a convolution.
fn convolution_terms() -> impl Iterator<Item = [usize; 3]> {
    (0..IMAGES * OUT * SIDE * SIDE).flat_map(|place| {
        let (x, y) = (place % SIDE, place / SIDE % SIDE);
        let (out, image) = (place / (SIDE * SIDE) % OUT, place / (OUT * SIDE * SIDE));
        (0..IN * KERNEL * KERNEL).filter_map(move |tap| {
            let channel = tap / (KERNEL * KERNEL);
            let row = (y + tap / KERNEL % KERNEL).checked_sub(PADDING)?;
            let column = (x + tap % KERNEL).checked_sub(PADDING)?;
            (row < SIDE && column < SIDE).then_some([
                ((image * IN + channel) * SIDE + row) * SIDE + column,
                out * IN * KERNEL * KERNEL + tap,
                place,
            ])
        })
    })
}

/// What was found and what was expected where they are farthest apart, if that is too far.
fn difference(found: &TensorData, expected: &[f64]) -> Option<(f64, f64)> {
    let largest = expected
        .iter()
        .fold(0.0_f64, |most, value| most.max(value.abs()));
    let pairs = found.iter::<f64>().zip(expected.iter().copied());
    let apart = |(found, expected): &(f64, f64)| (found - expected).abs();
    // A NaN is farther than any number.
    let (found, expected) = pairs.max_by(|a, b| apart(a).total_cmp(&apart(b)))?;
    let agree = apart(&(found, expected)) <= TOLERANCE * largest;
    (!agree).then_some((found, expected))
}

/// What the driver calls a device.
pub fn name(device: &Device) -> String {
    #[cfg(feature = "wgpu")]
    if let Some(identity) = device.identity() {
        return identity.name;
    }
    format!("{device:?}")
}
