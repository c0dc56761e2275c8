use data::{Augmentation, DataError, Draw, ImageShape, Random, Scratch};
use sha2::{Digest, Sha256};

use crate::{COLOUR, GREY, numbered_images};

const WIDTH: usize = GREY.width;
const PIXELS: usize = GREY.len();

const STRONG: Augmentation = Augmentation {
    rotation: 20.0,
    shift: 0.2,
    zoom: 0.2,
    shear: 10.0,
    ..Augmentation::NONE
};

fn bent(
    augmentation: Augmentation,
    image: &[u8],
    seed: u64,
    epoch: usize,
    index: usize,
) -> Vec<u8> {
    bent_as(
        GREY,
        augmentation,
        image,
        [seed, epoch as u64, index as u64],
    )
}

/// The image of that shape, bent as drawn for a seed, an epoch and an index.
fn bent_as(shape: ImageShape, augmentation: Augmentation, image: &[u8], key: [u64; 3]) -> Vec<u8> {
    let mut out = vec![1; shape.len()];
    let [seed, epoch, index] = key;
    let (epoch, index) = (epoch as usize, index as usize);
    let draw = Draw { seed, epoch, index };
    augmentation.apply(shape, image, None, draw, &mut Scratch::default(), &mut out);
    out
}

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::keyed(&[seed]);
    (0..length)
        .map(|_| (random.next_u64() >> 56) as u8)
        .collect()
}

/// A bright square of 8×8 whose upper left corner is at (`x`, `y`).
fn square(x: usize, y: usize) -> Vec<u8> {
    (0..PIXELS)
        .map(|at| {
            let inside = (x..x + 8).contains(&(at % WIDTH)) && (y..y + 8).contains(&(at / WIDTH));
            if inside { 200 } else { 0 }
        })
        .collect()
}

/// Sum of the pixels, and their centre of mass relative to the middle of the image.
fn mass_and_centre(image: &[u8]) -> (f64, [f64; 2]) {
    let mass: f64 = image.iter().map(|&pixel| f64::from(pixel)).sum();
    let along = |position: fn(usize) -> usize| {
        image
            .iter()
            .enumerate()
            .map(|(at, &pixel)| f64::from(pixel) * position(at) as f64)
            .sum::<f64>()
            / mass
            - 13.5
    };
    (mass, [along(|at| at % WIDTH), along(|at| at / WIDTH)])
}

#[test]
fn no_amount_changes_no_byte() {
    let set = numbered_images(20);
    for index in 0..set.len() {
        let image = set.image(index);
        assert_eq!(bent(Augmentation::default(), image, 1, 2, index), image);
    }
}

#[test]
fn the_same_seed_epoch_and_index_give_the_same_image_and_any_other_another() {
    let set = numbered_images(1);
    let image = set.image(0);
    let reference = bent(STRONG, image, 1, 2, 3);
    assert_eq!(bent(STRONG, image, 1, 2, 3), reference);
    for (seed, epoch, index) in [(2, 2, 3), (1, 3, 3), (1, 2, 4)] {
        assert_ne!(bent(STRONG, image, seed, epoch, index), reference);
    }
}

#[test]
fn the_drawn_images_never_change_between_versions() {
    let image = square(6, 12);
    let sum = |index| -> u64 {
        bent(STRONG, &image, 42, 1, index)
            .iter()
            .zip(1_u64..)
            .map(|(&pixel, place)| u64::from(pixel) * place)
            .sum()
    };
    assert_eq!([sum(0), sum(1), sum(2)], GOLDEN);
}

const GOLDEN: [u64; 3] = [4_415_868, 5_242_081, 6_290_130];

#[test]
fn bent_noise_never_changes_between_versions() {
    let mut hasher = Sha256::new();
    for index in 0..500 {
        hasher.update(bent(STRONG, &noise(PIXELS, index), 42, 3, index as usize));
    }
    let digest = hasher.finalize();
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        digest,
        "7dcd02befc389325533f676be71d490fe8d062392e283bd1ce6ac1b9fed21620"
    );
}

#[test]
fn all_channels_are_bent_alike() {
    for shape in [COLOUR, ImageShape::new(3, 40, 23).unwrap()] {
        let plane = ImageShape {
            channels: 1,
            ..shape
        };
        for index in 0..50 {
            let image = noise(shape.len(), index);
            let whole = bent_as(shape, STRONG, &image, [7, 1, index]);
            let planes = image.chunks_exact(shape.plane());
            let apart: Vec<u8> = planes
                .flat_map(|channel| bent_as(plane, STRONG, channel, [7, 1, index]))
                .collect();
            assert_eq!(whole, apart);
            assert_ne!(whole, image);
        }
    }
}

