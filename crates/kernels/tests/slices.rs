//! The slice kernels against an `f64` reference, on every instruction set and on any number of threads.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Case, EPSILON, Values, assert_close, cases, config, random, to_f32, wide_cases};
use kernels::{
    Affine, Error, Isa, Normalization,
    conv::{ConvBlock, Geometry, Gradients, Statistics},
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
            };
            let kept = block
                .forward_train(&input, &weight, &norm, statistics, &mut output)
                .unwrap();
            block
                .backward_train(
                    &input,
                    &weight,
                    &norm,
                    &kept,
                    &output_grad,
                    Some(&mut input_grad),
                )
                .unwrap()
        }
        None => {
            let map = Affine {
                scale: vec![1.0; case.out_channels],
                shift,
                relu: case.relu,
            };
            let mut chosen = vec![0; if case.pool { outputs } else { 0 }];
            block
                .forward(&input, &weight, &map, &mut output, Some(&mut chosen))
                .unwrap();
            let relu_output = case.relu.then_some(&output[..]);
            block
                .backward(
                    &input,
                    &weight,
                    relu_output,
                    &chosen,
                    &output_grad,
                    Some(&mut input_grad),
                )
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
        assert_close(
            &format!("{name} gradient by {what}"),
            &picked,
            &slopes,
            2e-4,
        );
    };
    compare("input", &run.input_grad, &|i| {
        case.slope(&values, &weights, |v| &mut v.input[i])
    });
    compare("weight", &run.gradients.weight, &|i| {
        case.slope(&values, &weights, |v| &mut v.weight[i])
    });
    compare("shift", &run.gradients.shift, &|i| {
        case.slope(&values, &weights, |v| &mut v.shift[i])
    });
    if case.norm.is_some() {
        compare("scale", &run.gradients.scale, &|i| {
            case.slope(&values, &weights, |v| &mut v.scale[i])
        });
    }
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn outputs_and_gradients_match_the_definition_on_every_instruction_set(case in cases()) {
        // One value per channel has no variance: the normalized value is beta whatever the input.
        prop_assume!(case.norm.is_none() || case.batch > 1);
        for isa in Isa::available() {
            check(&case, isa);
        }
    }
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn wide_blocks_match_the_definition_on_every_instruction_set(case in wide_cases()) {
        prop_assume!(case.norm.is_none() || case.batch > 1);
        for isa in Isa::available() {
            check(&case, isa);
        }
    }
}

/// A block of every kind at sizes that fill several chunks and several register tiles.
fn large_cases() -> Vec<Case> {
    let kinds = [
        (1, 16, 3, 0),
        (3, 17, 7, 3),
        (16, 32, 3, 1),
        (5, 24, 5, 2),
        (24, 10, 2, 0),
    ];
    let norms = [None, Some(Statistics::Conv), Some(Statistics::Pooled)];
    let mut cases = Vec::new();
    for (in_channels, out_channels, kernel, padding) in kinds {
        for norm in norms {
            for pool in [false, true] {
                cases.push(Case {
                    batch: 70,
                    height: 13,
                    width: 15,
                    in_channels,
                    out_channels,
                    kernel,
                    padding,
                    pool,
                    relu: true,
                    norm,
                    seed: 5,
                });
            }
        }
    }
    cases
}

