//! Dense layers: the slice kernels against an `f64` reference, and the Burn operation against Burn's own.

#![allow(clippy::unwrap_used, clippy::expect_used, deprecated)]

mod common;

use burn::{
    module::Module,
    nn::{BatchNorm, Linear, LinearConfig},
    tensor::{DType, Device, Tensor, activation::relu},
};
use common::{EPSILON, assert_close, batch_norm, config, devices, list, random, tensor, to_f32};
use kernels::{Affine, Error, Isa, Normalization, conv::Gradients, dense::Dense, dense_block};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Case {
    batch: usize,
    inputs: usize,
    outputs: usize,
    relu: bool,
    norm: bool,
    seed: u64,
}

#[derive(Clone, Debug)]
struct Values {
    input: Vec<f64>,
    weight: Vec<f64>,
    shift: Vec<f64>,
    scale: Vec<f64>,
}

fn cases() -> impl Strategy<Value = Case> {
    let size = || prop_oneof![Just(1usize), 1usize..12, Just(16), Just(32), 1usize..70];
    (1usize..50, size(), size(), any::<(bool, bool, u64)>()).prop_map(
        |(batch, inputs, outputs, (relu, norm, seed))| Case {
            batch,
            inputs,
            outputs,
            relu,
            norm,
            seed,
        },
    )
}

impl Case {
    fn values(&self) -> Values {
        Values {
            input: random(self.batch * self.inputs, self.seed),
            weight: random(self.inputs * self.outputs, self.seed ^ 1),
            shift: random(self.outputs, self.seed ^ 2),
            scale: random(self.outputs, self.seed ^ 3),
        }
    }

    fn reference(&self, values: &Values) -> Vec<f64> {
        let mut result = vec![0.0; self.batch * self.outputs];
        for o in 0..self.outputs {
            let column: Vec<f64> = (0..self.batch)
                .map(|n| {
                    (0..self.inputs)
                        .map(|i| {
                            values.input[n * self.inputs + i] * values.weight[i * self.outputs + o]
                        })
                        .sum()
                })
                .collect();
            let mean = column.iter().sum::<f64>() / self.batch as f64;
            let variance =
                column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / self.batch as f64;
            for (n, value) in column.into_iter().enumerate() {
                let value = if self.norm {
                    values.scale[o] * (value - mean) / (variance + EPSILON).sqrt()
                } else {
                    value
                };
                let value = value + values.shift[o];
                result[n * self.outputs + o] = if self.relu { value.max(0.0) } else { value };
            }
        }
        result
    }

    /// The derivative of `sum(output * weights)` by one value, by central differences.
    fn slope(&self, values: &Values, weights: &[f64], at: impl Fn(&mut Values) -> &mut f64) -> f64 {
        let step = 1e-6;
        let loss = |by: f64| {
            let mut moved = values.clone();
            *at(&mut moved) += by;
            let output = self.reference(&moved);
            output.iter().zip(weights).map(|(o, w)| o * w).sum::<f64>()
        };
        (loss(step) - loss(-step)) / (2.0 * step)
    }
}

#[derive(Debug, PartialEq)]
struct Run {
    output: Vec<f32>,
    input_grad: Vec<f32>,
    gradients: Gradients,
}

fn run(case: &Case, values: &Values, output_grad: &[f64], isa: Isa) -> Run {
    let layer = Dense::on(case.inputs, case.outputs, isa).unwrap();
    let (input, weight) = (to_f32(&values.input), to_f32(&values.weight));
    let (scale, shift) = (to_f32(&values.scale), to_f32(&values.shift));
    let output_grad = to_f32(output_grad);
    let mut output = vec![f32::NAN; output_grad.len()];
    let mut input_grad = vec![f32::NAN; input.len()];
    let gradients = if case.norm {
        let norm = Normalization {
            gamma: &scale,
            beta: &shift,
            epsilon: EPSILON,
            relu: case.relu,
        };
        let kept = layer
            .forward_train(&input, &weight, &norm, &mut output)
            .unwrap();
        layer
            .backward_train(
                &input,
                &weight,
                &norm,
                &kept,
                &output_grad,
                Some(&mut input_grad),
            )
            .unwrap()
    } else {
        let map = Affine {
            scale: vec![1.0; case.outputs],
            shift,
            relu: case.relu,
        };
        layer.forward(&input, &weight, &map, &mut output).unwrap();
        let relu_output = case.relu.then_some(&output[..]);
        layer
            .backward(
                &input,
                &weight,
                relu_output,
                &output_grad,
                Some(&mut input_grad),
            )
            .unwrap()
    };
    Run {
        output,
        input_grad,
        gradients,
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn outputs_and_gradients_match_the_definition_on_every_instruction_set(case in cases()) {
        // One row has no variance: the normalized value is beta whatever the input.
        prop_assume!(!case.norm || case.batch > 2);
        let values = case.values();
        let expected = case.reference(&values);
        let weights = random(expected.len(), case.seed ^ 9);
        for isa in Isa::available() {
            let run = run(&case, &values, &weights, isa);
            let name = isa.name();
            assert_close(&format!("{name} output"), &run.output, &expected, 2e-5);
            let compare = |what: &str, actual: &[f32], slope: &dyn Fn(usize) -> f64| {
                let places = || (0..actual.len()).step_by(actual.len().div_ceil(24).max(1));
                let picked: Vec<f32> = places().map(|i| actual[i]).collect();
                let slopes: Vec<f64> = places().map(slope).collect();
                assert_close(&format!("{name} gradient by {what}"), &picked, &slopes, 5e-4);
            };
            let gradients = &run.gradients;
            compare("input", &run.input_grad, &|i| case.slope(&values, &weights, |v| &mut v.input[i]));
            compare("weight", &gradients.weight, &|i| case.slope(&values, &weights, |v| &mut v.weight[i]));
            compare("shift", &gradients.shift, &|i| case.slope(&values, &weights, |v| &mut v.shift[i]));
            if case.norm {
                compare("scale", &gradients.scale, &|i| case.slope(&values, &weights, |v| &mut v.scale[i]));
            }
        }
    }
}

#[test]
fn results_are_the_same_bits_on_any_number_of_threads() {
    for (norm, outputs) in [(false, 128), (true, 128), (true, 10)] {
        let case = Case {
            batch: 130,
            inputs: 200,
            outputs,
            relu: true,
            norm,
            seed: 4,
        };
        let values = case.values();
        let weights = random(case.batch * case.outputs, 11);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| run(&case, &values, &weights, Isa::best()))
        };
        let expected = on(1);
        for threads in [2, 3, 4] {
            assert_eq!(on(threads), expected, "{case:?} on {threads} threads");
        }
    }
}

