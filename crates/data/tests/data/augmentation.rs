use data::{Augmentation, DataError, PIXELS, WIDTH};

use crate::numbered_images;

const STRONG: Augmentation = Augmentation {
    rotation: 20.0,
    shift: 0.2,
    zoom: 0.2,
    shear: 10.0,
};

fn bent(
    augmentation: Augmentation,
    image: &[u8],
    seed: u64,
    epoch: usize,
    index: usize,
) -> Vec<u8> {
    let mut out = vec![1; PIXELS];
    augmentation.apply(image, seed, epoch, index, &mut out);
    out
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

#[test]
fn amounts_out_of_range_are_named_and_never_panic() {
    for (augmentation, field) in [
        (
            Augmentation {
                rotation: 181.0,
                ..STRONG
            },
            "rotation",
        ),
        (
            Augmentation {
                shift: -0.1,
                ..STRONG
            },
            "shift",
        ),
        (
            Augmentation {
                zoom: 1.0,
                ..STRONG
            },
            "zoom",
        ),
        (
            Augmentation {
                shear: f64::NAN,
                ..STRONG
            },
            "shear",
        ),
    ] {
        let error = augmentation.validate().unwrap_err();
        assert!(matches!(error, DataError::Augmentation { name, .. } if name == field));
        bent(augmentation, &square(0, 0), 0, 1, 0);
    }
    let extreme = f64::INFINITY;
    let extreme = Augmentation {
        rotation: extreme,
        shift: extreme,
        zoom: extreme,
        shear: extreme,
    };
    for index in 0..100 {
        bent(extreme, &square(0, 0), 0, 1, index);
    }
    assert!(STRONG.validate().is_ok() && Augmentation::default().validate().is_ok());
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
