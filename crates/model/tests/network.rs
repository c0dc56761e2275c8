//! The network: its shapes and layer table, what can't be built, and that it means the same everywhere.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use burn::tensor::{Bytes, DType, Distribution, Tensor, TensorData};
use common::{
    COLOUR, Folder, block, calibration, device, full_manifest, json_of, manifest, network, tiny,
    weights,
};
use data::{Random, mnist};
use model::{
    Backend, Classifier, Decision, ImageShape, InferencePrecision, Manifest, Network,
    NetworkConfig, Normalization, Order, Prepared, Summary,
    checkpoint::{Checkpoint, MANIFEST, MODEL},
};

/// The network of `configs/default.toml`.
fn default() -> NetworkConfig {
    NetworkConfig {
        blocks: vec![block(16, 3), block(32, 3)],
        dense: vec![128],
        ..tiny()
    }
}

/// Bytes of any images, from a seed.
fn images(count: usize, shape: ImageShape) -> Vec<u8> {
    let mut random = Random::keyed(&[7]);
    (0..count * shape.len())
        .map(|_| (random.next_u64() >> 56) as u8)
        .collect()
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
    assert_eq!(manifest(default()).summary().to_string(), table);
}

#[test]
fn the_layer_table_of_a_network_for_colour_images() {
    let mut config = tiny();
    config.norm = false;
    config.order = Order::ConvNormReluPool;
    config.dense = vec![];
    config.blocks[1].padding = 2;
    config.blocks[1].pool = false;
    let shapes = config.shapes(COLOUR, 1000).unwrap();
    let table = "\
layer                  output           parameters  multiply-adds
input                  [3, 20, 31]               0              0
blocks.0.conv (5×5)    [2, 16, 27]             152         64,800
blocks.0.relu          [2, 16, 27]               0              0
blocks.0.pool (2×2)    [2, 8, 13]                0              0
blocks.1.conv (5×5)    [2, 8, 13]              102         10,400
blocks.1.relu          [2, 8, 13]                0              0
output                 [1000]              209,000        208,000
total                                      209,254        283,200
";
    assert_eq!(Summary::new(&config, &shapes).to_string(), table);
}

/// Networks of every kind, with images of any shape that they can take and numbers of classes.
fn configs() -> Vec<(NetworkConfig, ImageShape, usize)> {
    let mut configs = Vec::new();
    for (shape, classes) in [(mnist::SHAPE, 10), (COLOUR, 2), (COLOUR, 1000)] {
        configs.extend([default(), tiny()].map(|config| (config, shape, classes)));
        for order in [Order::ConvNormReluPool, Order::ConvPoolNormRelu] {
            for norm in [false, true] {
                let mut padded = block(3, 5);
                padded.padding = 2;
                padded.pool = false;
                let blocks = vec![padded, block(2, 3)];
                for (blocks, dense) in [
                    (blocks.clone(), vec![]),
                    (vec![], vec![5, 6]),
                    (vec![], vec![]),
                    (blocks, vec![7]),
                ] {
                    let config = NetworkConfig {
                        blocks,
                        dense,
                        norm,
                        order,
                        dropout: 0.0,
                    };
                    configs.push((config, shape, classes));
                }
            }
        }
    }
    configs
}

/// How many values of a network are learned, by what it stores: its floating-point numbers but for the
/// running statistics.
fn learned(network: Network) -> usize {
    let file = Bytes::from_bytes_vec(weights(network));
    let tensors = burn_pack::Reader::from_bytes(file).unwrap().into_tensors();
    let size = |tensor: burn_pack::Tensor| {
        let (name, dtype, shape, ..) = tensor.into_parts().unwrap();
        let statistics = name.contains("running_mean") || name.contains("running_var");
        match dtype == DType::F32 && !statistics {
            true => shape.num_elements(),
            false => 0,
        }
    };
    tensors.unwrap().into_iter().map(size).sum()
}

