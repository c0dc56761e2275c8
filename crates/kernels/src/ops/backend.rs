//! Reading and making the `f32` tensors of the backends that have kernels.

use std::borrow::Cow;

use burn::backend::{
    Backend, TensorMetadata,
    tensor::{Device, FloatTensor},
};

use crate::{
    layout::{channels_first_to_last, dims4},
    recycle::Recycled,
};

/// A backend whose tensors lie in main memory.
pub(crate) trait HostBackend: Backend {
    /// The values, if they are `f32` and lie in the order of the shape.
    fn as_slice(tensor: &FloatTensor<Self>) -> Option<&[f32]>;

    /// The same to change in place, copied first if another tensor shares them.
    fn as_slice_mut(tensor: &mut FloatTensor<Self>) -> Option<&mut [f32]>;

    /// The memory of a tensor that nothing else uses any more.
    fn into_buffer(tensor: FloatTensor<Self>) -> Option<Vec<f32>>;

    /// A tensor of the given values, which lie in the order of the shape. Unlike `float_from_data` it
    /// doesn't look at every value, which Burn's check of the element type does where its backend is
    /// compiled without optimization.
    fn from_vec(values: Vec<f32>, shape: Vec<usize>, device: &Device<Self>) -> FloatTensor<Self>;

    /// A copy of the values in the order of the shape.
    fn gather(tensor: &FloatTensor<Self>) -> Vec<f32>;
}

/// The values of a tensor in the order of its shape, copied only if they lie in another order.
pub(crate) fn values<B: HostBackend>(tensor: &FloatTensor<B>) -> Cow<'_, [f32]> {
    match B::as_slice(tensor) {
        Some(values) => Cow::Borrowed(values),
        None => Cow::Owned(B::gather(tensor)),
    }
}

/// Keeps the memory of tensors that have served their purpose for later outputs.
pub(crate) fn reuse<B: HostBackend>(tensors: impl IntoIterator<Item = FloatTensor<B>>) {
    for buffer in tensors.into_iter().filter_map(B::into_buffer) {
        drop(Recycled::from(buffer));
    }
}

/// Views `[batch, channels, height, width]` as `[batch, height, width, channels]`.
pub(crate) fn channels_last<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    match dims4(&tensor.shape()) {
        // The values lie in that order already, which a permutation need not notice.
        [batch, 1, height, width] => B::float_reshape(tensor, [batch, height, width, 1].into()),
        _ => B::float_permute(tensor, &[0, 2, 3, 1]),
    }
}

/// Views `[batch, height, width, channels]` as `[batch, channels, height, width]`.
pub(crate) fn channels_first<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    B::float_permute(tensor, &[0, 3, 1, 2])
}

/// A tensor `[batch, height, width, channels]` whose values lie in that order.
pub(crate) fn in_order<B: HostBackend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    if B::as_slice(&tensor).is_some() {
        return tensor;
    }
    let shape = dims4(&tensor.shape());
    let first = channels_first::<B>(tensor.clone());
    let values = match B::as_slice(&first) {
        Some(values) => channels_first_to_last(values, shape),
        None => B::gather(&tensor),
    };
    drop(first);
    let ordered = like::<B>(&tensor, values, shape);
    reuse::<B>([tensor]);
    ordered
}

/// The same tensor with its values in the order of its shape.
pub(crate) fn make_in_order<B: HostBackend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    if B::as_slice(&tensor).is_some() {
        return tensor;
    }
    let shape = tensor.shape().to_vec();
    like::<B>(&tensor, B::gather(&tensor), shape)
}

/// A tensor of the given values on the device of another one.
pub(crate) fn like<B: HostBackend>(
    other: &FloatTensor<B>,
    values: Vec<f32>,
    shape: impl Into<Vec<usize>>,
) -> FloatTensor<B> {
    B::from_vec(values, shape.into(), &other.device())
}

/// Implements a trait of operations for every backend in main memory.
macro_rules! implement {
    ($operations:ident { $($body:tt)* }) => {
        #[cfg(feature = "ndarray")]
        impl $operations for burn::backend::NdArray {
            $($body)*
        }
        #[cfg(feature = "flex")]
        impl $operations for burn::backend::Flex {
            $($body)*
        }
    };
}
pub(crate) use implement;

#[cfg(feature = "ndarray")]
mod ndarray {
    #![allow(deprecated)]

    use burn::backend::{
        NdArray,
        ndarray::NdArrayTensor,
        tensor::{Device, FloatTensor},
    };
    use ndarray::{ArcArray, IxDyn};

    use super::HostBackend;

    impl HostBackend for NdArray {
        fn as_slice(tensor: &FloatTensor<Self>) -> Option<&[f32]> {
            match tensor {
                NdArrayTensor::F32(storage) => storage.view().to_slice(),
                _ => None,
            }
        }

        fn from_vec(values: Vec<f32>, shape: Vec<usize>, _: &Device<Self>) -> FloatTensor<Self> {
            match ArcArray::from_shape_vec(IxDyn(&shape), values) {
                Ok(array) => array.into(),
                Err(error) => unreachable!("values are counted before: {error}"),
            }
        }

        fn into_buffer(tensor: FloatTensor<Self>) -> Option<Vec<f32>> {
            match tensor {
                NdArrayTensor::F32(storage) if storage.is_unique() => {
                    let array = storage.into_owned().try_into_owned_nocopy().ok()?;
                    Some(array.into_raw_vec_and_offset().0)
                }
                _ => None,
            }
        }

        fn as_slice_mut(tensor: &mut FloatTensor<Self>) -> Option<&mut [f32]> {
            match tensor {
                NdArrayTensor::F32(storage) => storage.ensure_owned().as_slice_mut(),
                _ => None,
            }
        }

        fn gather(tensor: &FloatTensor<Self>) -> Vec<f32> {
            match tensor {
                NdArrayTensor::F32(storage) => storage.view().iter().copied().collect(),
                _ => unreachable!("only f32 tensors are dispatched to the kernels"),
            }
        }
    }
}

#[cfg(feature = "flex")]
mod flex {
    use burn::{
        backend::{
            Flex,
            flex::FlexTensor,
            tensor::{Device, FloatTensor},
        },
        tensor::TensorData,
    };

    use super::HostBackend;

    impl HostBackend for Flex {
        fn as_slice(tensor: &FloatTensor<Self>) -> Option<&[f32]> {
            tensor.as_slice()
        }

        fn from_vec(values: Vec<f32>, shape: Vec<usize>, _: &Device<Self>) -> FloatTensor<Self> {
            FlexTensor::from_data(TensorData::new(values, shape))
        }

        fn into_buffer(tensor: FloatTensor<Self>) -> Option<Vec<f32>> {
            let whole = size_of_val(tensor.as_slice::<f32>()?) == tensor.bytes().len();
            if whole && tensor.is_unique() {
                tensor.into_data().try_into_vec().ok()
            } else {
                None
            }
        }

        fn as_slice_mut(tensor: &mut FloatTensor<Self>) -> Option<&mut [f32]> {
            Self::as_slice(tensor)?;
            let (start, end) = tensor.layout().contiguous_offsets()?;
            tensor.storage_mut().get_mut(start..end)
        }

        fn gather(tensor: &FloatTensor<Self>) -> Vec<f32> {
            tensor.clone().into_data().iter::<f32>().collect()
        }
    }
}
