//! The network: its layer table, what can't be built, and that it means the same everywhere.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use burn::{
    module::Module,
    tensor::{Distribution, Tensor},
};
use common::{Folder, block, device, manifest, tiny, weights};
use data::Random;
use model::{
    Backend, Classifier, NetworkConfig, Order, PIXELS,
    checkpoint::{MANIFEST, MODEL},
};

/// The network of `configs/default.toml`.
fn default() -> NetworkConfig {
    NetworkConfig {
        blocks: vec![block(16, 3), block(32, 3)],
        dense: vec![128],
        ..tiny()
    }
}

/// Images of any bytes, from a seed.
fn images(count: usize) -> Vec<[u8; PIXELS]> {
    let mut random = Random::keyed(&[7]);
    let image = |_| std::array::from_fn(|_| (random.next_u64() >> 56) as u8);
    (0..count).map(image).collect()
}

#[test]
fn the_layer_table_of_the_default_network() {
    let table = "\
layer                  output           parameters  multiply-adds
input                  [1, 28, 28]               0              0
blocks.0.conv (3×3)    [16, 26, 26]            144         97,344
blocks.0.pool (2×2)    [16, 13, 13]              0              0
blocks.0.norm          [16, 13, 13]             32          2,704
blocks.0.relu          [16, 13, 13]              0              0
blocks.1.conv (3×3)    [32, 11, 11]          4,608        557,568
blocks.1.pool (2×2)    [32, 5, 5]                0              0
blocks.1.norm          [32, 5, 5]               64            800
blocks.1.relu          [32, 5, 5]                0              0
dense.0.linear         [128]               102,400        102,400
dense.0.norm           [128]                   256            128
dense.0.relu           [128]                     0              0
output                 [10]                  1,290          1,280
total                                      108,794        762,224
";
    assert_eq!(default().summary().to_string(), table);
}

#[test]
fn the_table_counts_the_parameters_that_the_network_has() {
    let mut configs = vec![default(), tiny()];
    for order in [Order::ConvNormReluPool, Order::ConvPoolNormRelu] {
        let mut padded = block(3, 5);
        padded.padding = 2;
        padded.pool = false;
        configs.push(NetworkConfig {
            blocks: vec![padded, block(2, 3)],
            dense: vec![],
            norm: false,
            order,
            ..tiny()
        });
    }
    for config in configs {
        let network = config.init(0, &device()).unwrap();
        // Running statistics are kept but not learned.
        let norms = network
            .blocks
            .iter()
            .filter_map(|block| block.norm.as_ref());
        let norms = norms.chain(network.dense.iter().filter_map(|dense| dense.norm.as_ref()));
        let kept: usize = norms.map(|norm| 2 * norm.gamma.val().dims()[0]).sum();
        let flags = network.num_params() - kept - config.summary().parameters();
        assert!(
            flags <= 3,
            "{config:?}: {flags} parameters are not in the table"
        );
    }
}

/// Something done to an architecture.
type Change = fn(&mut NetworkConfig);

#[test]
fn what_cannot_be_built_names_its_key() {
    let cases: [(&str, Change); 12] = [
        ("blocks[0].channels", |c| c.blocks[0].channels = 0),
        ("blocks[1].channels", |c| c.blocks[1].channels = 5_000),
        ("blocks[0].kernel", |c| c.blocks[0].kernel = 0),
        ("blocks[0].kernel", |c| c.blocks[0].kernel = usize::MAX),
        ("blocks[1].kernel", |c| c.blocks[1].kernel = 13),
        ("blocks[0].padding", |c| c.blocks[0].padding = 5),
        ("blocks[0].padding", |c| c.blocks[0].padding = usize::MAX),
        ("blocks", |c| c.blocks = vec![block(1, 1); 17]),
        ("blocks[4].kernel", |c| c.blocks = vec![block(1, 1); 5]),
        ("dense[1]", |c| c.dense = vec![4, 0]),
        ("dropout", |c| c.dropout = 1.0),
        ("dropout", |c| c.dropout = f64::NAN),
    ];
    for (key, change) in cases {
        let mut config = tiny();
        change(&mut config);
        let error = config.validate().unwrap_err();
        assert_eq!(error.key, key, "{error}");
        assert!(error.to_string().starts_with(&format!("network.{key}: ")));
        assert_eq!(config.init(0, &device()).err(), Some(error));
    }
    let mut config = tiny();
    config.blocks = vec![block(4_096, 1)];
    assert_eq!(config.validate().unwrap_err().key, "blocks[0].channels");
}

