use burn::tensor::Device;
use data::{Augmentation, Loader, Normalization, Source, mnist, split};
use sha2::{Digest, Sha256};

fn train() -> data::LabelledImages {
    Source::Bundled.train(&()).unwrap()
}

fn hex(hasher: Sha256) -> String {
    let digest = hasher.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_bundled_files_are_mnist_to_the_bit() {
    let train = train();
    let test = Source::Bundled.test(&train.spec(), &()).unwrap();
    assert_eq!((train.len(), test.len()), (60_000, 10_000));
    assert_eq!((train.shape(), test.shape()), (mnist::SHAPE, mnist::SHAPE));
    assert_eq!(*train.classes(), mnist::classes().unwrap());
    assert_eq!(train.spec(), test.spec());
    assert!(train.digest().is(&mnist::TRAIN) && !mnist::is_test(&train));
    assert!(test.digest().is(&mnist::TEST) && mnist::is_test(&test));
    assert_eq!(test.labels()[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    let mut counts = [0; 10];
    for &label in train.labels() {
        counts[usize::from(label)] += 1;
    }
    assert_eq!(
        counts,
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    );
}

#[test]
fn another_data_set_is_not_tested_on_mnist() {
    let mut spec = train().spec();
    spec.shape.width = 32;
    let error = Source::Bundled.test(&spec, &()).unwrap_err();
    let message = error.to_string();
    for part in ["bundled MNIST", "28×28 grey", "28×32 grey"] {
        assert!(message.contains(part), "{message}");
    }
    spec.shape = mnist::SHAPE;
    spec.classes = data::Classes::numbered((0..26).collect()).unwrap();
    let message = Source::Bundled.test(&spec, &()).unwrap_err().to_string();
    assert!(
        message.contains("10 classes") && message.contains("26"),
        "{message}"
    );
}

#[test]
fn its_normalization_is_the_published_one() {
    let normalization = Normalization::of(&train());
    assert!((normalization.mean[0] - 0.1306604762738429).abs() < 1e-12);
    assert!((normalization.std[0] - 0.30810780385646264).abs() < 1e-12);
    // To the bit, as checkpoints have it.
    assert_eq!(normalization.mean, [0.13066047627384286]);
    assert_eq!(normalization.std, [0.3081078038564627]);
}

#[test]
fn five_thousand_validation_images_have_the_labels_of_the_whole() {
    let train = train();
    let parts = split(train.labels(), 5_000, 42).unwrap();
    assert_eq!((parts.train.len(), parts.validation.len()), (55_000, 5_000));
    let mut counts = [0_usize; 10];
    for &index in &parts.validation {
        counts[usize::from(train.label(index as usize))] += 1;
    }
    for (label, count) in counts.iter().enumerate() {
        let total = train
            .labels()
            .iter()
            .filter(|&&other| usize::from(other) == label)
            .count();
        assert!(
            (*count as f64 - total as f64 / 12.0).abs() < 1.0,
            "{label}: {count} of {total}"
        );
    }
}

#[test]
fn splits_and_limits_never_change_between_versions() {
    let train = train();
    let digest = |indices: &mut dyn Iterator<Item = &u32>| {
        let mut hasher = Sha256::new();
        indices.for_each(|index| hasher.update(index.to_le_bytes()));
        hex(hasher)
    };
    let mut parts = split(train.labels(), 5_000, 42).unwrap();
    assert_eq!(
        digest(&mut parts.train.iter().chain(&parts.validation)),
        "2039b59c8f4d2e0b4cb713e49f0f58956d210ab161d812004d4c21dd469f60ae"
    );
    parts.limit_training(train.labels(), 1_234, 7);
    assert_eq!(
        digest(&mut parts.train.iter()),
        "4f84b68f4ab828fbf70ca385a04f3f93d0e160b853d1b6f74dd8f51c4df952be"
    );
}

#[test]
fn batches_never_change_between_versions() {
    let train = train();
    let normalization = Normalization::of(&train);
    let parts = split(train.labels(), 5_000, 42).unwrap();
    let bent = Augmentation {
        rotation: 10.0,
        shift: 0.1,
        zoom: 0.1,
        shear: 5.0,
        ..Augmentation::NONE
    };
    let loader = Loader::new(
        train,
        parts.train.into(),
        &normalization,
        128,
        &Device::ndarray(),
    )
    .shuffled(42)
    .augmented(bent, 42, Some(3));
    for (epoch, expected) in [
        // Two epochs of augmented images, one of plain ones.
        "8b4ba395ace709f04a97ff226f4ff37493996799a0e7398da64ccaf6432dc5e6",
        "5eaef381e501a87445a6b83e77ed1ef7eeb144dfb725b9045bb5ba9d7ef4e7a8",
        "c6e7ec69b9e7712efe14596fc39177a16033e00f60a1c4dfeb060da551335120",
    ]
    .into_iter()
    .enumerate()
    {
        let mut hasher = Sha256::new();
        for batch in loader.epoch(epoch + 1).take(20) {
            let batch = batch.unwrap();
            let values: Vec<f32> = batch.images.into_data().try_to_vec().unwrap();
            for value in values {
                hasher.update(value.to_bits().to_le_bytes());
            }
            for &label in &*batch.labels {
                hasher.update([label as u8]);
            }
        }
        assert_eq!(hex(hasher), expected, "epoch {}", epoch + 1);
    }
}

#[test]
fn normalized_batches_have_mean_zero_and_deviation_one() {
    let train = train();
    let normalization = Normalization::of(&train);
    let loader = Loader::whole(train, &normalization, 6_000, &Device::ndarray());
    let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
    for batch in loader.epoch(1) {
        let values: Vec<f32> = batch.unwrap().images.into_data().try_to_vec().unwrap();
        for value in values {
            sum += f64::from(value);
            squares += f64::from(value) * f64::from(value);
            count += 1.0;
        }
    }
    assert_eq!(count, 60_000.0 * 784.0);
    assert!((sum / count).abs() < 1e-6);
    assert!((squares / count - 1.0).abs() < 1e-6);
}