#[test]
fn no_amount_changes_no_byte_of_any_shape() {
    for (height, width) in [(1, 1), (1, 256), (256, 1), (5, 7), (256, 256)] {
        let shape = ImageShape::new(3, height, width).unwrap();
        let image = noise(shape.len(), 1);
        let same = bent_as(shape, Augmentation::default(), &image, [1, 2, 1]);
        assert_eq!(same, image, "{shape}");
    }
}

/// A bright square of 8×8 in the middle of an image that isn't square.
fn oblong() -> (ImageShape, Vec<u8>) {
    let shape = ImageShape::new(1, 40, 80).unwrap();
    let image = (0..shape.len()).map(|at| {
        let inside = (36..44).contains(&(at % 80)) && (16..24).contains(&(at / 80));
        if inside { 200 } else { 0 }
    });
    (shape, image.collect())
}

/// The centre of mass of an image, from its upper left corner: `[x, y]`.
fn centre(shape: ImageShape, image: &[u8]) -> [f64; 2] {
    let (mut mass, mut centre) = (0.0, [0.0; 2]);
    for (at, &pixel) in image.iter().enumerate() {
        let weight = f64::from(pixel);
        mass += weight;
        centre[0] += weight * (at % shape.width) as f64;
        centre[1] += weight * (at / shape.width) as f64;
    }
    centre.map(|sum| sum / mass)
}

#[test]
fn a_shift_is_a_fraction_of_the_side_that_it_goes_along() {
    let (shape, image) = oblong();
    let shift = Augmentation {
        shift: 0.2,
        ..Default::default()
    };
    let mut furthest = [0.0_f64; 2];
    for index in 0..300 {
        let [x, y] = centre(shape, &bent_as(shape, shift, &image, [0, 1, index]));
        furthest[0] = furthest[0].max((x - 39.5).abs());
        furthest[1] = furthest[1].max((y - 19.5).abs());
    }
    assert!((15.0..16.1).contains(&furthest[0]), "{furthest:?} of 16");
    assert!((7.5..8.1).contains(&furthest[1]), "{furthest:?} of 8");
}

#[test]
fn rotation_shear_and_zoom_leave_the_middle_of_an_oblong_image_where_it_is() {
    let (shape, image) = oblong();
    let others = Augmentation {
        shift: 0.0,
        rotation: 180.0,
        zoom: 0.5,
        shear: 30.0,
        ..Augmentation::NONE
    };
    let mut changed = 0;
    for index in 0..200 {
        let drawn = bent_as(shape, others, &image, [0, 1, index]);
        let [x, y] = centre(shape, &drawn);
        assert!((x - 39.5).abs() < 0.1 && (y - 19.5).abs() < 0.1, "{x} {y}");
        changed += usize::from(drawn != image);
    }
    assert_eq!(changed, 200);
}

#[test]
fn the_largest_images_are_bent_by_the_largest_amounts() {
    let shape = ImageShape::new(1, 256, 256).unwrap();
    let all = Augmentation {
        rotation: 180.0,
        shift: 1.0,
        zoom: 0.9,
        shear: 60.0,
        ..Augmentation::NONE
    };
    // Whatever is shown of an image of one colour is that colour, or what lies beside it.
    let image = vec![200; shape.len()];
    let mut shown = 0;
    for index in 0..200 {
        let drawn = bent_as(shape, all, &image, [0, 1, index]);
        assert!(drawn.iter().all(|&pixel| pixel <= 200));
        shown += usize::from(drawn.contains(&200));
    }
    assert!(shown > 100, "{shown} of 200");
}

#[test]
fn a_shift_moves_the_image_as_a_whole_and_no_further_than_asked() {
    let shift = Augmentation {
        shift: 0.1,
        ..Default::default()
    };
    let image = square(10, 10);
    let (mass, start) = mass_and_centre(&image);
    let mut furthest = 0.0_f64;
    for index in 0..200 {
        let (shifted_mass, centre) = mass_and_centre(&bent(shift, &image, 0, 1, index));
        assert!((shifted_mass / mass - 1.0).abs() < 0.01);
        for (centre, start) in centre.iter().zip(start) {
            furthest = furthest.max((centre - start).abs());
        }
    }
    assert!((2.5..2.85).contains(&furthest), "{furthest} pixels of 2.8");
}

#[test]
fn a_rotation_turns_about_the_centre_and_no_further_than_asked() {
    let rotation = Augmentation {
        rotation: 30.0,
        ..Default::default()
    };
    let image = square(18, 10);
    let (mass, [x, y]) = mass_and_centre(&image);
    let mut angles = Vec::new();
    for index in 0..200 {
        let (turned_mass, [turned_x, turned_y]) =
            mass_and_centre(&bent(rotation, &image, 0, 1, index));
        assert!((turned_mass / mass - 1.0).abs() < 0.02);
        assert!((turned_x.hypot(turned_y) - x.hypot(y)).abs() < 0.1);
        angles.push((turned_y.atan2(turned_x) - y.atan2(x)).to_degrees());
    }
    assert!(angles.iter().all(|angle| angle.abs() < 30.5));
    assert!(angles.iter().any(|&angle| angle > 25.0) && angles.iter().any(|&angle| angle < -25.0));
}