#[test]
fn results_are_the_same_bits_on_any_number_of_threads() {
    for case in large_cases() {
        let values = case.values();
        let weights = random(case.batch * case.geometry().output_len(), 11);
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
fn instruction_sets_agree_on_large_blocks() {
    for case in large_cases() {
        let values = case.values();
        let weights = random(case.batch * case.geometry().output_len(), 11);
        let expected = run(&case, &values, &weights, Isa::available()[0]);
        let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        for isa in Isa::available() {
            let actual = run(&case, &values, &weights, isa);
            let name = |what: &str| format!("{what} on {} of {case:?}", isa.name());
            assert_close(
                &name("output"),
                &actual.output,
                &wide(&expected.output),
                2e-5,
            );
            let (own, all) = (&actual.gradients, &expected.gradients);
            assert_close(&name("weight"), &own.weight, &wide(&all.weight), 2e-4);
            assert_close(&name("shift"), &own.shift, &wide(&all.shift), 2e-4);
            assert_close(&name("scale"), &own.scale, &wide(&all.scale), 2e-4);
            assert_close(
                &name("input"),
                &actual.input_grad,
                &wide(&expected.input_grad),
                2e-4,
            );
        }
    }
}

#[test]
fn a_nan_in_the_input_reaches_every_output_that_sees_it() {
    for isa in Isa::available() {
        for place in 0..4 {
            // Four windows; the NaN lies in the first one, at each of its positions.
            let geometry = Geometry::new([4, 4, 1], 3, 1, 0, true).unwrap();
            let mut input = vec![1.0; 16];
            input[place / 2 * 4 + place % 2] = f32::NAN;
            let map = Affine {
                scale: vec![1.0; 3],
                shift: vec![0.0; 3],
                relu: true,
            };
            let mut output = vec![0.0; 12];
            let block = ConvBlock::on(geometry, isa);
            block
                .forward(&input, &[1.0, -1.0, 0.5], &map, &mut output, None)
                .unwrap();
            assert!(
                output[..3].iter().all(|v| v.is_nan()),
                "{} {output:?}",
                isa.name()
            );
            assert!(
                output[3..].iter().all(|v| !v.is_nan()),
                "{} {output:?}",
                isa.name()
            );
        }
    }
}

#[test]
fn a_nan_in_the_input_reaches_the_whole_channel_of_a_normalization() {
    for isa in Isa::available() {
        for statistics in [Statistics::Conv, Statistics::Pooled] {
            let geometry = Geometry::new([4, 4, 1], 2, 1, 0, true).unwrap();
            let mut input = vec![1.0; 16];
            input[5] = f32::NAN;
            let norm = Normalization {
                gamma: &[1.0, -1.0],
                beta: &[0.0, 0.0],
                epsilon: EPSILON,
                relu: true,
            };
            let mut output = vec![0.0; 8];
            let block = ConvBlock::on(geometry, isa);
            block
                .forward_train(&input, &[1.0, 1.0], &norm, statistics, &mut output)
                .unwrap();
            assert!(
                output.iter().all(|v| v.is_nan()),
                "{} {output:?}",
                isa.name()
            );
        }
    }
}

#[test]
fn the_first_of_equal_values_gets_the_gradient() {
    for isa in Isa::available() {
        let geometry = Geometry::new([2, 2, 1], 1, 1, 0, true).unwrap();
        let block = ConvBlock::on(geometry, isa);
        let mut input_grad = vec![0.0; 4];
        let map = Affine {
            scale: vec![1.0],
            shift: vec![0.0],
            relu: false,
        };
        let (mut output, mut chosen) = (vec![0.0], vec![9]);
        block
            .forward(
                &[1.0, 2.0, 2.0, 2.0],
                &[1.0],
                &map,
                &mut output,
                Some(&mut chosen),
            )
            .unwrap();
        block
            .backward(
                &[1.0, 2.0, 2.0, 2.0],
                &[1.0],
                None,
                &chosen,
                &[3.0],
                Some(&mut input_grad),
            )
            .unwrap();
        assert_eq!((output, chosen), (vec![2.0], vec![1]));
        assert_eq!(input_grad, [0.0, 3.0, 0.0, 0.0]);
    }
}

#[test]
fn impossible_sizes_are_refused() {
    for (size, out, kernel, padding, pool) in [
        ([0, 4, 1], 1, 1, 0, false),
        ([4, 4, 0], 1, 1, 0, false),
        ([4, 4, 1], 0, 1, 0, false),
        ([4, 4, 1], 1, 0, 0, false),
        ([4, 4, 1], 1, 5, 0, false),
        ([4, 4, 1], 1, 4, 0, true),
    ] {
        let error = Geometry::new(size, out, kernel, padding, pool).unwrap_err();
        assert!(matches!(error, Error::Geometry { .. }), "{error}");
    }
    assert!(Geometry::new([4, 4, 1], 1, 5, 1, true).is_ok());
}

#[test]
fn slices_of_the_wrong_length_are_refused() {
    let geometry = Geometry::new([4, 4, 1], 1, 3, 0, false).unwrap();
    let block = ConvBlock::new(geometry);
    let map = Affine {
        scale: vec![1.0],
        shift: vec![0.0],
        relu: false,
    };
    let refused = |input: usize, weight: usize, output: usize| {
        let mut output = vec![0.0; output];
        match block.forward(
            &vec![0.0; input],
            &vec![0.0; weight],
            &map,
            &mut output,
            None,
        ) {
            Err(Error::Length { name, .. }) => name,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(15, 9, 4), "input");
    assert_eq!(refused(16, 8, 4), "weight");
    assert_eq!(refused(16, 9, 5), "output");
}
