//! Softmax cross-entropy.

#![allow(deprecated)] // Burn deprecates its ndarray backend, which people still train on.

use std::sync::Arc;

use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    nn::loss::CrossEntropyLossConfig,
    tensor::{Int, Tensor, TensorData, activation::log_softmax},
};

use super::{
    backend::{HostBackend, implement, like, values},
    fits, runs_kernels,
};
use crate::chunks;

/// The label of a row that belongs to no class.
pub const NO_CLASS: u16 = u16::MAX;

/// Mean over the batch of the cross-entropy between softmax(`logits`) and the labels, in nats: the same
/// as Burn's `CrossEntropyLoss`, forward and backward in one pass.
///
/// `logits` is `[batch, classes]`, `labels` are class indices; returns one value. The gradient by the logits is softmax minus
/// one-hot, over the batch size (Bishop 2006, "Pattern Recognition and Machine Learning", eq. 4.109).
///
/// A row of [`NO_CLASS`] is to be like every class alike: its loss is how far softmax is from the uniform
/// distribution, 0 at least (Hendrycks, Mazeika and Dietterich 2019, "Deep Anomaly Detection with Outlier
/// Exposure", section 4.3).
///
/// # Panics
///
/// If there is not one label for each row, or if a label is neither below the number of classes nor
/// [`NO_CLASS`].
pub fn cross_entropy(logits: Tensor<2>, labels: &[u16]) -> Tensor<1> {
    let [batch, classes] = logits.dims();
    assert_eq!(labels.len(), batch, "one label for each row");
    assert!(
        labels
            .iter()
            .all(|&label| usize::from(label) < classes || label == NO_CLASS),
        "labels are below {classes}"
    );
    let device = logits.device();
    if batch > 0 && runs_kernels(&device) && fits(&logits, &device) {
        let loss = <Dispatch as LossOps>::cross_entropy(logits.into_dispatch(), labels.into());
        return Tensor::from_dispatch(loss);
    }
    if labels.contains(&NO_CLASS) {
        return soft_cross_entropy(logits, labels);
    }
    let targets: Vec<i32> = labels.iter().map(|&label| i32::from(label)).collect();
    let targets = Tensor::<1, Int>::from_data(TensorData::new(targets, [batch]), &device);
    CrossEntropyLossConfig::new()
        .init(&device)
        .forward(logits, targets)
}

/// By Burn's operations, with a distribution for each row.
fn soft_cross_entropy(logits: Tensor<2>, labels: &[u16]) -> Tensor<1> {
    let [batch, classes] = logits.dims();
    let mut targets = vec![0.0_f32; batch * classes];
    for (row, &label) in targets.chunks_exact_mut(classes).zip(labels) {
        match row.get_mut(usize::from(label)) {
            Some(own) => *own = 1.0,
            None => row.fill(1.0 / classes as f32),
        }
    }
    let targets = TensorData::new(targets, [batch, classes]);
    let targets = Tensor::<2>::from_data(targets, &logits.device()).cast(logits.dtype());
    let none = labels.iter().filter(|&&label| label == NO_CLASS).count();
    let least = (classes as f64).ln() * none as f64 / batch as f64;
    let products = log_softmax(logits, 1).mul(targets);
    products.sum().div_scalar(-(batch as f64)).sub_scalar(least)
}

/// The operation, with a gradient.
#[backend_extension(
    NdArray: cfg(feature = "ndarray"),
    Flex: cfg(feature = "flex"),
    Remote: cfg(feature = "remote"),
    Autodiff: cfg(feature = "autodiff")
)]
pub(crate) trait LossOps: Backend {
    /// The mean cross-entropy, `[1]`.
    fn cross_entropy(logits: FloatTensor<Self>, labels: Arc<[u16]>) -> FloatTensor<Self>;
}

/// Logits that one thread works on at a time: all of a batch of few classes.
const CHUNK: usize = 4096;

