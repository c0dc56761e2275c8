//! The slice kernels against an `f64` reference, on every instruction set and on any number of threads.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Case, EPSILON, Values, assert_close, cases, config, random, to_f32};
use kernels::{
    Affine, Isa,
    conv::{ConvBlock, Gradients, Normalization, Statistics},
};
use proptest::prelude::*;

/// Everything that one forward and backward pass returns.
#[derive(Debug, PartialEq)]
struct Run {
    output: Vec<f32>,
    input_grad: Vec<f32>,
    gradients: Gradients,
}

fn run(case: &Case, values: &Values, output_grad: &[f64], isa: Isa) -> Run {
    let geometry = case.geometry();
    let block = ConvBlock::on(geometry, isa);
    let (input, weight) = (to_f32(&values.input), to_f32(&values.weight));
    let (scale, shift) = (to_f32(&values.scale), to_f32(&values.shift));
    let output_grad = to_f32(output_grad);
    let outputs = case.batch * geometry.output_len();
    let mut output = vec![f32::NAN; outputs];
    let mut input_grad = vec![f32::NAN; input.len()];
    let gradients = match case.norm {
        Some(statistics) => {
            let norm = Normalization {
                gamma: &scale,
                beta: &shift,
                epsilon: EPSILON,
                relu: case.relu,
                statistics,
            };
            let kept = block.forward_train(&input, &weight, &norm, &mut output).unwrap();
            block
                .backward_train(&input, &weight, &norm, &kept, &output_grad, Some(&mut input_grad))
                .unwrap()
        }
        None => {
            let map = Affine {
                scale: vec![1.0; case.out_channels],
                shift,
                relu: case.relu,
            };
            let mut chosen = vec![0; if case.pool { outputs } else { 0 }];
            block.forward(&input, &weight, &map, &mut output, Some(&mut chosen)).unwrap();
            let relu_output = case.relu.then_some(&output[..]);
            block
                .backward(&input, &weight, relu_output, &chosen, &output_grad, Some(&mut input_grad))
                .unwrap()
        }
    };
    Run {
        output,
        input_grad,
        gradients,
    }
}

/// Compares a run with the reference; gradients at up to 24 places of each tensor.
fn check(case: &Case, isa: Isa) {
    let values = case.values();
    let expected = case.reference(&values);
    let weights = random(expected.len(), case.seed ^ 9);
    let run = run(case, &values, &weights, isa);
    let name = isa.name();
    assert_close(&format!("{name} output"), &run.output, &expected, 2e-5);

    let places = |len: usize| (0..len).step_by(len.div_ceil(24).max(1));
    let compare = |what: &str, actual: &[f32], slope: &dyn Fn(usize) -> f64| {
        let picked: Vec<f32> = places(actual.len()).map(|i| actual[i]).collect();
        let slopes: Vec<f64> = places(actual.len()).map(slope).collect();
        assert_close(&format!("{name} gradient by {what}"), &picked, &slopes, 2e-4);
    };
    compare("input", &run.input_grad, &|i| case.slope(&values, &weights, |v| &mut v.input[i]));
    compare("weight", &run.gradients.weight, &|i| {
        case.slope(&values, &weights, |v| &mut v.weight[i])
    });
    compare("shift", &run.gradients.shift, &|i| case.slope(&values, &weights, |v| &mut v.shift[i]));
    if case.norm.is_some() {
        compare("scale", &run.gradients.scale, &|i| {
            case.slope(&values, &weights, |v| &mut v.scale[i])
        });
    }
}

proptest! {
    #![proptest_config(config(160))]

    #[test]
    fn outputs_and_gradients_match_the_definition_on_every_instruction_set(case in cases()) {
        // One value per channel has no variance: the normalized value is beta whatever the input.
        prop_assume!(case.norm.is_none() || case.batch > 1);
        for isa in Isa::available() {
            check(&case, isa);
        }
    }
}
