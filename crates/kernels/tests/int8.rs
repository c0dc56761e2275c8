//! The forward pass on bytes is, to the last bit, what its definition in plain numbers gives, and close to the one in
//! `f32`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{config, random};
use kernels::{
    Affine, Error,
    inference::{Forward, Found, Layers, Precision},
};
use proptest::prelude::*;

/// A convolution block.
#[derive(Clone, Copy, Debug)]
struct Block {
    channels: usize,
    kernel: usize,
    padding: usize,
    pool: bool,
}

#[derive(Clone, Debug)]
struct Case {
    /// Height, width, channels.
    size: [usize; 3],
    blocks: Vec<Block>,
    dense: Vec<usize>,
    seed: u64,
}

/// What a layer has: a weight in Burn's order, and a map.
struct Parameters {
    weight: Vec<f32>,
    map: Affine,
}

/// The blocks of a case that leave something, and the parameters of all layers.
struct Network {
    size: [usize; 3],
    tables: Vec<[f32; 256]>,
    blocks: Vec<(Block, [usize; 3], Parameters)>,
    dense: Vec<Parameters>,
}

fn cases() -> impl Strategy<Value = Case> {
    let channels = prop_oneof![1usize..9, Just(16usize), Just(32), 1usize..40];
    let block = (channels, 1usize..6, 0usize..5, any::<bool>());
    let block = block.prop_map(|(channels, kernel, padding, pool)| Block {
        channels,
        kernel,
        padding: padding.min(kernel - 1),
        pool,
    });
    (
        (1usize..15, 1usize..15, prop_oneof![Just(1usize), 1usize..4]),
        prop::collection::vec(block, 0..4),
        prop::collection::vec(1usize..140, 1..4),
        any::<u64>(),
    )
        .prop_map(|((height, width, channels), blocks, dense, seed)| Case {
            size: [height, width, channels],
            blocks,
            dense,
            seed,
        })
}

impl Case {
    fn network(&self) -> Network {
        let mut seed = self.seed;
        let mut next = |len: usize, scale: f64| -> Vec<f32> {
            seed = seed.wrapping_add(1);
            random(len, seed)
                .iter()
                .map(|value| (scale * value) as f32)
                .collect()
        };
        let mut parameters = |inputs: usize, outputs: usize, relu: bool| Parameters {
            weight: next(inputs * outputs, (6.0 / inputs as f64).sqrt()),
            map: Affine {
                scale: next(outputs, 1.5),
                shift: next(outputs, 0.5),
                relu,
            },
        };
        let mut size = self.size;
        let tables = (0..size[2])
            .map(|c| std::array::from_fn(|b| ((b as f64 / 255.0 - 0.2 * c as f64) / 0.3) as f32))
            .collect();
        let mut blocks = Vec::new();
        for &block in &self.blocks {
            let [height, width, channels] = size;
            let after = |size: usize| {
                let convolved = (size + 2 * block.padding + 1).saturating_sub(block.kernel);
                convolved / if block.pool { 2 } else { 1 }
            };
            if after(height) > 0 && after(width) > 0 {
                let inputs = channels * block.kernel * block.kernel;
                blocks.push((block, size, parameters(inputs, block.channels, true)));
                size = [after(height), after(width), block.channels];
            }
        }
        let mut inputs = size.iter().product();
        let mut dense = Vec::new();
        for (i, &outputs) in self.dense.iter().enumerate() {
            dense.push(parameters(inputs, outputs, i + 1 < self.dense.len()));
            inputs = outputs;
        }
        Network {
            size: self.size,
            tables,
            blocks,
            dense,
        }
    }

    fn images(&self, count: usize) -> Vec<u8> {
        let values = random(count * self.size.iter().product::<usize>(), self.seed ^ 77);
        values
            .iter()
            .map(|value| (300.0 * value).clamp(0.0, 255.0) as u8)
            .collect()
    }
}

