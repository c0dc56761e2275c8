//! The borrower's side: each operation as a custom operation of Burn's remote backend.

use std::sync::Arc;

use burn::{
    backend::{
        Remote, TensorMetadata,
        ir::{CustomOpIr, ScalarIr, TensorIr},
        tensor::FloatTensor,
    },
    remote::CustomOpClient,
    tensor::{DType, Shape},
};

use super::{
    super::{
        adamw::OptimOps,
        flatten::FlattenOps,
        fused::{
            Layer,
            extension::{FusedOps, InferOps, Norm},
            passes::{BlockGradients, Normalized, Passes, Shifted},
        },
        loss::{LossOps, LossPass},
    },
    id,
};
use crate::optim::AdamWStep;

type Lent = FloatTensor<Remote>;

/// An output of no shape: the lender knows it, and the borrower never looks at the values.
const KEPT: [usize; 1] = [0];

/// Has the lender run an operation. The first input says which lender.
fn call<const N: usize>(
    id: &'static str,
    inputs: Vec<Lent>,
    outputs: [(Vec<usize>, DType); N],
    scalars: Vec<ScalarIr>,
) -> [Lent; N] {
    let client = CustomOpClient::new(&inputs[0].device());
    let outputs = outputs.map(|(shape, dtype)| {
        TensorIr::uninit(client.create_empty_handle(), Shape::from(shape), dtype)
    });
    let inputs: Vec<TensorIr> = inputs.into_iter().map(Lent::into_ir).collect();
    let operation = CustomOpIr::with_scalars(id, &inputs, &outputs, scalars);
    match client.register(operation).try_into() {
        Ok(outputs) => outputs,
        Err(_) => unreachable!("there are as many outputs as were asked for"),
    }
}

fn float(shape: impl Into<Vec<usize>>) -> (Vec<usize>, DType) {
    (shape.into(), DType::F32)
}

fn bytes() -> (Vec<usize>, DType) {
    (KEPT.into(), DType::U8)
}

/// The options of an operation, then its layer.
fn scalars<L: Layer>(options: impl IntoIterator<Item = ScalarIr>, layer: &L) -> Vec<ScalarIr> {
    let numbers = layer.numbers().into_iter().map(ScalarIr::UInt);
    options.into_iter().chain(numbers).collect()
}

fn shape(tensor: &Lent) -> Vec<usize> {
    tensor.shape().to_vec()
}

impl FusedOps for Remote {
    fn shift<L: Layer>(input: Lent, weight: Lent, bias: Lent, layer: L, relu: bool) -> Lent {
        let output = float(layer.restored_shape(input.shape()[0]));
        let options = scalars([ScalarIr::Bool(relu), ScalarIr::Bool(false)], &layer);
        let [output] = call(id::SHIFT, vec![input, weight, bias], [output], options);
        output
    }

    fn norm_train<L: Layer>(
        input: Lent,
        weight: Lent,
        bias: Lent,
        gamma: Lent,
        beta: Lent,
        layer: L,
        norm: Norm,
    ) -> (Lent, Lent, Lent) {
        Self::norm_pass(input, weight, [bias, gamma, beta], layer, norm)
            .0
            .into()
    }
}

impl Passes for Remote {
    type Chosen = Lent;
    type Kept<L: Layer> = [Lent; 3];

    fn shift_pass<L: Layer>(
        input: Lent,
        weight: Lent,
        bias: Lent,
        layer: L,
        relu: bool,
    ) -> (Lent, Shifted<Self, L>) {
        let output = float(layer.restored_shape(input.shape()[0]));
        let options = scalars([ScalarIr::Bool(relu), ScalarIr::Bool(true)], &layer);
        let inputs = vec![input.clone(), weight.clone(), bias];
        let [output, chosen] = call(id::SHIFT, inputs, [output, bytes()], options);
        let passed = Shifted {
            layer,
            input,
            weight,
            relu_output: relu.then(|| output.clone()),
            chosen,
        };
        (output, passed)
    }

