//! The lender's side: the kernels as handlers of custom operations.
//!
//! An operation that makes no sense ends its session, as Burn's own operations do: a handler's only way to say so is
//! a panic, which Burn's server catches.

use burn::{
    backend::{
        DispatchDevice, TensorMetadata,
        ir::{BackendIr, CustomOpIr, HandleContainer, ScalarIr, TensorIr},
        tensor::FloatTensor,
    },
    server::{CustomOpRegistry, RemoteServer},
    tensor::{Device, TensorData},
};

use super::{
    super::{
        adamw::OptimOps,
        backend::{HostBackend, values},
        conv::ConvLayer,
        flatten::FlattenOps,
        fused::{
            Layer, Packed,
            extension::{FusedOps, InferOps, Norm, run_norm_train, run_shift, statistics},
            passes::{BlockGradients, Normalized, Passes, Shifted},
        },
        loss::LossPass,
    },
    CONV, DENSE, PROTOCOL, id,
};
use crate::{dense::Dense, optim::AdamWStep, recycle::Recycled};

/// Prepares a server of `device`: borrowers can [`greet`](super::greet) it, and where its backend has kernels their
/// layers run on them. A server's devices are of one backend.
pub fn lend(server: RemoteServer, device: &Device) -> RemoteServer {
    match device.clone().inner().as_dispatch() {
        #[cfg(feature = "ndarray")]
        #[allow(deprecated)]
        // Burn deprecates its ndarray backend, which people still train on.
        DispatchDevice::NdArray(_) => server.with_custom_ops(registry::<burn::backend::NdArray>()),
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(_) => server.with_custom_ops(registry::<burn::backend::Flex>()),
        #[cfg(feature = "wgpu")]
        DispatchDevice::Cube(_) => server.with_custom_op::<burn::backend::Cube, _>(
            id::HELLO,
            hello::<burn::backend::Cube>(false),
        ),
        _ => server,
    }
}

type Handles<B> = HandleContainer<<B as BackendIr>::Handle>;
type BackendDevice<B> = burn::backend::tensor::Device<B>;

fn registry<B>() -> CustomOpRegistry<B>
where
    B: HostBackend + BackendIr + FusedOps + InferOps + FlattenOps + OptimOps,
{
    let mut registry = CustomOpRegistry::<B>::default();
    registry.register(id::HELLO, hello::<B>(true));
    let mut add = |id: &str, run: fn(&mut Call<'_, B>)| {
        registry.register(id, move |handles, operation, _| {
            let mut call = Call { handles, operation };
            // The kernels' parallel sections begin and end on a thread of the pool.
            rayon::scope(|_| run(&mut call));
        });
    };
    add(id::SHIFT, shift);
    add(id::SHIFT_BACK, shift_back);
    add(id::NORM, norm);
    add(id::NORM_BACK, norm_back);
    add(id::INFER, infer);
    add(id::FLATTEN, flatten);
    add(id::LOSS, loss);
    add(id::ADAMW, adamw);
    registry
}

/// Says which protocol this is, and whether layers can be asked for.
fn hello<B: BackendIr>(
    kernels: bool,
) -> impl Fn(&mut Handles<B>, &CustomOpIr, &BackendDevice<B>) + Send + Sync + 'static {
    move |handles, operation, device| {
        let answer = TensorData::from([PROTOCOL as f32, f32::from(u8::from(kernels))]);
        let answer = B::float_from_data(answer, device);
        handles.register_float_tensor::<B>(&operation.outputs[0].id, answer);
    }
}

/// An operation that was asked for.
struct Call<'a, B: BackendIr> {
    handles: &'a mut Handles<B>,
    operation: &'a CustomOpIr,
}

impl<'a, B: HostBackend + BackendIr> Call<'a, B> {
    fn input(&mut self, at: usize) -> FloatTensor<B> {
        let input = self.input_ir(at);
        self.handles.get_float_tensor::<B>(input)
    }