impl Network {
    fn layers(&self) -> Layers {
        let [height, width, _] = self.size;
        let mut layers = Layers::new(height, width, self.tables.clone());
        for (block, _, Parameters { weight, map }) in &self.blocks {
            let sizes = [block.kernel, block.padding];
            layers = layers.conv(weight, sizes, block.pool, map.clone()).unwrap();
        }
        for Parameters { weight, map } in &self.dense {
            layers = layers.dense(weight, map.clone()).unwrap();
        }
        layers
    }

    /// The forward pass on bytes as it is defined, for one image.
    fn by_definition(&self, image: &[u8]) -> Found {
        let [height, width, channels] = self.size;
        let mut lines = Some(
            self.tables
                .iter()
                .map(|table| {
                    let start = f64::from(table[0]);
                    [(f64::from(table[255]) - start) / 255.0, start]
                })
                .collect::<Vec<_>>(),
        );
        let last_first = |bytes: &dyn Fn(usize, usize) -> u8| -> Vec<u8> {
            let pixels =
                (0..height * width).flat_map(|pixel| (0..channels).map(move |c| (c, pixel)));
            pixels.map(|(c, pixel)| bytes(c, pixel)).collect()
        };
        let mut bytes = last_first(&|c, pixel| image[c * height * width + pixel]);
        let mut values: Vec<f32> = bytes
            .iter()
            .enumerate()
            .map(|(i, byte)| self.tables[i % channels][usize::from(*byte)])
            .collect();
        let mut step = 1.0;
        let mut border: Vec<u8> = self
            .tables
            .iter()
            .map(|table| {
                (0..=255u8)
                    .min_by(|a, b| {
                        table[usize::from(*a)]
                            .abs()
                            .total_cmp(&table[usize::from(*b)].abs())
                    })
                    .unwrap()
            })
            .collect();
        let mut seen = self.size;
        for (block, size, parameters) in &self.blocks {
            let area = block.kernel * block.kernel;
            let filters = quantized(
                parameters,
                lines.take().as_deref(),
                size[2] * area,
                false,
                |i| i / area,
            );
            values = convolve(block, *size, &bytes, &border, step, &filters);
            (step, bytes) = as_bytes(&values);
            border = vec![0; block.channels];
            let [rows, columns] = [size[0], size[1]].map(|s| {
                (s + 2 * block.padding + 1 - block.kernel) / if block.pool { 2 } else { 1 }
            });
            seen = [rows, columns, block.channels];
        }
        let positions = seen[0] * seen[1];
        let means = (0..seen[2])
            .map(|c| {
                let sum = (0..positions).fold(0.0, |sum: f32, at| sum + values[at * seen[2] + c]);
                sum / positions as f32
            })
            .collect();
        let (last, hidden) = self.dense.split_last().unwrap();
        // The first dense layer's inputs are numbered with the channels first.
        let mut place: Box<dyn Fn(usize) -> usize> =
            Box::new(move |i| i % seen[2] * positions + i / seen[2]);
        for (layer, parameters) in hidden.iter().enumerate() {
            let alike = if layer == 0 { seen[2] } else { 1 };
            let outputs = parameters.map.scale.len();
            let inputs = values.len();
            let ordered = Parameters {
                weight: (0..inputs)
                    .flat_map(|i| parameters.weight[place(i) * outputs..][..outputs].to_vec())
                    .collect(),
                map: parameters.map.clone(),
            };
            let filters = quantized(&ordered, lines.take().as_deref(), inputs, true, |i| {
                i % alike
            });
            values = filters
                .iter()
                .map(|filter| {
                    let sum = filter
                        .weights
                        .iter()
                        .zip(&bytes)
                        .map(|(w, b)| i32::from(*w) * i32::from(*b))
                        .sum();
                    filter.value(sum, step)
                })
                .collect();
            (step, bytes) = as_bytes(&values);
            place = Box::new(|i| i);
        }
        let outputs = last.map.scale.len();
        let outputs = (0..outputs)
            .map(|output| {
                let mut sums = [0.0f32; 4];
                for (i, value) in values.iter().enumerate() {
                    sums[i % 4] =
                        value.mul_add(last.weight[place(i) * outputs + output], sums[i % 4]);
                }
                let sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
                sum.mul_add(last.map.scale[output], last.map.shift[output])
            })
            .collect();
        Found { outputs, means }
    }
}