#[test]
fn the_table_counts_exactly_the_parameters_that_the_network_learns() {
    for (config, shape, classes) in configs() {
        let network = config.init(0, shape, classes, &device()).unwrap();
        let shapes = config.shapes(shape, classes).unwrap();
        let summary = Summary::new(&config, &shapes);
        assert_eq!(learned(network), summary.parameters(), "{config:?}");
    }
}

#[test]
fn the_network_computes_what_its_shapes_say() {
    for (config, shape, classes) in configs() {
        let shapes = config.shapes(shape, classes).unwrap();
        assert_eq!((shapes.input, shapes.classes), (shape, classes));
        assert_eq!(shapes.dense[1..], config.dense);
        let network = config.init(0, shape, classes, &device()).unwrap();
        let ImageShape {
            channels,
            height,
            width,
        } = shape;
        let mut at = [channels, height, width];
        for (block, shapes) in network.blocks.iter().zip(&shapes.blocks) {
            assert_eq!(shapes.input, at);
            let weight = block.conv.weight.val().dims();
            assert_eq!((weight[0], weight[1]), (shapes.convolved[0], at[0]));
            at = shapes.output;
        }
        assert_eq!(shapes.dense[0], at.iter().product::<usize>());
        let output = network.output.weight.val().dims();
        assert_eq!(output, [shapes.dense[shapes.dense.len() - 1], classes]);
        let images = Tensor::<4>::random(
            [3, channels, height, width],
            Distribution::Default,
            &device(),
        );
        let (logits, features) = network.forward_with_features(images.clone());
        assert_eq!((logits.dims(), features.dims()), ([3, classes], [3, at[0]]));
        assert_eq!(network.forward(images).into_data(), logits.into_data());
    }
}

#[test]
fn a_prepared_network_says_what_the_network_says() {
    for backend in Backend::available() {
        let Ok(device) = backend.device() else {
            continue;
        };
        for (config, shape, classes) in configs() {
            let network = config.init(0, shape, classes, &device).unwrap();
            let normalization = Normalization {
                mean: vec![0.25; shape.channels],
                std: vec![0.5; shape.channels],
            };
            let images = images(3, shape);
            let mut input = Vec::new();
            normalization.apply(shape, &images, &mut input);
            let dims = [3, shape.channels, shape.height, shape.width];
            let input = Tensor::from_data(TensorData::new(input, dims), &device);
            let (logits, features) = network.forward_with_features(input);
            let response = Prepared::new(&network, shape, &normalization, &device).look(&images);
            for (found, expected) in [(response.logits, logits), (response.features, features)] {
                let expected: Vec<f32> = expected.into_data().iter::<f32>().collect();
                assert_eq!(found.len(), expected.len());
                let scale = expected
                    .iter()
                    .fold(1.0, |most: f32, value| most.max(value.abs()));
                for (found, expected) in found.iter().zip(&expected) {
                    let near = (found - expected).abs() <= 1e-4 * scale;
                    assert!(near, "{found} instead of {expected}: {config:?}");
                }
            }
        }
    }
}

#[test]
fn a_precision_is_what_was_asked_for_or_an_error() {
    let load = || classifier(&manifest_for(&tiny(), COLOUR, 3), Backend::default());
    let exact = load();
    assert_eq!(exact.precision(), InferencePrecision::F32);
    let images = images(20, COLOUR);
    let logits = exact.logits(&images).unwrap();
    let same = load().with_precision(InferencePrecision::F32).unwrap();
    assert_eq!(same.logits(&images).unwrap(), logits);
    match load().with_precision(InferencePrecision::Int8) {
        Ok(rough) => {
            assert_eq!(rough.precision(), InferencePrecision::Int8);
            let found = rough.logits(&images).unwrap();
            assert_ne!(found, logits);
            for (found, exact) in found.concat().iter().zip(logits.concat()) {
                assert!((found - exact).abs() < 0.1, "{found} instead of {exact}");
            }
            let again = rough.with_precision(InferencePrecision::F32).unwrap();
            assert_eq!(again.logits(&images).unwrap(), logits);
        }
        Err(error) => {
            let line = error.to_string();
            assert!(line.starts_with("int8 is not possible: "), "{line}");
        }
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
        let error = config.shapes(mnist::SHAPE, 10).unwrap_err();
        assert_eq!(error.key, key, "{error}");
        assert!(error.to_string().starts_with(&format!("network.{key}: ")));
        let built = config.init(0, mnist::SHAPE, 10, &device());
        assert_eq!(built.err(), Some(error));
        assert!(manifest(config).summary().layers.is_empty());
    }
    let mut config = tiny();
    config.blocks = vec![block(4_096, 1)];
    let error = config.shapes(mnist::SHAPE, 10).unwrap_err();
    assert_eq!(error.key, "blocks[0].channels");
}

