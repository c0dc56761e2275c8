//! The operations for Burn tensors.
//!
//! Each function decides from the device kind, the element type and the shapes whether the kernels
//! cover the call; if not, it computes the same with Burn's own operations.

#[cfg(feature = "optim")]
mod adamw;
mod backend;
mod conv;
mod dense;
mod flatten;
mod fused;
mod loss;
mod prepare;
#[cfg(feature = "remote")]
pub mod remote;
mod tensor;

#[cfg(feature = "optim")]
pub use adamw::AdamW;
pub(crate) use conv::conv_block_in;
pub use conv::{Order, conv_block};
pub use dense::dense_block;
pub(crate) use dense::dense_block_in;
pub use flatten::flatten;
pub use loss::{NO_CLASS, cross_entropy};
pub use tensor::from_vec;

use burn::{
    backend::DispatchDevice,
    nn::BatchNorm,
    tensor::{DType, Device, Tensor},
};

use crate::error::Error;

/// Whether the device, with or without autodiff, is of a backend that has kernels: one whose tensors lie in main
/// memory.
pub fn has_kernels(device: &Device) -> bool {
    match device.clone().inner().as_dispatch() {
        #[cfg(feature = "ndarray")]
        DispatchDevice::NdArray(_) => true,
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(_) => true,
        _ => false,
    }
}

/// Whether the operations have kernels on the device: here, or where it is lent.
fn runs_kernels(device: &Device) -> bool {
    #[cfg(feature = "remote")]
    if remote::has_lent_kernels(device) {
        return true;
    }
    has_kernels(device)
}

/// Whether a tensor is of the kernels' element type, on the device that the call runs on.
fn fits<const D: usize>(tensor: &Tensor<D>, device: &Device) -> bool {
    tensor.dtype() == DType::F32 && tensor.device() == *device
}

/// The running statistics on the given device, if they are `f32` there.
fn running(norm: &BatchNorm, device: &Device) -> Option<[Tensor<1>; 2]> {
    let statistics = [norm.running_mean.value(), norm.running_var.value()];
    let statistics = statistics.map(|tensor| tensor.to_device(device));
    statistics
        .iter()
        .all(|tensor| tensor.dtype() == DType::F32)
        .then_some(statistics)
}

/// Burn's update of the running statistics, see `BatchNorm::forward`.
fn update_running(norm: &BatchNorm, mean: Tensor<1>, variance: Tensor<1>) {
    let updated = |running: Tensor<1>, batch: Tensor<1>| {
        let running = running.to_device(&batch.device());
        let batch = batch.detach().mul_scalar(norm.momentum);
        running.mul_scalar(1.0 - norm.momentum).add(batch).detach()
    };
    norm.running_mean
        .update(updated(norm.running_mean.value_sync(), mean));
    norm.running_var
        .update(updated(norm.running_var.value_sync(), variance));
}

/// The result of a slice kernel whose sizes were checked before dispatch.
fn sized<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|error| unreachable!("sizes are checked before dispatch: {error}"))
}