/// Weights of one output as bytes, and what their sum becomes.
struct Filter {
    weights: Vec<i8>,
    scale: f32,
    shift: f32,
}

impl Filter {
    fn value(&self, sum: i32, step: f32) -> f32 {
        (sum as f32).mul_add(self.scale * step, self.shift).max(0.0)
    }
}

/// The filters of a layer: a step for each output, with what bytes of an image stand for in the first.
fn quantized(
    parameters: &Parameters,
    lines: Option<&[[f64; 2]]>,
    inputs: usize,
    transposed: bool,
    channel_of: impl Fn(usize) -> usize,
) -> Vec<Filter> {
    let map = &parameters.map;
    let outputs = map.scale.len();
    let filter = |output: usize| {
        let weight = |input: usize| match transposed {
            true => f64::from(parameters.weight[input * outputs + output]),
            false => f64::from(parameters.weight[output * inputs + input]),
        };
        let line = |input: usize| lines.map_or([1.0, 0.0], |lines| lines[channel_of(input)]);
        let values: Vec<f64> = (0..inputs).map(|i| weight(i) * line(i)[0]).collect();
        let constant: f64 = (0..inputs).map(|i| weight(i) * line(i)[1]).sum();
        let step = values
            .iter()
            .fold(0.0f64, |most, value| most.max(value.abs()))
            / 127.0;
        let factor = f64::from(map.scale[output]);
        let exact: Vec<f64> = values.iter().map(|value| value * (1.0 / step)).collect();
        let mut weights: Vec<f64> = exact.iter().map(|value| value.round_ties_even()).collect();
        // The sum over a channel is kept, by as few weights as need be: those nearest to a half.
        let channels = (0..inputs).map(&channel_of).max().unwrap() + 1;
        for channel in 0..channels {
            let own: Vec<usize> = (0..inputs).filter(|i| channel_of(*i) == channel).collect();
            let sum: f64 = own.iter().map(|&i| exact[i] - weights[i]).sum();
            let mut order = own.clone();
            order.sort_by(|&a, &b| (exact[b] - weights[b]).total_cmp(&(exact[a] - weights[a])));
            if sum < 0.0 {
                order.reverse();
            }
            for &i in order.iter().take(sum.abs().round_ties_even() as usize) {
                weights[i] = (weights[i] + sum.signum()).clamp(-127.0, 127.0);
            }
        }
        Filter {
            weights: weights.iter().map(|weight| *weight as i8).collect(),
            scale: (factor * step) as f32,
            shift: (f64::from(map.shift[output]) + factor * constant) as f32,
        }
    };
    (0..outputs).map(filter).collect()
}

/// Values as bytes of a step with which the largest is 255.
fn as_bytes(values: &[f32]) -> (f32, Vec<u8>) {
    let step = values.iter().fold(0.0f32, |most, value| most.max(*value)) / 255.0;
    let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
    (
        step,
        values
            .iter()
            .map(|value| (value * inverse).round_ties_even() as u8)
            .collect(),
    )
}

fn convolve(
    block: &Block,
    [height, width, channels]: [usize; 3],
    bytes: &[u8],
    border: &[u8],
    step: f32,
    filters: &[Filter],
) -> Vec<f32> {
    let (k, padding) = (block.kernel, block.padding);
    let [rows, columns] = [height, width].map(|size| size + 2 * padding + 1 - k);
    let byte = |y: usize, x: usize, c: usize| {
        let inside = |at: usize, size: usize| at >= padding && at < size + padding;
        match inside(y, height) && inside(x, width) {
            true => bytes[((y - padding) * width + x - padding) * channels + c],
            false => border[c],
        }
    };
    let sum = |filter: &Filter, y: usize, x: usize| {
        let mut sum = 0;
        for (i, weight) in filter.weights.iter().enumerate() {
            let (c, row, column) = (i / (k * k), i / k % k, i % k);
            sum += i32::from(*weight) * i32::from(byte(y + row, x + column, c));
        }
        sum
    };
    let mut values = Vec::new();
    let size = if block.pool { 2 } else { 1 };
    for y in 0..rows / size {
        for x in 0..columns / size {
            for filter in filters {
                let window =
                    (0..size * size).map(|i| sum(filter, size * y + i / size, size * x + i % size));
                values.push(filter.value(window.max().unwrap(), step));
            }
        }
    }
    values
}