#[test]
fn what_is_wrong_whatever_the_images_is_known_without_them() {
    let valid = tiny();
    assert_eq!(valid.validate(), Ok(()));
    // Too small an image is no fault of the architecture.
    let mut deep = tiny();
    deep.blocks = vec![block(1, 1); 16];
    assert_eq!(deep.validate(), Ok(()));
    let mut wrong = tiny();
    wrong.dense = vec![4, 4_097];
    assert_eq!(wrong.validate().unwrap_err().key, "dense[1]");
}

#[test]
fn images_too_small_for_the_blocks_are_refused_by_the_key_of_the_first_that_is_left_nothing() {
    let at_least = |height, width| ImageShape::new(1, height, width).unwrap();
    let shapes = |height, width| tiny().shapes(at_least(height, width), 10);
    assert_eq!(shapes(16, 16).unwrap().blocks[1].output, [2, 1, 1]);
    for (height, width, key) in [
        (15, 16, "blocks[1].kernel"),
        (256, 15, "blocks[1].kernel"),
        (5, 28, "blocks[0].kernel"),
        (28, 1, "blocks[0].kernel"),
    ] {
        let error = shapes(height, width).unwrap_err();
        assert_eq!(error.key, key, "{error}");
        let line = error.to_string();
        assert!(
            line.contains("larger images") && !line.contains('\n'),
            "{line}"
        );
    }
    // What is left of the image by the blocks before it is told.
    let line = shapes(15, 16).unwrap_err().to_string();
    assert!(line.contains("5×6 input"), "{line}");
}

#[test]
fn more_weights_than_memory_should_hold_are_refused() {
    let mut config = tiny();
    config.blocks = vec![];
    config.dense = vec![4_096];
    let large = ImageShape::new(3, 256, 256).unwrap();
    let error = config.shapes(large, 1_000).unwrap_err();
    assert!(error.to_string().contains("weights in all"), "{error}");
    assert!(error.to_string().contains("256×256 colour"), "{error}");
    assert!(config.shapes(mnist::SHAPE, 1_000).is_ok());
}

#[test]
fn initial_weights_follow_from_the_seed_alone() {
    let of = |seed, backend: Backend| {
        let device = backend.device().unwrap();
        weights(default().init(seed, mnist::SHAPE, 10, &device).unwrap())
    };
    for backend in Backend::available() {
        assert_eq!(of(1, backend), of(1, Backend::default()), "{backend}");
    }
    assert_ne!(of(1, Backend::default()), of(2, Backend::default()));
    // A layer's weights don't depend on what comes after it.
    let mut longer = default();
    longer.dense = vec![128, 64];
    let conv = |config: &NetworkConfig, classes| {
        let network = config.init(1, mnist::SHAPE, classes, &device()).unwrap();
        network.blocks[1].conv.weight.val().into_data()
    };
    assert_eq!(conv(&longer, 10), conv(&default(), 10));
    assert_eq!(conv(&default(), 1000), conv(&default(), 10));
}

