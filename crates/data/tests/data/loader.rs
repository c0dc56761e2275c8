use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::data::dataset::Dataset;
use burn::tensor::Device;
use data::{Augmentation, Batch, Draw, ImageShape, Loader, Normalization, Scratch};

use crate::{COLOUR, GREY, digits, numbered, numbered_images};

const PIXELS: usize = GREY.len();

/// Leaves a pixel its value of 0 to 255, so that a batch can be read back as bytes.
fn raw(channels: usize) -> Normalization {
    Normalization {
        mean: vec![0.0; channels],
        std: vec![1.0 / 255.0; channels],
    }
}

const BENT: Augmentation = Augmentation {
    rotation: 10.0,
    shift: 0.1,
    zoom: 0.1,
    shear: 5.0,
    ..Augmentation::NONE
};

fn loader(count: usize, batch_size: usize) -> Loader {
    Loader::whole(
        numbered_images(count),
        &raw(1),
        batch_size,
        &Device::ndarray(),
    )
}

fn pixels(batch: &Batch) -> Vec<u8> {
    let values: Vec<f32> = batch.images.clone().into_data().try_to_vec().unwrap();
    values.iter().map(|value| value.round() as u8).collect()
}

/// The numbers that the images of the batches start with.
fn numbers<'a>(
    batches: impl Iterator<Item = Result<Batch, burn::data::dataset::DatasetError>> + 'a,
) -> Vec<u32> {
    batches
        .flat_map(|batch| {
            pixels(&batch.unwrap())
                .chunks_exact(PIXELS)
                .map(|image| u32::from_be_bytes([image[0], image[1], image[2], image[3]]))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_batch_is_the_images_and_their_labels_in_order_and_the_last_may_be_short() {
    let set = numbered_images(70);
    let loader = loader(70, 32);
    assert_eq!((loader.num_batches(), loader.num_items()), (3, 70));
    let mut start = 0;
    for (batch, size) in loader.epoch(1).map(Result::unwrap).zip([32, 32, 6]) {
        assert_eq!(batch.images.dims(), [size, 1, 28, 28]);
        assert_eq!(
            pixels(&batch),
            set.pixels()[start * PIXELS..][..size * PIXELS]
        );
        assert_eq!(batch.labels[..], set.labels()[start..][..size]);
        start += size;
    }
    assert_eq!(start, 70);
}

#[test]
fn a_single_last_image_joins_the_batch_before_it() {
    for (count, batch_size, sizes) in [
        (65, 32, &[32, 33][..]),
        (33, 32, &[33]),
        (34, 32, &[32, 2]),
        (32, 32, &[32]),
        (1, 32, &[1]),
        (5, 2, &[2, 3]),
        (3, 1, &[1, 1, 1]),
    ] {
        let loader = loader(count, batch_size).shuffled(1);
        let batches = loader.epoch(1).map(Result::unwrap);
        let found: Vec<_> = batches.map(|batch| batch.labels.len()).collect();
        assert_eq!(found, sizes, "{count} images, {batch_size} a batch");
        assert_eq!(loader.num_batches(), sizes.len());
        let mut all = numbers(loader.epoch(1));
        all.sort_unstable();
        assert!(all.into_iter().eq(0..count as u32));
    }
}

#[test]
fn a_shuffled_epoch_shows_each_image_once_in_an_order_of_its_own() {
    let set = numbered_images(300);
    let indices: Arc<[u32]> = (50..250).collect();
    let loader = Loader::new(set, indices.clone(), &raw(1), 32, &Device::ndarray()).shuffled(7);
    let first = numbers(loader.epoch(1));
    let mut sorted = first.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, indices.to_vec());
    assert_ne!(first, sorted);
    assert_eq!(first, loader.epoch(1).order());
    assert_eq!(numbers(loader.epoch(1)), first);
    assert_ne!(numbers(loader.epoch(2)), first);
    assert_ne!(loader.shuffled(8).epoch(1).order(), first);
}

#[test]
fn the_order_never_changes_between_versions() {
    let loader = loader(10, 10).shuffled(42);
    assert_eq!(loader.epoch(1).order(), GOLDEN);
}

const GOLDEN: [u32; 10] = [8, 1, 2, 4, 0, 9, 3, 7, 5, 6];

#[test]
fn each_iteration_serves_the_next_epoch_from_the_one_asked_for() {
    let loader = loader(100, 10).shuffled(1).starting_at(5);
    let moved = loader.to_device(&Device::ndarray());
    assert_eq!(numbers(loader.iter()), loader.epoch(5).order());
    assert_eq!(numbers(moved.iter()), loader.epoch(6).order());
    assert_eq!(numbers(loader.iter()), loader.epoch(7).order());
    assert_eq!(
        numbers(loader.starting_at(1).iter()),
        numbers(self::loader(100, 10).shuffled(1).iter())
    );
}

#[test]
fn a_slice_serves_its_part_and_counts_epochs_by_itself() {
    let loader = loader(100, 10).starting_at(3);
    let (left, right) = (loader.slice(0, 45), loader.slice(45, 100));
    assert_eq!((left.num_items(), right.num_items()), (45, 55));
    assert_eq!(numbers(left.iter()), (0..45).collect::<Vec<_>>());
    assert_eq!(numbers(right.iter()), (45..100).collect::<Vec<_>>());
    let loader = loader.shuffled(1);
    let (left, right) = (loader.slice(0, 45), loader.slice(45, 100));
    let (first, _) = (numbers(left.iter()), numbers(right.iter()));
    assert_ne!(numbers(left.iter()), first);
    assert_eq!(numbers(loader.iter()), loader.epoch(3).order());
}

#[test]
fn progress_counts_images() {
    let loader = loader(70, 32);
    let mut iterator = loader.iter();
    let mut seen = Vec::new();
    while iterator.next().is_some() {
        let progress = iterator.progress();
        assert_eq!(progress.items_total, 70);
        seen.push(progress.items_processed);
    }
    assert_eq!(seen, [32, 64, 70]);
}

#[test]
fn augmented_images_depend_on_the_epoch_and_not_on_the_order_or_the_batch() {
    let plain = loader(64, 16);
    let bent = plain.clone().augmented(BENT, 3, None);
    let images = |loader: &Loader, epoch| -> Vec<u8> {
        loader
            .epoch(epoch)
            .flat_map(|batch| pixels(&batch.unwrap()))
            .collect()
    };
    let first = images(&bent, 1);
    assert_ne!(first, images(&plain, 1));
    assert_ne!(first, images(&bent, 2));
    assert_eq!(first, images(&loader(64, 64).augmented(BENT, 3, None), 1));
    let shuffled = bent.shuffled(9);
    let order = shuffled.epoch(1).order().to_vec();
    for (image, index) in images(&shuffled, 1).chunks_exact(PIXELS).zip(order) {
        assert_eq!(image, &first[index as usize * PIXELS..][..PIXELS]);
    }
}

#[test]
fn the_last_epochs_are_plain_where_asked() {
    let plain = loader(32, 32);
    let bent = plain.clone().augmented(BENT, 3, Some(4));
    let first = |loader: &Loader, epoch| pixels(&loader.epoch(epoch).next().unwrap().unwrap());
    assert_ne!(first(&bent, 3), first(&plain, 3));
    assert_eq!(first(&bent, 4), first(&plain, 4));
    assert_eq!(first(&bent, 5), first(&plain, 5));
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let loader = Loader::whole(
        numbered_images(300),
        &Normalization::of(&numbered_images(300)),
        128,
        &Device::ndarray(),
    )
    .shuffled(1)
    .augmented(BENT, 2, None);
    let on_threads = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(|| -> Vec<u32> {
                loader
                    .epoch(2)
                    .flat_map(|batch| {
                        let values: Vec<f32> =
                            batch.unwrap().images.into_data().try_to_vec().unwrap();
                        values.into_iter().map(f32::to_bits).collect::<Vec<_>>()
                    })
                    .collect()
            })
    };
    let one = on_threads(1);
    assert_eq!(one.len(), 300 * PIXELS);
    assert_eq!(on_threads(2), one);
    assert_eq!(on_threads(7), one);
}

#[test]
fn burns_dataset_tools_see_the_same_images() {
    let set = numbered_images(12);
    let dataset: &dyn Dataset<data::Item> = &set;
    assert_eq!(dataset.len(), 12);
    let item = dataset.get(11).unwrap();
    assert_eq!((&item.image[..], item.label), (set.image(11), 1));
}

#[test]
fn images_of_any_shape_keep_it() {
    for shape in [COLOUR, ImageShape::new(1, 3, 11).unwrap()] {
        let set = numbered(shape, digits(), 40);
        let loader = Loader::whole(set.clone(), &raw(shape.channels), 32, &Device::ndarray());
        let ImageShape {
            channels,
            height,
            width,
        } = shape;
        let batches: Vec<Batch> = loader.epoch(1).map(Result::unwrap).collect();
        for (batch, size) in batches.iter().zip([32, 8]) {
            assert_eq!(batch.images.dims(), [size, channels, height, width]);
        }
        let found: Vec<u8> = batches.iter().flat_map(pixels).collect();
        assert_eq!(found, set.pixels());
    }
}

#[test]
fn each_channel_is_normalized_by_its_own_numbers() {
    let set = numbered(COLOUR, digits(), 20);
    let normalization = Normalization {
        mean: vec![0.0, 0.5, -1.0],
        std: vec![1.0, 0.25, 4.0],
    };
    let loader = Loader::whole(set.clone(), &normalization, 20, &Device::ndarray());
    let batch = loader.epoch(1).next().unwrap().unwrap();
    let values: Vec<f32> = batch.images.into_data().try_to_vec().unwrap();
    for (at, (value, &pixel)) in values.iter().zip(set.pixels()).enumerate() {
        let channel = at / COLOUR.plane() % 3;
        let expected =
            (f64::from(pixel) / 255.0 - normalization.mean[channel]) / normalization.std[channel];
        assert!((f64::from(*value) - expected).abs() < 1e-6, "{at}");
    }
}

#[test]
fn augmented_colour_images_are_what_the_augmentation_draws() {
    let set = numbered(COLOUR, digits(), 16);
    let loader =
        Loader::whole(set.clone(), &raw(3), 5, &Device::ndarray()).augmented(BENT, 3, None);
    let found: Vec<u8> = loader
        .epoch(2)
        .flat_map(|batch| pixels(&batch.unwrap()))
        .collect();
    for (index, image) in found.chunks_exact(COLOUR.len()).enumerate() {
        let mut expected = vec![0; COLOUR.len()];
        let draw = Draw {
            seed: 3,
            epoch: 2,
            index,
        };
        let scratch = &mut Scratch::default();
        BENT.apply(COLOUR, set.image(index), None, draw, scratch, &mut expected);
        assert_eq!(image, expected);
    }
}

#[test]
fn images_of_no_digit_come_with_each_batch_and_count_as_none() {
    let set = data::Source::Bundled.train(&()).unwrap();
    let whole = Loader::whole(set.clone(), &raw(1), 100, &Device::ndarray()).shuffled(5);
    let with = whole.clone().with_negatives(0.2, 5);
    let (plain, mixed) = (
        whole.epoch(3).next().unwrap(),
        with.epoch(3).next().unwrap(),
    );
    let (plain, mixed) = (plain.unwrap(), mixed.unwrap());
    assert_eq!(
        (with.num_items(), mixed.images.dims()),
        (60_000, [120, 1, 28, 28])
    );
    assert_eq!(mixed.labels[..100], plain.labels[..]);
    assert!(
        mixed.labels[100..]
            .iter()
            .all(|&label| label == kernels::NO_CLASS)
    );
    let (digits, mixed) = (pixels(&plain), pixels(&mixed));
    assert_eq!(mixed[..100 * PIXELS], digits[..]);
    // None of them is a digit of the set as it is, and none is empty.
    let known: std::collections::HashSet<&[u8]> = digits.chunks_exact(PIXELS).collect();
    for negative in mixed[100 * PIXELS..].chunks_exact(PIXELS) {
        assert!(!known.contains(negative) && negative.iter().any(|&pixel| pixel > 60));
    }
    // Drawn from seed, epoch and image.
    let again = with.epoch(3).next().unwrap().unwrap();
    assert_eq!(pixels(&again), mixed);
    let later = with.epoch(4).next().unwrap().unwrap();
    assert_ne!(pixels(&later)[100 * PIXELS..], mixed[100 * PIXELS..]);
    // Other classes have none.
    let shape = ImageShape::new(1, 28, 28).unwrap();
    let letters = data::Classes::named(vec!["a".into(), "b".into()]).unwrap();
    let set = data::LabelledImages::new(shape, letters, vec![9; 10 * 784], vec![1; 10]).unwrap();
    let loader = Loader::whole(set, &raw(1), 5, &Device::ndarray()).with_negatives(0.2, 5);
    assert_eq!(loader.epoch(1).next().unwrap().unwrap().images.dims()[0], 5);
}

/// Images 0 to 9 once, and 10 to 19 as often as the weight says.
fn weighed(weight: f64) -> Loader {
    let more: Vec<u32> = (10..20).collect();
    let set = numbered_images(20);
    Loader::new(set, (0..10).collect(), &raw(1), 7, &Device::ndarray()).with_more(&more, weight, 3)
}

#[test]
fn more_images_are_shown_by_their_weight_and_the_fraction_is_drawn_for_each_epoch() {
    for (weight, copies, drawn) in [(0.3, 0_usize, 3), (1.0, 1, 0), (2.5, 2, 5)] {
        let loader = weighed(weight);
        let count = 10 + 10 * copies + drawn;
        assert_eq!(
            (loader.num_items(), loader.num_batches()),
            (count, count.div_ceil(7))
        );
        assert_eq!(Loader::shown_more(10, weight), count - 10);
        let shown = |epoch| {
            let mut times = [0_usize; 20];
            numbers(loader.epoch(epoch))
                .iter()
                .for_each(|&image| times[image as usize] += 1);
            times
        };
        let first = shown(1);
        assert_eq!(first[..10], [1; 10]);
        let once_more = first[10..]
            .iter()
            .filter(|&&times| times == copies + 1)
            .count();
        assert_eq!(once_more, drawn);
        assert!(
            first[10..]
                .iter()
                .all(|&times| times == copies || times == copies + 1)
        );
        assert_eq!(first, shown(1));
        assert_eq!(drawn > 0, (2..9).any(|epoch| shown(epoch) != first));
        // Shuffling changes the order alone.
        let mut shuffled = numbers(loader.clone().shuffled(1).epoch(5));
        let mut plain = numbers(loader.epoch(5));
        shuffled.sort_unstable();
        plain.sort_unstable();
        assert_eq!(shuffled, plain);
    }
}

#[test]
fn copies_of_an_image_are_bent_each_in_its_own_way_and_the_main_set_as_ever() {
    let set = numbered_images(2);
    let plain =
        Loader::new(set, [0].into(), &raw(1), 4, &Device::ndarray()).augmented(BENT, 3, None);
    let shown = |loader: &Loader| pixels(&loader.epoch(1).next().unwrap().unwrap());
    let both = shown(&plain.clone().with_more(&[1], 2.0, 3));
    let images: Vec<&[u8]> = both.chunks_exact(PIXELS).collect();
    assert_eq!(images.len(), 3);
    assert!(images[1] != images[2]);
    assert!(images[0] == shown(&plain));
}

#[test]
fn a_batch_is_split_into_parts_in_order_whose_shares_add_up() {
    let whole = loader(11, 11).epoch(1).next().unwrap().unwrap();
    let (images, labels) = (pixels(&whole), whole.labels.clone());
    let devices = [
        Device::ndarray().autodiff(),
        Device::flex(),
        Device::ndarray(),
    ];
    let parts = whole.clone().split(&devices);
    let sizes: Vec<usize> = parts.iter().map(|part| part.labels.len()).collect();
    assert_eq!(sizes, [3, 4, 4]);
    let shares: Vec<f32> = parts.iter().map(|part| part.share).collect();
    assert_eq!(shares, [3.0 / 11.0, 4.0 / 11.0, 4.0 / 11.0]);
    let joined: Vec<u16> = parts.iter().flat_map(|part| part.labels.to_vec()).collect();
    assert_eq!(joined, *labels);
    for (part, device) in parts.iter().zip(&devices) {
        assert_eq!(part.images.device(), *device);
    }
    assert_eq!(parts.iter().flat_map(pixels).collect::<Vec<u8>>(), images);
    // Nobody gets nothing to do.
    let few = loader(2, 2).epoch(1).next().unwrap().unwrap();
    assert_eq!(few.split(&devices).len(), 2);
}