/// The mean cross-entropy `[1]` and its gradient `[batch, classes]`. A few numbers per image: `f64` costs
/// nothing here and keeps both from cancelling.
fn run<B: HostBackend>(
    logits: &FloatTensor<B>,
    labels: &[u16],
) -> (FloatTensor<B>, FloatTensor<B>) {
    let values = values::<B>(logits);
    let classes = values.len() / labels.len();
    let share = 1.0 / labels.len() as f64;
    let mut gradient = vec![0.0; values.len()];
    let rows = (CHUNK / classes).max(1);
    let jobs = values
        .chunks(rows * classes)
        .zip(gradient.chunks_mut(rows * classes))
        .zip(labels.chunks(rows))
        .collect();
    let losses = chunks::run(
        jobs,
        |((values, gradient), labels): ((&[f32], &mut [f32]), &[u16])| {
            let rows = values.chunks_exact(classes);
            rows.zip(gradient.chunks_exact_mut(classes))
                .zip(labels)
                .map(|((row, gradient), &label)| row_loss(row, label, share, gradient))
                .collect::<Vec<f64>>()
        },
    );
    let loss: f64 = losses.iter().flatten().sum();
    let shape = [labels.len(), classes];
    (
        like::<B>(logits, vec![(share * loss) as f32], [1]),
        like::<B>(logits, gradient, shape),
    )
}

/// The cross-entropy of one row; its gradient times `share` goes into `gradient`.
fn row_loss(row: &[f32], label: u16, share: f64, gradient: &mut [f32]) -> f64 {
    let highest = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let exponentials: Vec<f64> = row
        .iter()
        .map(|&logit| (f64::from(logit) - highest).exp())
        .collect();
    let sum: f64 = exponentials.iter().sum();
    let classes = row.len() as f64;
    let (own, other, score, least) = match row.get(usize::from(label)) {
        Some(&logit) => (1.0, 0.0, f64::from(logit), 0.0),
        None => {
            let mean = row.iter().copied().map(f64::from).sum::<f64>() / classes;
            (1.0 / classes, 1.0 / classes, mean, classes.ln())
        }
    };
    for (class, (gradient, exponential)) in gradient.iter_mut().zip(&exponentials).enumerate() {
        let target = if class == usize::from(label) {
            own
        } else {
            other
        };
        *gradient = (share * (exponential / sum - target)) as f32;
    }
    highest + sum.ln() - score - least
}

/// A backend that computes the loss together with its gradient by the logits.
pub(crate) trait LossPass: Backend {
    /// The mean cross-entropy `[1]` and its gradient `[batch, classes]`.
    fn loss_pass(
        logits: FloatTensor<Self>,
        labels: Arc<[u16]>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

impl<B: HostBackend> LossPass for B {
    fn loss_pass(
        logits: FloatTensor<Self>,
        labels: Arc<[u16]>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        run::<B>(&logits, &labels)
    }
}

implement!(LossOps {
    fn cross_entropy(logits: FloatTensor<Self>, labels: Arc<[u16]>) -> FloatTensor<Self> {
        run::<Self>(&logits, &labels).0
    }
});

#[cfg(feature = "autodiff")]
mod autodiff {
    use std::sync::Arc;

    use burn::backend::{
        Autodiff, Backend,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        tensor::FloatTensor,
    };

    use super::{LossOps, LossPass};

    impl<B: LossOps + LossPass, C: CheckpointStrategy> LossOps for Autodiff<B, C> {
        fn cross_entropy(logits: FloatTensor<Self>, labels: Arc<[u16]>) -> FloatTensor<Self> {
            let nodes = [logits.node()];
            let (loss, gradient) = B::loss_pass(logits.into_primitive(), labels);
            match CrossEntropy.prepare::<C>(nodes).compute_bound().stateful() {
                OpsKind::Tracked(prep) => prep.finish(gradient, loss),
                OpsKind::UnTracked(prep) => prep.finish(loss),
            }
        }
    }

    #[derive(Debug)]
    struct CrossEntropy;

    impl<B: Backend> Backward<B, 1> for CrossEntropy {
        /// The gradient by the logits.
        type State = FloatTensor<B>;

        fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
            let upstream = grads.consume::<B>(&ops.node);
            if let [Some(node)] = ops.parents {
                let factor = B::float_reshape(upstream, [1, 1].into());
                grads.register::<B>(node.id, B::float_mul(ops.state, factor));
            }
        }
    }
}