#[test]
fn impossible_sizes_and_lengths_are_refused() {
    assert!(matches!(Dense::new(0, 3), Err(Error::Dense { .. })));
    assert!(matches!(Dense::new(3, 0), Err(Error::Dense { .. })));
    let layer = Dense::new(3, 2).unwrap();
    let map = Affine {
        scale: vec![1.0; 2],
        shift: vec![0.0; 2],
        relu: false,
    };
    let refused = |input: usize, weight: usize, output: usize| match layer.forward(
        &vec![0.0; input],
        &vec![0.0; weight],
        &map,
        &mut vec![0.0; output],
    ) {
        Err(Error::Length { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(7, 6, 4), "input");
    assert_eq!(refused(6, 5, 4), "weight");
    assert_eq!(refused(6, 6, 3), "output");
}

fn layers(case: &Case, device: &Device, dtype: DType) -> (Linear, Option<BatchNorm>) {
    let values = case.values();
    let mut linear = LinearConfig::new(case.inputs, case.outputs).init(device);
    let weight = tensor(&values.weight, [case.inputs, case.outputs], device).cast(dtype);
    linear.weight = linear.weight.map(|_| weight.require_grad());
    let bias = tensor(&values.shift, [case.outputs], device).cast(dtype);
    linear.bias = linear.bias.map(|old| old.map(|_| bias.require_grad()));
    let norm = case
        .norm
        .then(|| batch_norm(&values.scale, &random(case.outputs, 7), device, dtype));
    (linear, norm)
}

fn stock(x: Tensor<2>, linear: &Linear, norm: Option<&BatchNorm>, with_relu: bool) -> Tensor<2> {
    let x = linear.forward(x);
    let x = norm.map_or(x.clone(), |norm| norm.forward(x));
    if with_relu { relu(x) } else { x }
}

/// Compares a training step and inference with Burn's own operations in `f64`.
fn check_operation(case: &Case) {
    for device in devices() {
        let device = device.autodiff();
        let [own, stock] = [DType::F32, DType::F64].map(|dtype| {
            let (linear, norm) = layers(case, &device, dtype);
            let x = tensor(&case.values().input, [case.batch, case.inputs], &device)
                .cast(dtype)
                .require_grad();
            let forward = |x: Tensor<2>, linear: &Linear, norm: Option<&BatchNorm>| {
                if dtype == DType::F32 {
                    dense_block(x, linear, norm, case.relu)
                } else {
                    stock(x, linear, norm, case.relu)
                }
            };
            let y = forward(x.clone(), &linear, norm.as_ref());
            let weights = random(case.batch * case.outputs, 9);
            let weights = tensor(&weights, y.dims(), &device).cast(dtype);
            let grads = (y.clone() * weights).sum().backward();
            let bias = linear.bias.as_ref().unwrap().val();
            let mut lists = vec![
                ("output", list(y.inner())),
                ("input", list(x.grad(&grads).unwrap())),
                ("weight", list(linear.weight.val().grad(&grads).unwrap())),
                ("bias", list(bias.grad(&grads).unwrap())),
            ];
            if let Some(norm) = &norm {
                let [mean, variance] = [&norm.running_mean, &norm.running_var]
                    .map(|statistics| statistics.value_sync().inner());
                lists.extend([
                    ("gamma", list(norm.gamma.val().grad(&grads).unwrap())),
                    ("beta", list(norm.beta.val().grad(&grads).unwrap())),
                    ("running mean", list(mean)),
                    ("running variance", list(variance)),
                ]);
            }
            let norm = norm.map(|norm| norm.valid());
            let y = forward(x.inner(), &linear.valid(), norm.as_ref());
            lists.push(("inference", list(y)));
            lists
        });
        for ((name, own), (_, stock)) in own.into_iter().zip(stock) {
            assert_close(&format!("{name} of {case:?}"), &to_f32(&own), &stock, 2e-4);
        }
    }
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn the_operation_trains_and_infers_like_burns_own(case in cases()) {
        prop_assume!(!case.norm || case.batch > 2);
        check_operation(&case);
    }
}

#[test]
fn any_number_of_outputs_trains_and_infers_like_burns_own() {
    for (outputs, norm) in [
        (2, false),
        (26, false),
        (47, true),
        (1000, false),
        (1000, true),
    ] {
        check_operation(&Case {
            batch: 45,
            inputs: 130,
            outputs,
            relu: norm,
            norm,
            seed: 8,
        });
    }
}
