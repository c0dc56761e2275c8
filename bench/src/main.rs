//! One contender's speed, measured in one process: `bench/run.py` starts it, several times in turn
//! with the others, and compares.
//!
//! Prints one JSON object: images per second (`.cpu`: per second of processor time), milliseconds,
//! GFLOP/s. The number of threads is `RAYON_NUM_THREADS`; the process allocates as `train` does.

mod contender;
mod fma;
mod measure;
mod shape;

use std::collections::BTreeMap;

use clap::Parser;
use data::{Normalization, Source};
use kernels::Precision;
use model::{Backend, InferencePrecision, Order};

use crate::{
    contender::{Contender, Layers},
    measure::Effort,
    shape::Shape,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures one way to compute one network, which ends with dense-128.
#[derive(Parser)]
struct Args {
    /// Burn backend: ndarray or flex
    #[arg(long)]
    backend: Backend,
    /// Burn's own modules and optimizer instead of the kernels
    #[arg(long)]
    stock: bool,
    /// What the kernels compute products of training in: f32 or bf16
    #[arg(long, default_value = "f32", conflicts_with = "stock", value_parser = precision)]
    precision: Precision,
    /// The network
    #[arg(long, value_enum, default_value = "small")]
    network: Shape,
    /// What to measure: train-norm, train-pool-norm, train-plain, inference, latency, inference-int8,
    /// latency-int8 (both need AVX-512 VNNI), peak (a matrix product), fma-peak (multiply-adds that wait for
    /// nothing: what the processor can do)
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "train-norm,train-pool-norm,train-plain,inference,latency,peak,fma-peak"
    )]
    measures: Vec<String>,
    /// Timed training steps
    #[arg(long, default_value_t = 60)]
    steps: usize,
    /// Training steps before them
    #[arg(long, default_value_t = 10)]
    warm_up: usize,
    /// Images per training step [default: 128, 256 where the network is deep, 64 where it is large]
    #[arg(long)]
    batch: Option<usize>,
    /// Timed passes over the test images, of which the larger networks get 2,000
    #[arg(long, default_value_t = 3)]
    passes: usize,
    /// Timed answers to a single image
    #[arg(long, default_value_t = 300)]
    answers: usize,
}

fn precision(name: &str) -> Result<Precision, String> {
    match name {
        "f32" => Ok(Precision::F32),
        "bf16" => Precision::bf16().map_err(|error| error.to_string()),
        _ => Err("expected f32 or bf16".into()),
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    // As `train` does: parallel sections then begin and end without a switch of threads.
    rayon::scope(|_| kernels::awake(|| measure(&args)))
}

fn measure(args: &Args) -> anyhow::Result<()> {
    let layers = if args.stock {
        Layers::Stock
    } else {
        Layers::Kernels(args.precision)
    };
    let device = args.backend.device()?;
    let effort = Effort {
        steps: args.steps,
        warm_up: args.warm_up,
        batch: args.batch.unwrap_or(args.network.batch()),
        passes: args.passes,
        answers: args.answers,
    };
    let train = Source::Bundled.train(&())?;
    let test = Source::Bundled.test(&train.spec(), &())?;
    let [train, test] = args.network.images(&train, &test)?;
    let normalization = Normalization::of(&train);
    let contender = |norm| Contender::new(layers, args.network, &train.spec(), norm, &device);
    let mut results = BTreeMap::new();
    for name in &args.measures {
        let train =
            |norm| Ok::<_, anyhow::Error>(effort.train(contender(norm)?, &train, &normalization));
        let trained = contender(Some(Order::ConvNormReluPool))?;
        let answering = |precision| trained.answering(test.shape(), &normalization, precision);
        let precision = match name.strip_suffix("-int8") {
            Some(_) => InferencePrecision::Int8,
            None => InferencePrecision::F32,
        };
        let speed = match name.as_str() {
            "train-norm" => train(Some(Order::ConvNormReluPool))?,
            "train-pool-norm" => train(Some(Order::ConvPoolNormRelu))?,
            "train-plain" => train(None)?,
            "inference" | "inference-int8" => effort.inference(&answering(precision)?, &test),
            "latency" | "latency-int8" => {
                results.insert(name.clone(), effort.latency(&answering(precision)?, &test));
                continue;
            }
            "peak" => {
                results.insert(name.clone(), measure::peak(&device));
                continue;
            }
            "fma-peak" => {
                let peak = measure::fma_peak();
                results.insert(format!("{name}.thread"), peak.thread);
                results.insert(name.clone(), peak.wall);
                results.extend(peak.cpu.map(|cpu| (format!("{name}.cpu"), cpu)));
                continue;
            }
            _ => anyhow::bail!("--measures: `{name}` is not known; see bench --help"),
        };
        results.insert(name.clone(), speed.wall);
        results.extend(speed.cpu.map(|cpu| (format!("{name}.cpu"), cpu)));
    }
    println!("{}", serde_json::to_string(&results)?);
    Ok(())
}