#[test]
fn initial_weights_spread_as_he_and_others_derive() {
    let network = network(&default(), 0);
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
fn a_batch_of_images_gives_a_row_of_logits_each() {
    for (config, shape, classes) in configs() {
        let network = config.init(0, shape, classes, &device()).unwrap();
        for batch in [1, 2, 7] {
            let dims = [batch, shape.channels, shape.height, shape.width];
            let images = Tensor::<4>::random(dims, Distribution::Default, &device());
            assert_eq!(network.forward(images).dims(), [batch, classes]);
        }
    }
}

/// The manifest of a network for images of a shape, in so many classes.
fn manifest_for(config: &NetworkConfig, shape: ImageShape, classes: usize) -> Manifest {
    Manifest {
        input: shape,
        normalization: model::Normalization {
            mean: vec![0.2; shape.channels],
            std: vec![0.3; shape.channels],
        },
        classes: (0..classes).map(|class| format!("class {class}")).collect(),
        ..manifest(config.clone())
    }
}

/// A classifier by that manifest, with the initial weights of a seed.
fn classifier(manifest: &Manifest, backend: Backend) -> Classifier {
    let network: Network = manifest
        .architecture
        .init(3, manifest.input, manifest.classes.len(), &device())
        .unwrap();
    let folder = Folder::new();
    let files = [
        (MANIFEST, &json_of(manifest)[..]),
        (MODEL, &weights(network)),
    ];
    let path = folder.write("a", &files);
    Classifier::load(path, &backend.device().unwrap()).unwrap()
}

#[test]
fn an_image_is_classified_alike_alone_and_among_others() {
    for (shape, classes, count) in [(mnist::SHAPE, 10, 503), (COLOUR, 3, 250)] {
        let images = images(count, shape);
        for backend in Backend::available() {
            let classifier = classifier(&manifest_for(&default(), shape, classes), backend);
            let together = classifier.classify_all(&images).unwrap();
            assert_eq!(together.len(), count);
            let each = images.chunks_exact(shape.len());
            for (image, answer) in each.zip(&together).step_by(25) {
                let alone = classifier.classify(image).unwrap();
                assert_eq!((&alone.name, alone.class), (&answer.name, answer.class));
                for (a, b) in alone.probabilities.iter().zip(&answer.probabilities) {
                    assert!((a - b).abs() < 1e-6, "{backend}: {a} {b}");
                }
            }
            assert!(classifier.classify_all(&[]).unwrap().is_empty());
        }
    }
}

#[test]
fn every_backend_gives_the_same_answers() {
    for (config, shape, classes) in configs() {
        let images = images(16, shape);
        let manifest = manifest_for(&config, shape, classes);
        let of = |backend| {
            classifier(&manifest, backend)
                .classify_all(&images)
                .unwrap()
        };
        let expected = of(Backend::default());
        for backend in Backend::available() {
            for (answer, expected) in of(backend).iter().zip(&expected) {
                for (a, b) in answer.probabilities.iter().zip(&expected.probabilities) {
                    assert!((a - b).abs() < 1e-5, "{backend}: {a} {b}");
                }
            }
        }
    }
}

#[test]
fn answers_have_the_names_and_a_probability_of_each_class() {
    for classes in [2, 26, 1000] {
        let manifest = manifest_for(&tiny(), COLOUR, classes);
        let classifier = classifier(&manifest, Backend::default());
        assert_eq!(classifier.classes(), manifest.classes);
        assert_eq!(classifier.shape(), COLOUR);
        for answer in classifier.classify_all(&images(40, COLOUR)).unwrap() {
            assert_eq!(*answer.name, manifest.classes[usize::from(answer.class)]);
            assert_eq!(answer.probabilities.len(), classes);
            assert!((answer.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            let greatest = answer.probabilities.iter().copied().fold(0.0, f64::max);
            assert_eq!(answer.confidence, greatest);
        }
    }
}

#[test]
fn without_a_calibration_everything_goes_to_review() {
    let classifier = classifier(&manifest_for(&tiny(), COLOUR, 3), Backend::default());
    let images = images(40, COLOUR);
    for answer in classifier.classify_all(&images).unwrap() {
        assert_ne!(answer.decision, Decision::Accept);
    }
}

#[test]
fn the_limits_of_the_calibration_look_at_features_and_pixels() {
    // The limits on pixels hold for one image and no other: that whose bytes count up.
    let known: Vec<u8> = (0..COLOUR.len()).map(|at| at as u8).collect();
    let other: Vec<u8> = known.iter().rev().map(|pixel| pixel / 2).collect();
    let mut fitted = calibration(3, 2, COLOUR);
    fitted.distance.as_mut().unwrap().value = 1e30;
    fitted.energy.value = 1e30;
    let with = |calibration: &model::Calibration| {
        let manifest = Manifest {
            calibration: Some(calibration.clone()),
            training: None,
            ..full_manifest()
        };
        let classifier = classifier(&manifest, Backend::default());
        let accepts = |image: &[u8]| {
            let answer = &classifier.classify_all_at(image, 0.0).unwrap()[0];
            answer.decision == Decision::Accept
        };
        [accepts(&known), accepts(&other)]
    };
    assert_eq!(with(&fitted), [true, false]);
    let mut narrow = fitted.clone();
    narrow.distance.as_mut().unwrap().value = 0.0;
    assert_eq!(with(&narrow), [false, false]);
    let mut neither = fitted;
    (neither.distance, neither.pixels) = (None, None);
    assert_eq!(with(&neither), [true, true]);
}

#[test]
fn bytes_that_are_no_image_are_refused_with_the_length_that_one_has() {
    for (shape, length, words) in [
        (mnist::SHAPE, "784", "28×28 grey"),
        (COLOUR, "1860", "20×31 colour"),
    ] {
        let classifier = classifier(&manifest_for(&tiny(), shape, 3), Backend::default());
        let bytes = images(2, shape);
        for found in [0, 1, shape.len() - 1, shape.len() + 1, 2 * shape.len()] {
            let error = classifier.classify(&bytes[..found]).unwrap_err();
            assert_eq!((error.found, error.shape), (found, shape));
            let line = error.to_string();
            for part in [&found.to_string(), length, words] {
                assert!(line.contains(part) && !line.contains('\n'), "{line}");
            }
        }
        for found in [1, shape.len() - 1, shape.len() + 1, 2 * shape.len() - 1] {
            let bytes = &bytes[..found];
            for error in [
                classifier.classify_all(bytes).unwrap_err(),
                classifier.classify_all_at(bytes, 0.5).unwrap_err(),
                classifier.logits(bytes).unwrap_err(),
                classifier.outputs(bytes).unwrap_err(),
            ] {
                let line = error.to_string();
                assert!(
                    line.contains(length) && line.contains("whole images"),
                    "{line}"
                );
            }
        }
    }
}

#[test]
fn outputs_and_decisions_are_those_of_classifying() {
    let manifest = Manifest {
        training: None,
        ..full_manifest()
    };
    let classifier = classifier(&manifest, Backend::default());
    let images = images(20, COLOUR);
    let outputs = classifier.outputs(&images).unwrap();
    let logits = classifier.logits(&images).unwrap();
    let answers = classifier.classify_all(&images).unwrap();
    for (index, image) in images.chunks_exact(COLOUR.len()).enumerate() {
        assert_eq!(outputs[index].logits, logits[index]);
        assert_eq!(outputs[index].features.len(), 2);
        assert_eq!(classifier.decide(image, &outputs[index]), answers[index]);
    }
}

#[test]
fn one_classifier_serves_many_threads() {
    const fn is_shared<T: Send + Sync>() {}
    const { is_shared::<Classifier>() };
    const { is_shared::<Checkpoint>() };
    let classifier = classifier(&manifest_for(&tiny(), COLOUR, 3), Backend::default());
    let images = images(8, COLOUR);
    let expected = classifier.classify_all(&images).unwrap();
    std::thread::scope(|scope| {
        let answers = || classifier.classify_all(&images).unwrap();
        let threads = [(); 4].map(|()| scope.spawn(answers));
        for thread in threads {
            assert_eq!(thread.join().unwrap(), expected);
        }
    });
}