#[test]
fn initial_weights_follow_from_the_seed_alone() {
    let of =
        |seed, backend: Backend| weights(default().init(seed, &backend.device().unwrap()).unwrap());
    for backend in Backend::available() {
        assert_eq!(of(1, backend), of(1, Backend::default()), "{backend}");
    }
    assert_ne!(of(1, Backend::default()), of(2, Backend::default()));
    // A layer's weights don't depend on what comes after it.
    let mut longer = default();
    longer.dense = vec![128, 64];
    let conv = |config: &NetworkConfig| {
        let network = config.init(1, &device()).unwrap();
        network.blocks[1].conv.weight.val().into_data()
    };
    assert_eq!(conv(&longer), conv(&default()));
}

#[test]
fn initial_weights_spread_as_he_and_others_derive() {
    let network = default().init(0, &device()).unwrap();
    let values: Vec<f64> = network.dense[0]
        .linear
        .weight
        .val()
        .into_data()
        .iter::<f64>()
        .collect();
    let bound = (6.0 / 800.0_f64).sqrt();
    assert!(values.iter().all(|value| value.abs() <= bound));
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64;
    assert!(mean.abs() < 0.01 * bound, "{mean}");
    assert!((variance / (2.0 / 800.0) - 1.0).abs() < 0.02, "{variance}");
}

#[test]
fn a_batch_of_images_gives_a_row_of_ten_logits_each() {
    for config in [default(), tiny()] {
        for batch in [1, 2, 7, 64] {
            let network = config.init(0, &device()).unwrap();
            let images = Tensor::<3>::random([batch, 28, 28], Distribution::Default, &device());
            assert_eq!(network.forward(images).dims(), [batch, 10]);
        }
    }
}

/// A classifier with the initial weights of a seed.
fn classifier(config: &NetworkConfig, backend: Backend) -> Classifier {
    let folder = Folder::new();
    let bytes = weights(config.init(3, &device()).unwrap());
    let manifest = manifest(config.clone()).to_json();
    let path = folder.write("a", &[(MANIFEST, &manifest), (MODEL, &bytes)]);
    Classifier::load(path, &backend.device().unwrap()).unwrap()
}

#[test]
fn an_image_is_classified_alike_alone_and_among_others() {
    let images = images(503);
    for backend in Backend::available() {
        let classifier = classifier(&default(), backend);
        let together = classifier.classify_all(&images);
        for (image, answer) in images.iter().zip(&together).step_by(25) {
            let alone = classifier.classify(image);
            assert_eq!(alone.digit, answer.digit);
            for (a, b) in alone.probabilities.iter().zip(&answer.probabilities) {
                assert!((a - b).abs() < 1e-6, "{backend}: {a} {b}");
            }
        }
        assert!(classifier.classify_all(&[]).is_empty());
    }
}

#[test]
fn every_backend_gives_the_same_answers() {
    let images = images(64);
    for config in [default(), tiny()] {
        let expected = classifier(&config, Backend::default()).classify_all(&images);
        for backend in Backend::available() {
            let answers = classifier(&config, backend).classify_all(&images);
            for (answer, expected) in answers.iter().zip(&expected) {
                assert_eq!(answer.digit, expected.digit, "{backend}");
                for (a, b) in answer.probabilities.iter().zip(&expected.probabilities) {
                    assert!((a - b).abs() < 1e-5, "{backend}: {a} {b}");
                }
            }
        }
    }
}