    fn shift_back<L: Layer>(
        passed: Shifted<Self, L>,
        output_grad: Lent,
        wants_input: bool,
    ) -> BlockGradients<Self> {
        let Shifted {
            layer,
            input,
            weight,
            relu_output,
            chosen,
        } = passed;
        let options = [relu_output.is_some(), wants_input].map(ScalarIr::Bool);
        let outputs = [
            float(shape(&weight)),
            float([layer.outputs()]),
            float(shape(&input)),
        ];
        let inputs = [input, weight, chosen, output_grad].into_iter();
        let inputs = inputs.chain(relu_output).collect();
        let [weight, shift, input] =
            call(id::SHIFT_BACK, inputs, outputs, scalars(options, &layer));
        BlockGradients {
            input: wants_input.then_some(input),
            weight,
            shift,
            scale: None,
        }
    }

    fn norm_pass<L: Layer>(
        input: Lent,
        weight: Lent,
        [bias, gamma, beta]: [Lent; 3],
        layer: L,
        norm: Norm,
    ) -> ([Lent; 3], Normalized<Self, L>) {
        let channels = || float([layer.outputs()]);
        let outputs = [
            float(layer.restored_shape(input.shape()[0])),
            channels(),
            channels(),
            float(KEPT),
            float(KEPT),
            bytes(),
        ];
        let options = scalars(options(norm), &layer);
        let inputs = [&input, &weight, &bias, &gamma, &beta].map(Lent::clone);
        let [output, mean, variance, kept @ ..] = call(id::NORM, inputs.into(), outputs, options);
        let passed = Normalized {
            layer,
            norm,
            input,
            weight,
            gamma,
            beta,
            kept,
        };
        ([output, mean, variance], passed)
    }

    fn norm_back<L: Layer>(
        passed: Normalized<Self, L>,
        output_grad: Lent,
        wants_input: bool,
    ) -> BlockGradients<Self> {
        let Normalized {
            layer,
            norm,
            input,
            weight,
            gamma,
            beta,
            kept,
        } = passed;
        let outputs = [
            float(shape(&weight)),
            float([layer.outputs()]),
            float([layer.outputs()]),
            float(shape(&input)),
        ];
        let options = options(norm)
            .into_iter()
            .chain([ScalarIr::Bool(wants_input)]);
        let inputs = [input, weight, gamma, beta].into_iter().chain(kept);
        let inputs = inputs.chain([output_grad]).collect();
        let [weight, shift, scale, input] =
            call(id::NORM_BACK, inputs, outputs, scalars(options, &layer));
        BlockGradients {
            input: wants_input.then_some(input),
            weight,
            shift,
            scale: Some(scale),
        }
    }
}

fn options(Norm { epsilon, relu }: Norm) -> [ScalarIr; 2] {
    [ScalarIr::Bool(relu), ScalarIr::Float(epsilon)]
}

impl InferOps for Remote {
    fn norm_infer<L: Layer>(
        input: Lent,
        weight: Lent,
        bias: Lent,
        gamma: Lent,
        beta: Lent,
        mean: Lent,
        variance: Lent,
        layer: L,
        norm: Norm,
    ) -> Lent {
        let output = float(layer.restored_shape(input.shape()[0]));
        let inputs = vec![input, weight, bias, gamma, beta, mean, variance];
        let [output] = call(id::INFER, inputs, [output], scalars(options(norm), &layer));
        output
    }
}

impl FlattenOps for Remote {
    fn flatten_channels_first(input: Lent) -> Lent {
        let shape = input.shape();
        let output = float([shape[0], shape[1..].iter().product()]);
        let [output] = call(id::FLATTEN, vec![input], [output], Vec::new());
        output
    }
}

impl LossOps for Remote {
    fn cross_entropy(logits: Lent, labels: Arc<[u16]>) -> Lent {
        Self::loss_pass(logits, labels).0
    }
}

impl LossPass for Remote {
    fn loss_pass(logits: Lent, labels: Arc<[u16]>) -> (Lent, Lent) {
        let outputs = [float([1]), float(shape(&logits))];
        let labels = labels.iter().map(|&label| ScalarIr::UInt(label.into()));
        call(id::LOSS, vec![logits], outputs, labels.collect()).into()
    }
}

impl OptimOps for Remote {
    fn adamw(
        tensor: Lent,
        grad: Lent,
        moment_1: Lent,
        moment_2: Lent,
        step: AdamWStep,
    ) -> (Lent, Lent, Lent) {
        let outputs = [(); 3].map(|()| float(shape(&tensor)));
        let scalars = step.numbers().map(|number| ScalarIr::Float(number.into()));
        let inputs = vec![tensor, moment_1, moment_2, grad];
        call(id::ADAMW, inputs, outputs, scalars.into()).into()
    }
}