    fn input_ir(&self, at: usize) -> &'a TensorIr {
        match self.operation.inputs.get(at) {
            Some(input) => input,
            None => self.refuse("an input is missing"),
        }
    }

    fn inputs<const N: usize>(&mut self, from: usize) -> [FloatTensor<B>; N] {
        std::array::from_fn(|at| self.input(from + at))
    }

    fn bytes(&mut self, at: usize) -> Vec<u8> {
        let input = self.input_ir(at);
        let tensor = self.handles.get_int_tensor::<B>(input);
        let data = burn::tensor::try_read_sync(B::int_into_data(tensor));
        match data.and_then(Result::ok).map(TensorData::try_into_vec) {
            Some(Ok(bytes)) => bytes,
            _ => self.refuse("what was kept isn't bytes"),
        }
    }

    fn output(&mut self, at: usize, tensor: FloatTensor<B>) {
        if let Some(output) = self.operation.outputs.get(at) {
            self.handles.register_float_tensor::<B>(&output.id, tensor);
        }
    }

    /// Bytes that are kept; nothing if nobody asked for them.
    fn output_bytes(&mut self, at: usize, bytes: Vec<u8>, device: &BackendDevice<B>) {
        if let Some(output) = self.operation.outputs.get(at) {
            let len = bytes.len();
            let tensor = B::int_from_data(TensorData::new(bytes, [len]), device);
            self.handles.register_int_tensor::<B>(&output.id, tensor);
        }
    }

    fn flag(&self, at: usize) -> bool {
        match self.operation.scalars.get(at) {
            Some(ScalarIr::Bool(flag)) => *flag,
            _ => self.refuse("a flag is missing"),
        }
    }

    fn norm(&self) -> Norm {
        match self.operation.scalars.get(1) {
            Some(ScalarIr::Float(epsilon)) => Norm {
                epsilon: *epsilon,
                relu: self.flag(0),
            },
            _ => self.refuse("a normalization is missing"),
        }
    }

    /// The numbers from a place on.
    fn numbers(&self, from: usize) -> Vec<u64> {
        let scalars = self.operation.scalars.iter().skip(from);
        scalars
            .map(|scalar| match scalar {
                ScalarIr::UInt(number) => *number,
                _ => self.refuse("a whole number is missing"),
            })
            .collect()
    }

    fn refuse(&self, problem: &str) -> ! {
        panic!("{}: {problem}", self.operation.id)
    }
}

/// Answers with the gradients of a block.
fn answer<B: HostBackend + BackendIr>(call: &mut Call<'_, B>, gradients: BlockGradients<B>) {
    let BlockGradients {
        input,
        weight,
        shift,
        scale,
    } = gradients;
    let input_at = match scale {
        Some(scale) => {
            call.output(2, scale);
            3
        }
        None => 2,
    };
    call.output(0, weight);
    call.output(1, shift);
    // A borrower that wants none has a name for it all the same, which it gives back.
    let none = || B::from_vec(Vec::new(), vec![0], &Default::default());
    call.output(input_at, input.unwrap_or_else(none));
}

/// The steps of a layer whose type the compiler knows.
trait Steps: Layer {
    fn restore<B: HostBackend>(&self, tensor: FloatTensor<B>) -> FloatTensor<B> {
        Self::restored::<B>(tensor)
    }

    fn order<B: HostBackend>(&self, tensor: FloatTensor<B>) -> FloatTensor<B> {
        Self::ordered::<B>(tensor)
    }

    fn statistics<B: HostBackend>(
        &self,
        kept: &Self::Kept,
        bias: &FloatTensor<B>,
    ) -> [FloatTensor<B>; 2] {
        statistics::<B>(Self::moments(kept), bias)
    }

    fn packed(&self, kept: Self::Kept) -> Packed {
        Self::pack(kept)
    }

    fn unpacked(&self, packed: Packed) -> Option<Self::Kept> {
        Self::unpack(packed)
    }
}

impl<L: Layer> Steps for L {}

/// Runs a generic function with the layer whose numbers begin at `from`.
macro_rules! with_layer {
    ($call:expr, $from:expr, |$layer:ident| $run:expr) => {{
        let numbers = $call.numbers($from);
        match numbers.split_first() {
            Some((&CONV, numbers)) => match ConvLayer::of_numbers(numbers) {
                Some($layer) => $run,
                None => $call.refuse("there is no such convolution"),
            },
            Some((&DENSE, &[inputs, outputs])) => {
                match Dense::new(inputs as usize, outputs as usize) {
                    Ok($layer) => $run,
                    Err(error) => $call.refuse(&error.to_string()),
                }
            }
            _ => $call.refuse("there is no such layer"),
        }
    }};
}

fn shift<B: HostBackend + BackendIr>(call: &mut Call<'_, B>) {
    let (relu, keep) = (call.flag(0), call.flag(1));
    let [input, weight, bias] = call.inputs(0);
    let device = weight.device();
    with_layer!(call, 2, |layer| {
        let pass = run_shift::<B, _>(input, &weight, &bias, layer, relu, keep);
        call.output(0, layer.restore::<B>(pass.output));
        call.output_bytes(1, pass.kept.to_vec(), &device);
    });
}