/// The forward pass on bytes, where the processor has it.
fn int8(layers: &Layers) -> Option<Forward> {
    match layers.prepare(Precision::Int8) {
        Ok(forward) => Some(forward),
        Err(error) => {
            assert!(matches!(error, Error::Int8(_)), "{error}");
            assert!(!has_vnni(), "{error}");
            None
        }
    }
}

fn has_vnni() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512vnni");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn it_is_its_definition_to_the_bit(case in cases()) {
        let network = case.network();
        let Some(forward) = int8(&network.layers()) else { return Ok(()); };
        for image in case.images(2).chunks(case.size.iter().product()) {
            let found = forward.run(image).unwrap();
            let expected = network.by_definition(image);
            prop_assert_eq!(found.outputs, expected.outputs);
            prop_assert_eq!(found.means, expected.means);
        }
    }

    #[test]
    fn company_and_threads_change_no_bit(case in cases()) {
        let Some(forward) = int8(&case.network().layers()) else { return Ok(()); };
        let images = case.images(61);
        let alone = images.chunks(images.len() / 61).map(|image| forward.run(image).unwrap());
        let (outputs, means): (Vec<_>, Vec<_>) = alone.map(|found| (found.outputs, found.means)).unzip();
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let together = pool.install(|| forward.run(&images).unwrap());
            prop_assert_eq!(&together.outputs, &outputs.concat());
            prop_assert_eq!(&together.means, &means.concat());
        }
    }
}

#[test]
fn it_is_close_to_the_one_in_f32() {
    let block = |channels| Block {
        channels,
        kernel: 3,
        padding: 0,
        pool: true,
    };
    let case = Case {
        size: [28, 28, 1],
        blocks: vec![block(16), block(32)],
        dense: vec![128, 10],
        seed: 5,
    };
    let layers = case.network().layers();
    let Some(forward) = int8(&layers) else { return };
    let images = case.images(40);
    let found = forward.run(&images).unwrap().outputs;
    let exact = layers
        .prepare(Precision::F32)
        .unwrap()
        .run(&images)
        .unwrap()
        .outputs;
    let norm = |values: &mut dyn Iterator<Item = f32>| {
        values.map(|value| value * value).sum::<f32>().sqrt()
    };
    let error = norm(&mut found.iter().zip(&exact).map(|(a, b)| a - b));
    let size = norm(&mut exact.iter().copied());
    assert!(error < 0.02 * size, "{error} of {size}");
}

#[test]
fn what_it_cannot_compute_it_refuses() {
    if !has_vnni() {
        return;
    }
    let map = |outputs: usize, relu| Affine {
        scale: vec![1.0; outputs],
        shift: vec![0.0; outputs],
        relu,
    };
    let line: [f32; 256] = std::array::from_fn(|byte| byte as f32);
    let layers = |table, relu| {
        Layers::new(2, 2, vec![table])
            .dense(&[1.0; 12], map(3, relu))
            .unwrap()
            .dense(&[1.0; 3], map(1, false))
            .unwrap()
    };
    assert!(layers(line, true).prepare(Precision::Int8).is_ok());
    // What isn't cut off at zero is no unsigned byte.
    assert!(layers(line, false).prepare(Precision::Int8).is_err());
    // Bytes whose values lie on no line.
    let curve: [f32; 256] = std::array::from_fn(|byte| (byte as f32).sqrt());
    let error = layers(curve, true).prepare(Precision::Int8).unwrap_err();
    assert_eq!(
        error.to_string(),
        "int8 is not possible: a layer of this network has no such kernel; use f32"
    );
}

#[test]
fn a_precision_has_a_name() {
    for precision in [Precision::F32, Precision::Int8] {
        assert_eq!(precision.to_string().parse(), Ok(precision));
    }
    let error = "int4".parse::<Precision>().unwrap_err().to_string();
    assert_eq!(error, "unknown precision `int4`; known are f32 and int8");
}
