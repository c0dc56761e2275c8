//! The whole idea in plain Burn: images, network, Learner, checkpoint, answer.
//!
//! `cargo run -p minimal --release -- FOLDER` trains on MNIST for one epoch and leaves the weights and the
//! learning curves in the folder. Nothing of the other crates is needed but the images; what they add is
//! speed, checkpoints that can be trusted, and answers that know what they don't know.

use std::{error::Error, path::PathBuf};

use burn::{
    data::{dataloader::DataLoaderBuilder, dataloader::batcher::Batcher, dataset::Dataset},
    module::Module,
    nn::{
        BatchNorm, BatchNormConfig, Linear, LinearConfig, conv::Conv2d, conv::Conv2dConfig,
        loss::CrossEntropyLossConfig, pool::MaxPool2d, pool::MaxPool2dConfig,
    },
    optim::AdamWConfig,
    store::ModuleRecord,
    tensor::{Device, Int, Tensor, TensorData, activation::relu, activation::softmax},
    train::{
        ClassificationOutput, InferenceStep, Learner, SupervisedTraining, TrainOutput, TrainStep,
        metric::{AccuracyMetric, LossMetric},
    },
};
use data::{Item, LabelledImages, Source};

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
    fn new(classes: usize, device: &Device) -> Self {
        Net {
            conv1: Conv2dConfig::new([1, 8], [3, 3]).init(device),
            norm1: BatchNormConfig::new(8).init(device),
            conv2: Conv2dConfig::new([8, 16], [3, 3]).init(device),
            norm2: BatchNormConfig::new(16).init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            output: LinearConfig::new(16 * 5 * 5, classes).init(device),
        }
    }

    /// `[batch, 1, 28, 28]` to `[batch, classes]`.
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = relu(self.norm1.forward(self.conv1.forward(images)));
        let x = self.pool.forward(x); // [batch, 8, 13, 13]
        let x = relu(self.norm2.forward(self.conv2.forward(x)));
        let x = self.pool.forward(x); // [batch, 16, 5, 5]
        self.output.forward(x.flatten(1, 3))
    }

    fn classify(&self, batch: Batch) -> ClassificationOutput {
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
        let output = self.classify(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Net {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> ClassificationOutput {
        self.classify(batch)
    }
}

#[derive(Clone, Debug)]
struct Batch {
    /// `[batch, 1, 28, 28]`, about from -0.4 to 2.8.
    images: Tensor<4>,
    /// `[batch]`.
    targets: Tensor<1, Int>,
}

struct Batches;

impl Batcher<Item, Batch> for Batches {
    fn batch(&self, items: Vec<Item>, device: &Device) -> Batch {
        let pixels: Vec<f32> = items
            .iter()
            .flat_map(|item| &item.image)
            .map(|&p| f32::from(p))
            .collect();
        let labels: Vec<i32> = items.iter().map(|item| item.label.into()).collect();
        let images = TensorData::new(pixels, [items.len(), 1, 28, 28]);
        Batch {
            images: (Tensor::from_data(images, device) / 255.0 - 0.1307) / 0.3081,
            targets: Tensor::from_data(TensorData::new(labels, [items.len()]), device),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(
        std::env::args()
            .nth(1)
            .ok_or("name a folder for the results")?,
    );
    let (device, train) = (Device::flex(), Source::Bundled.train(&())?);
    let test = Source::Bundled.test(&train.spec(), &())?;
    let classes = train.classes().clone();

    // Burn's Learner: an epoch of AdamW, measured on the test images.
    let learning = device.clone().autodiff();
    learning.seed(42);
    let loader = |images: LabelledImages, device: &Device| {
        let builder = DataLoaderBuilder::new(Batches)
            .batch_size(128)
            .shuffle(42)
            .num_workers(1);
        builder.set_device(device.clone()).build(images)
    };
    let training = SupervisedTraining::new(
        &folder,
        loader(train, &learning),
        loader(test.clone(), &device),
    )
    .metrics((AccuracyMetric::new(), LossMetric::new()))
    .num_epochs(1);
    let net = Net::new(classes.len(), &learning);
    let result = training.launch(Learner::new(net, AdamWConfig::new().init(), 2e-3));
    if let Some(error) = result.error {
        return Err(error.to_string().into());
    }

    // A checkpoint, and a network that loads it.
    result.model.into_record().save(folder.join("model"))?;
    let record = ModuleRecord::load(folder.join("model.bpk"))?;
    let net = Net::new(classes.len(), &device).try_load_record(record)?;

    // Answers: a probability for each class.
    let items: Vec<Item> = (0..test.len())
        .map(|index| test.get(index))
        .collect::<Result<_, _>>()?;
    let mut right = 0;
    for items in items.chunks(500) {
        let batch = Batches.batch(items.to_vec(), &device);
        let answers = net.forward(batch.images).argmax(1).into_data();
        let labels = items.iter().map(|item| i64::from(item.label));
        right += answers
            .iter::<i64>()
            .zip(labels)
            .filter(|(answer, label)| answer == label)
            .count();
    }
    let first = Batches.batch(items[..1].to_vec(), &device);
    let shares = softmax(net.forward(first.images), 1).into_data();
    for (name, share) in classes.names().iter().zip(shares.iter::<f64>()) {
        println!(
            "the first test image is a {name} with {:.2} %",
            100.0 * share
        );
    }
    println!("{right} of {} test images right", items.len());
    Ok(())
}