fn shift_back<B: HostBackend + BackendIr>(call: &mut Call<'_, B>) {
    let (relu, wants_input) = (call.flag(0), call.flag(1));
    let [input, weight] = call.inputs(0);
    let chosen = call.bytes(2);
    let output_grad = call.input(3);
    let relu_output = relu.then(|| call.input(4));
    with_layer!(call, 2, |layer| {
        let passed = Shifted {
            layer,
            input: layer.order::<B>(input),
            weight,
            relu_output: relu_output.map(|output| layer.order::<B>(output)),
            chosen: std::sync::Arc::new(Recycled::from(chosen)),
        };
        let gradients = B::shift_back(passed, output_grad, wants_input);
        answer(call, gradients);
    });
}

fn norm<B: HostBackend + BackendIr>(call: &mut Call<'_, B>) {
    let norm = call.norm();
    let [input, weight, bias, gamma, beta] = call.inputs(0);
    let device = weight.device();
    with_layer!(call, 2, |layer| {
        let pass = run_norm_train::<B, _>(input, &weight, [&gamma, &beta], layer, norm);
        let [mean, variance] = layer.statistics::<B>(&pass.kept, &bias);
        call.output(0, layer.restore::<B>(pass.output));
        call.output(1, mean);
        call.output(2, variance);
        let Packed { values, bytes } = layer.packed(pass.kept);
        for (at, values) in (3..).zip(values) {
            let shape = vec![values.len()];
            call.output(at, B::from_vec(values, shape, &device));
        }
        call.output_bytes(5, bytes, &device);
    });
}

fn norm_back<B: HostBackend + BackendIr>(call: &mut Call<'_, B>) {
    let (norm, wants_input) = (call.norm(), call.flag(2));
    let [input, weight, gamma, beta] = call.inputs(0);
    let kept = call.inputs::<2>(4);
    let kept = kept.map(|tensor| values::<B>(&tensor).into_owned());
    let bytes = call.bytes(6);
    let output_grad = call.input(7);
    with_layer!(call, 3, |layer| {
        let packed = Packed {
            values: kept,
            bytes,
        };
        let Some(kept) = layer.unpacked(packed) else {
            call.refuse("what was kept is of another layer")
        };
        let passed = Normalized {
            layer,
            norm,
            input: layer.order::<B>(input),
            weight,
            gamma,
            beta,
            kept: std::sync::Arc::new(kept),
        };
        let gradients = B::norm_back(passed, output_grad, wants_input);
        answer(call, gradients);
    });
}

fn infer<B: HostBackend + BackendIr + InferOps>(call: &mut Call<'_, B>) {
    let norm = call.norm();
    let [input, weight, bias, gamma, beta, mean, variance] = call.inputs(0);
    with_layer!(call, 2, |layer| {
        let output = B::norm_infer(
            input, weight, bias, gamma, beta, mean, variance, layer, norm,
        );
        call.output(0, output);
    });
}

fn flatten<B: HostBackend + BackendIr + FlattenOps>(call: &mut Call<'_, B>) {
    let input = call.input(0);
    if input.shape().num_dims() != 4 {
        call.refuse("images have four axes");
    }
    call.output(0, B::flatten_channels_first(input));
}

fn loss<B: HostBackend + BackendIr>(call: &mut Call<'_, B>) {
    let logits = call.input(0);
    let labels = call.numbers(0).into_iter();
    let labels: Vec<u16> = labels.map(|label| label as u16).collect();
    if labels.is_empty() || logits.shape()[0] != labels.len() {
        call.refuse("there is one label for each row");
    }
    let (loss, gradient) = B::loss_pass(logits, labels.into());
    call.output(0, loss);
    call.output(1, gradient);
}

fn adamw<B: HostBackend + BackendIr + OptimOps>(call: &mut Call<'_, B>) {
    let numbers = call.operation.scalars.iter().map(|scalar| match scalar {
        ScalarIr::Float(number) => *number as f32,
        _ => call.refuse("a number is missing"),
    });
    let numbers: Vec<f32> = numbers.collect();
    let Ok(numbers) = numbers.try_into() else {
        call.refuse("a number is missing")
    };
    let [tensor, moment_1, moment_2, grad] = call.inputs(0);
    let (tensor, moment_1, moment_2) = B::adamw(
        tensor,
        grad,
        moment_1,
        moment_2,
        AdamWStep::of_numbers(numbers),
    );
    for (at, tensor) in [tensor, moment_1, moment_2].into_iter().enumerate() {
        call.output(at, tensor);
    }
}
