//! From values in main memory to a tensor.

#![allow(deprecated)] // Burn deprecates its ndarray backend, which people still train on.

use burn::{
    backend::{DispatchDevice, DispatchKindConversion, DispatchTensor},
    tensor::{Device, Tensor, TensorData},
};

use super::backend::HostBackend;

/// The tensor of the given values, which lie in the order of `shape`: [`Tensor::from_data`], but where
/// there are kernels nothing looks at each value, as Burn's check of the element type does.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::Device;
///
/// let tensor = kernels::from_vec(vec![1.0, 2.0, 3.0, 4.0], [2, 2], &Device::flex().autodiff());
/// assert_eq!(tensor.dims(), [2, 2]);
/// assert!(tensor.is_autodiff());
/// # }
/// ```
///
/// # Panics
///
/// If there are not as many values as the shape has places.
pub fn from_vec<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    assert_eq!(
        values.len(),
        shape.iter().product::<usize>(),
        "a value for each place of {shape:?}"
    );
    let tensor: Tensor<D> = match device.clone().inner().as_dispatch() {
        #[cfg(feature = "ndarray")]
        DispatchDevice::NdArray(on) => host::<burn::backend::NdArray, D>(values, shape, on),
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(on) => host::<burn::backend::Flex, D>(values, shape, on),
        _ => return Tensor::from_data(TensorData::new(values, shape), device),
    };
    if device.is_autodiff() {
        tensor.autodiff()
    } else {
        tensor
    }
}

#[cfg(any(feature = "ndarray", feature = "flex"))]
fn host<B, const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &burn::backend::tensor::Device<B>,
) -> Tensor<D>
where
    B: HostBackend,
    DispatchTensor: DispatchKindConversion<B>,
{
    Tensor::from_primitive::<B>(B::from_vec(values, shape.to_vec(), device))
}
