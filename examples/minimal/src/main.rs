//! The whole idea in plain Burn: images, network, Learner, checkpoint, answer.
//!
//! `cargo run -p minimal --release -- FOLDER` trains on MNIST for one epoch and leaves the weights and the
//! learning curves in the folder (`minimal` if none is named). Of the other crates it needs the images only; what they add is speed,
//! checkpoints that can be trusted, and answers that know what they don't know.

use std::error::Error;

use burn::data::{dataloader::DataLoaderBuilder, dataloader::batcher::Batcher, dataset::Dataset};
use burn::nn::{
    BatchNorm, BatchNormConfig, Linear, LinearConfig, conv::Conv2d, conv::Conv2dConfig,
};
use burn::nn::{loss::CrossEntropyLossConfig, pool::MaxPool2d, pool::MaxPool2dConfig};
use burn::tensor::{Device, Int, Tensor, TensorData, activation::relu, activation::softmax};
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{ClassificationOutput, InferenceStep, Learner, SupervisedTraining};
use burn::train::{TrainOutput, TrainStep};
use burn::{module::Module, optim::AdamWConfig, store::ModuleRecord};
use data::{ImageShape, Item, LabelledImages, Normalization, Source, Spec};

/// Two blocks of convolution, normalization, ReLU and pool, then a dense layer.
#[derive(Module, Debug)]
struct Net {
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
    pool: MaxPool2d,
    output: Linear,
}

impl Net {
    fn new(spec: &Spec, device: &Device) -> Self {
        let side = |length: usize| ((length - 2) / 2 - 2) / 2;
        let features = 16 * side(spec.shape.height) * side(spec.shape.width);
        Net {
            conv1: Conv2dConfig::new([spec.shape.channels, 8], [3, 3]).init(device),
            norm1: BatchNormConfig::new(8).init(device),
            conv2: Conv2dConfig::new([8, 16], [3, 3]).init(device),
            norm2: BatchNormConfig::new(16).init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            output: LinearConfig::new(features, spec.classes.len()).init(device),
        }
    }

    /// `[batch, channels, height, width]` to `[batch, classes]`.
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = relu(self.norm1.forward(self.conv1.forward(images)));
        let x = self.pool.forward(x);
        let x = relu(self.norm2.forward(self.conv2.forward(x)));
        let x = self.pool.forward(x);
        self.output.forward(x.flatten(1, 3))
    }
}

impl InferenceStep for Net {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> ClassificationOutput {
        let logits = self.forward(batch.images);
        let loss = CrossEntropyLossConfig::new().init(&logits.device());
        let loss = loss.forward(logits.clone(), batch.targets.clone());
        ClassificationOutput::new(loss, logits, batch.targets)
    }
}

impl TrainStep for Net {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> TrainOutput<ClassificationOutput> {
        let output = InferenceStep::step(self, batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

/// Images `[batch, channels, height, width]` and the classes that they show, `[batch]`.
#[derive(Clone, Debug)]
struct Batch {
    images: Tensor<4>,
    targets: Tensor<1, Int>,
}

#[derive(Clone)]
struct Batches(ImageShape, Normalization);

impl Batcher<Item, Batch> for Batches {
    fn batch(&self, items: Vec<Item>, device: &Device) -> Batch {
        let Batches(shape, normalization) = self;
        let (mut values, mut labels) = (Vec::new(), Vec::new());
        for item in &items {
            normalization.apply(*shape, &item.image, &mut values);
            labels.push(i32::from(item.label));
        }
        let dims = [items.len(), shape.channels, shape.height, shape.width];
        Batch {
            images: Tensor::from_data(TensorData::new(values, dims), device),
            targets: Tensor::from_data(TensorData::new(labels, [items.len()]), device),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).unwrap_or("minimal".into());
    let (source, device) = (Source::Bundled, Device::flex());
    let train = source.train(&())?;
    let spec = train.spec();
    let test = source.test(&spec, &())?;
    let batches = Batches(spec.shape, Normalization::of(&train));

    // Burn's Learner: an epoch of AdamW, measured on the test images.
    let learning = device.clone().autodiff();
    learning.seed(42);
    let loader = |images: &LabelledImages, device: &Device| {
        let builder = DataLoaderBuilder::new(batches.clone()).batch_size(128);
        let builder = builder.shuffle(42).num_workers(1);
        builder.set_device(device.clone()).build(images.clone())
    };
    let (training, testing) = (loader(&train, &learning), loader(&test, &device));
    let learner = Learner::new(Net::new(&spec, &learning), AdamWConfig::new().init(), 2e-3);
    let training = SupervisedTraining::new(&folder, training, testing)
        .metrics((AccuracyMetric::new(), LossMetric::new()));
    let result = training.num_epochs(1).launch(learner);
    if let Some(error) = result.error {
        return Err(error.to_string().into());
    }

    // A checkpoint, and a network that loads it.
    let file = std::path::Path::new(&folder).join("model.bpk");
    result.model.into_record().save(&file)?;
    let net = Net::new(&spec, &device).try_load_record(ModuleRecord::load(&file)?)?;

    // Answers: a probability for each class.
    let mut right = 0;
    for index in 0..test.len() {
        let item = test.get(index)?;
        let logits = net.forward(batches.batch(vec![item.clone()], &device).images);
        let shares: Vec<f32> = softmax(logits, 1).into_data().iter().collect();
        let best = (0..shares.len()).max_by(|&a, &b| shares[a].total_cmp(&shares[b]));
        let class = best.unwrap_or_default();
        right += usize::from(class == usize::from(item.label));
        if index == 0 {
            let (name, share) = (spec.classes.name(class), 100.0 * shares[class]);
            println!("the first is a {name} with {share:.2} %");
        }
    }
    println!("{right} of {} test images right", test.len());
    Ok(())
}