#[test]
fn a_zoom_scales_the_area_both_ways() {
    let zoom = Augmentation {
        zoom: 0.2,
        ..Default::default()
    };
    let image = square(10, 10);
    let (mass, _) = mass_and_centre(&image);
    let scales: Vec<f64> = (0..200)
        .map(|index| mass_and_centre(&bent(zoom, &image, 0, 1, index)).0 / mass)
        .collect();
    assert!(
        scales.iter().all(|scale| (0.60..1.48).contains(scale)),
        "{scales:?}"
    );
    assert!(scales.iter().any(|&scale| scale < 0.7) && scales.iter().any(|&scale| scale > 1.35));
}

#[test]
fn a_shear_leans_the_image_and_keeps_its_rows() {
    let shear = Augmentation {
        shear: 20.0,
        ..Default::default()
    };
    let image = square(10, 2);
    let (mass, [_, y]) = mass_and_centre(&image);
    let mut leans = Vec::new();
    for index in 0..200 {
        let (leant_mass, [leant_x, leant_y]) = mass_and_centre(&bent(shear, &image, 0, 1, index));
        assert!((leant_mass / mass - 1.0).abs() < 0.02);
        assert!((leant_y - y).abs() < 0.05);
        leans.push((leant_x / y).atan().to_degrees());
    }
    assert!(leans.iter().all(|lean| lean.abs() < 23.0));
    assert!(leans.iter().any(|&lean| lean > 15.0) && leans.iter().any(|&lean| lean < -15.0));
}

/// Every kind at some amount.
const ALL: Augmentation = Augmentation {
    stretch: 0.2,
    elastic: 0.05,
    stroke: 1.0,
    outline: 0.3,
    resolution: 0.5,
    blur: 1.0,
    binarize: 0.3,
    contrast: 0.5,
    shade: 0.5,
    noise: 0.1,
    crop: 0.1,
    styles: 0.5,
    ..STRONG
};

/// The same with one amount changed, by its name in a recipe.
fn with(augmentation: Augmentation, name: &str, value: f64) -> Augmentation {
    let mut fields = serde_json::to_value(augmentation).unwrap();
    assert!(fields[name].is_number(), "{name}");
    // JSON has no name for what is no number or beyond all numbers.
    if value.is_finite() {
        fields[name] = value.into();
        return serde_json::from_value(fields).unwrap();
    }
    let mut changed = augmentation;
    match name {
        "rotation" => changed.rotation = value,
        "shift" => changed.shift = value,
        "zoom" => changed.zoom = value,
        "stretch" => changed.stretch = value,
        "shear" => changed.shear = value,
        "elastic" => changed.elastic = value,
        "stroke" => changed.stroke = value,
        "resolution" => changed.resolution = value,
        "blur" => changed.blur = value,
        "binarize" => changed.binarize = value,
        "contrast" => changed.contrast = value,
        "shade" => changed.shade = value,
        "noise" => changed.noise = value,
        "crop" => changed.crop = value,
        "outline" => changed.outline = value,
        _ => changed.styles = value,
    }
    changed
}

#[test]
fn amounts_out_of_range_are_named_and_count_as_the_nearest_end() {
    let image = noise(PIXELS, 1);
    for (field, _, most) in ALL.amounts() {
        for (beyond, nearest) in [
            (most + 0.01, most),
            (f64::INFINITY, most),
            (-0.1, 0.0),
            (f64::NEG_INFINITY, 0.0),
        ] {
            let error = with(ALL, field, beyond).validate().unwrap_err();
            assert!(matches!(error, DataError::Augmentation { name, .. } if name == field));
            for index in 0..20 {
                assert_eq!(
                    bent(with(ALL, field, beyond), &image, 0, 1, index),
                    bent(with(ALL, field, nearest), &image, 0, 1, index),
                    "{field} {beyond}"
                );
            }
        }
        // What is no number is refused too; drawn all the same it gives an image.
        assert!(with(ALL, field, f64::NAN).validate().is_err());
        assert_eq!(
            bent(with(ALL, field, f64::NAN), &image, 0, 1, 0).len(),
            image.len()
        );
        assert!(with(ALL, field, most).validate().is_ok());
        assert!(with(ALL, field, 0.0).validate().is_ok());
    }
    assert!(ALL.validate().is_ok() && Augmentation::default().validate().is_ok());
}

#[test]
fn an_unknown_amount_in_a_file_is_refused_and_a_missing_one_is_zero() {
    assert!(serde_json::from_str::<Augmentation>(r#"{"rotatoin": 3.0}"#).is_err());
    let read: Augmentation = serde_json::from_str(r#"{"rotation": 3.0}"#).unwrap();
    assert_eq!(
        read,
        Augmentation {
            rotation: 3.0,
            ..Default::default()
        }
    );
}
