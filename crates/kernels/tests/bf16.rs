//! Products in bf16: the slice kernels against a reference that rounds what goes into products.

#![allow(clippy::unwrap_used, clippy::expect_used, deprecated)]

mod common;

use common::{Case, EPSILON, Values, assert_close, cases, config, random, to_f32};
use kernels::{
    Affine, Error, Isa, Normalization, Precision,
    conv::{ConvBlock, Gradients, Statistics},
    dense::Dense,
};
use proptest::prelude::*;

/// The instruction set with products in bf16, where this processor has it.
fn bf16() -> Option<Isa> {
    Precision::bf16().ok().map(Isa::best_for)
}

/// The nearest bf16 value, ties to even.
fn round(value: f64) -> f64 {
    let bits = (value as f32).to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) & 0xffff_0000;
    f64::from(f32::from_bits(rounded))
}

fn rounded(values: &[f64]) -> Vec<f64> {
    values.iter().copied().map(round).collect()
}

/// Whole numbers from -8 to 8, which bf16 holds, and whose sums of products `f32` holds.
fn whole(len: usize, seed: u64) -> Vec<f64> {
    let values = random(len, seed);
    values.into_iter().map(|v| (8.0 * v).round()).collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// What a convolution alone and its gradients are.
#[derive(Debug, PartialEq)]
struct Run {
    output: Vec<f32>,
    input_grad: Vec<f32>,
    gradients: Gradients,
}

fn run(case: &Case, values: &Values, output_grad: &[f64], isa: Isa) -> Run {
    let block = ConvBlock::on(case.geometry(), isa);
    let (input, weight) = (to_f32(&values.input), to_f32(&values.weight));
    let output_grad = to_f32(output_grad);
    let mut output = vec![f32::NAN; output_grad.len()];
    let mut input_grad = vec![f32::NAN; input.len()];
    let gradients = match case.norm {
        None => {
            let map = Affine {
                scale: vec![1.0; case.out_channels],
                shift: vec![0.0; case.out_channels],
                relu: false,
            };
            let mut chosen = vec![0; if case.pool { output.len() } else { 0 }];
            block
                .forward(&input, &weight, &map, &mut output, Some(&mut chosen))
                .unwrap();
            let to = Some(&mut input_grad[..]);
            block
                .backward(&input, &weight, None, &chosen, &output_grad, to)
                .unwrap()
        }
        Some(statistics) => {
            let (gamma, beta) = (to_f32(&values.scale), to_f32(&values.shift));
            let norm = Normalization {
                gamma: &gamma,
                beta: &beta,
                epsilon: EPSILON,
                relu: case.relu,
            };
            let kept = block
                .forward_train(&input, &weight, &norm, statistics, &mut output)
                .unwrap();
            let to = Some(&mut input_grad[..]);
            block
                .backward_train(&input, &weight, &norm, &kept, &output_grad, to)
                .unwrap()
        }
    };
    Run {
        output,
        input_grad,
        gradients,
    }
}

/// The weight gradient where nobody asks for that of the input.
fn weight_grad_alone(case: &Case, values: &Values, output_grad: &[f64], isa: Isa) -> Vec<f32> {
    let block = ConvBlock::on(case.geometry(), isa);
    let (input, weight) = (to_f32(&values.input), to_f32(&values.weight));
    let map = Affine {
        scale: vec![1.0; case.out_channels],
        shift: vec![0.0; case.out_channels],
        relu: false,
    };
    let mut output = vec![f32::NAN; output_grad.len()];
    let mut chosen = vec![0; if case.pool { output.len() } else { 0 }];
    block
        .forward(&input, &weight, &map, &mut output, Some(&mut chosen))
        .unwrap();
    let gradients = block.backward(&input, &weight, None, &chosen, &to_f32(output_grad), None);
    gradients.unwrap().weight
}

fn dense(isa: Isa, [batch, inputs, outputs]: [usize; 3], values: [&[f64]; 3]) -> Run {
    let layer = Dense::on(inputs, outputs, isa).unwrap();
    let [input, weight, output_grad] = values.map(to_f32);
    let map = Affine {
        scale: vec![1.0; outputs],
        shift: vec![0.0; outputs],
        relu: false,
    };
    let mut output = vec![f32::NAN; batch * outputs];
    let mut input_grad = vec![f32::NAN; batch * inputs];
    layer.forward(&input, &weight, &map, &mut output).unwrap();
    let to = Some(&mut input_grad[..]);
    let gradients = layer.backward(&input, &weight, None, &output_grad, to);
    Run {
        output,
        input_grad,
        gradients: gradients.unwrap(),
    }
}

/// A convolution without anything after it.
fn alone(case: Case) -> Case {
    Case {
        pool: false,
        norm: None,
        relu: false,
        ..case
    }
}

/// Every channel count that is worth a product in bf16, odd ones too.
fn shapes() -> impl Strategy<Value = Case> {
    let channels = || prop::sample::select(vec![2usize, 6, 16, 17, 24, 32, 33, 48]);
    (cases(), channels(), channels()).prop_map(|(case, in_channels, out_channels)| {
        alone(Case {
            in_channels,
            out_channels,
            ..case
        })
    })
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn what_goes_into_a_product_is_rounded_and_the_sum_is_not(case in shapes()) {
        let Some(isa) = bf16() else { return Ok(()) };
        let values = case.values();
        let grads = random(case.batch * case.geometry().output_len(), case.seed ^ 9);
        let run = run(&case, &values, &grads, isa);
        let exact = Values {
            input: rounded(&values.input),
            weight: rounded(&values.weight),
            shift: vec![0.0; case.out_channels],
            scale: vec![1.0; case.out_channels],
        };
        assert_close("output", &run.output, &case.reference(&exact), 1e-5);

        // The gradients are linear in what they multiply, so the reference in f32 has the same of rounded values.
        let grads = rounded(&grads);
        let expected = self::run(&case, &exact, &grads, Isa::best());
        assert_close("weight", &run.gradients.weight, &wide(&expected.gradients.weight), 1e-5);
        assert_close("input", &run.input_grad, &wide(&expected.input_grad), 1e-5);
    }

    #[test]
    fn whole_numbers_give_the_same_bits_as_in_f32(case in cases()) {
        let Some(isa) = bf16() else { return Ok(()) };
        let case = Case { norm: None, relu: false, ..case };
        let geometry = case.geometry();
        let values = Values {
            input: whole(case.batch * geometry.input_len(), case.seed),
            weight: whole(geometry.weight_len(), case.seed ^ 1),
            shift: vec![0.0; case.out_channels],
            scale: vec![1.0; case.out_channels],
        };
        let grads = whole(case.batch * geometry.output_len(), case.seed ^ 2);
        let expected = run(&case, &values, &grads, Isa::best());
        prop_assert_eq!(&run(&case, &values, &grads, isa), &expected);
        // As of a first layer.
        prop_assert_eq!(weight_grad_alone(&case, &values, &grads, isa), expected.gradients.weight);
    }

    #[test]
    fn whole_numbers_give_the_same_bits_in_dense_layers(
        sizes in [1usize..70, 1usize..140, 1usize..140],
        seed in any::<u64>(),
    ) {
        let Some(isa) = bf16() else { return Ok(()) };
        let [batch, inputs, outputs] = sizes;
        let input = whole(batch * inputs, seed);
        let weight = whole(inputs * outputs, seed ^ 1);
        let grads = whole(batch * outputs, seed ^ 2);
        let values = [&input[..], &weight, &grads];
        prop_assert_eq!(dense(isa, sizes, values), dense(Isa::best(), sizes, values));
    }
}

#[test]
fn dense_layers_round_what_goes_into_a_product() {
    let Some(isa) = bf16() else { return };
    for sizes in [[128, 800, 128], [37, 33, 50], [1, 1, 1]] {
        let [batch, inputs, outputs] = sizes;
        let input = random(batch * inputs, 1);
        let weight = random(inputs * outputs, 2);
        let grads = random(batch * outputs, 3);
        let run = dense(isa, sizes, [&input, &weight, &grads]);
        let [input, weight, grads] = [&input, &weight, &grads].map(|values| rounded(values));
        let expected = dense(Isa::best(), sizes, [&input, &weight, &grads]);
        assert_close("output", &run.output, &wide(&expected.output), 1e-5);
        let (own, all) = (&run.gradients, &expected.gradients);
        assert_close("weight", &own.weight, &wide(&all.weight), 1e-5);
        assert_close("input", &run.input_grad, &wide(&expected.input_grad), 1e-5);
    }
}

/// A block of every kind, large enough for several chunks and several tiles.
fn blocks() -> Vec<Case> {
    let norms = [None, Some(Statistics::Conv), Some(Statistics::Pooled)];
    let mut blocks = Vec::new();
    for (in_channels, out_channels, kernel, padding) in
        [(16, 32, 3, 1), (17, 33, 3, 0), (2, 16, 5, 2), (1, 16, 3, 0)]
    {
        for norm in norms {
            for pool in [false, true] {
                blocks.push(Case {
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
    blocks
}

#[test]
fn results_are_the_same_bits_on_any_number_of_threads() {
    let Some(isa) = bf16() else { return };
    let (input, weight, grads) = (random(70 * 99, 1), random(99 * 50, 2), random(70 * 50, 3));
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let mut runs = vec![dense(isa, [70, 99, 50], [&input, &weight, &grads])];
            for case in blocks() {
                let grads = random(case.batch * case.geometry().output_len(), 11);
                runs.push(run(&case, &case.values(), &grads, isa));
            }
            runs
        })
    };
    let expected = on(1);
    for threads in [2, 3] {
        assert_eq!(on(threads), expected, "{threads} threads");
    }
}

#[test]
fn blocks_are_those_of_f32_but_for_what_rounding_leaves() {
    let Some(isa) = bf16() else { return };
    for case in blocks() {
        // Rounding may open a ReLU, and make another value of a pool's window the greatest.
        let case = Case {
            relu: false,
            ..case
        };
        let values = case.values();
        let grads = random(case.batch * case.geometry().output_len(), 11);
        let [own, all] = [isa, Isa::best()].map(|isa| run(&case, &values, &grads, isa));
        let name = |what: &str| format!("{what} of {case:?}");
        assert_close(&name("output"), &own.output, &wide(&all.output), 0.02);
        let (gradients, expected) = (&own.gradients, &all.gradients);
        if !case.pool {
            let (weight, shift) = (wide(&expected.weight), wide(&expected.shift));
            assert_close(&name("weight"), &gradients.weight, &weight, 0.02);
            assert_close(&name("shift"), &gradients.shift, &shift, 0.02);
            assert_close(
                &name("input"),
                &own.input_grad,
                &wide(&all.input_grad),
                0.05,
            );
        }
    }
}

#[test]
fn what_is_not_finite_reaches_what_it_reaches_in_f32() {
    let Some(isa) = bf16() else { return };
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let case = alone(blocks().swap_remove(0));
        let mut values = case.values();
        let grads = random(case.batch * case.geometry().output_len(), 11);
        values.input[500] = bad;
        let [own, all] = [isa, Isa::best()].map(|isa| run(&case, &values, &grads, isa));
        for (own, all) in own.output.iter().zip(&all.output) {
            assert_eq!(own.is_finite(), all.is_finite(), "{bad}: {own} and {all}");
        }
        let lost = |gradients: &Gradients| gradients.weight.iter().all(|v| v.is_finite());
        assert!(!lost(&own.gradients) && !lost(&all.gradients), "{bad}");
    }
}

#[test]
fn what_bf16_cannot_hold_is_zero_or_infinite() {
    let Some(isa) = bf16() else { return };
    let product = |value: f64| {
        let values: [&[f64]; 3] = [&[value, 0.0], &[1.0, 1.0], &[0.0]];
        dense(isa, [1, 2, 1], values).output[0]
    };
    // The greatest f32 lies nearer to where the next bf16 value would be.
    assert_eq!(product(f64::from(f32::MAX)), f32::INFINITY);
    assert_eq!(product(1e-40), 0.0);
    // Between 1 and 1 + 1/128: ties go to the even one.
    assert_eq!(product(1.0 + 1.0 / 256.0), 1.0);
    assert_eq!(product(1.0 + 3.0 / 256.0), 1.0 + 2.0 / 128.0);
}

#[test]
fn bf16_is_there_where_the_processor_has_it_and_else_refused() {
    #[cfg(target_arch = "x86_64")]
    let has = std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    let has = false;
    match Precision::bf16() {
        Ok(precision) => {
            assert!(has);
            assert_eq!(precision.to_string(), "bf16");
        }
        Err(error) => {
            assert!(!has);
            assert_eq!(error, Error::Bf16);
            assert!(error.to_string().contains("AVX-512 BF16"), "{error}");
        }
    }
}
