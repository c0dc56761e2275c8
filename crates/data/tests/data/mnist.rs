use burn::tensor::Device;
use data::{Loader, MNIST_TEST, MNIST_TRAIN, Normalization, Source, split};

#[test]
fn the_bundled_files_are_mnist_to_the_bit() {
    let (train, test) = (
        Source::Bundled.train().unwrap(),
        Source::Bundled.test().unwrap(),
    );
    assert_eq!((train.len(), test.len()), (60_000, 10_000));
    assert!(train.digest().is(&MNIST_TRAIN) && !train.is_mnist_test());
    assert!(test.digest().is(&MNIST_TEST) && test.is_mnist_test());
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
fn its_normalization_is_the_published_one() {
    let normalization = Normalization::of(&Source::Bundled.train().unwrap());
    assert!((normalization.mean - 0.1306604762738429).abs() < 1e-12);
    assert!((normalization.std - 0.30810780385646264).abs() < 1e-12);
    assert_eq!(normalization, Normalization::MNIST);
}

#[test]
fn five_thousand_validation_images_have_the_labels_of_the_whole() {
    let train = Source::Bundled.train().unwrap();
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
fn normalized_batches_have_mean_zero_and_deviation_one() {
    let train = Source::Bundled.train().unwrap();
    let loader = Loader::whole(train, Normalization::MNIST, 6_000, &Device::ndarray());
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
