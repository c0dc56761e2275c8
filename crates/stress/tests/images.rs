//! Damaged images and outliers: the same everywhere, for every shape.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use data::{ImageShape, Random, Source, mnist};
use evaluation::{PixelLimits, Pixels};
use stress::{Corruption, Outlier};

const PIXELS: usize = mnist::SHAPE.len();

/// An upright stroke with soft sides, a little different for each index.
fn digit(index: usize) -> [u8; PIXELS] {
    let height = 14 + index % 7;
    std::array::from_fn(|at| {
        let (x, y) = (at % 28, at / 28);
        match x {
            13 | 14 if (4..4 + height).contains(&y) => 255,
            12 | 15 if (4..4 + height).contains(&y) => 120,
            _ => 0,
        }
    })
}

#[test]
fn the_identity_changes_nothing_and_every_other_corruption_nearly_every_image() {
    for corruption in Corruption::ALL {
        let changed = (0..100)
            .filter(|&index| {
                corruption.apply(mnist::SHAPE, &digit(index), 3, index) != digit(index)
            })
            .count();
        match corruption {
            Corruption::Identity => assert_eq!(changed, 0),
            _ => assert!(changed >= 99, "{corruption:?} changed {changed} of 100"),
        }
    }
}

#[test]
fn a_corruption_depends_on_seed_and_index_alone() {
    for corruption in Corruption::ALL {
        let draws: Vec<_> = [(0, 0), (0, 1), (1, 0), (0, 0)]
            .iter()
            .map(|&(seed, index)| corruption.apply(mnist::SHAPE, &digit(0), seed, index))
            .collect();
        assert_eq!(draws[0], draws[3], "{corruption:?}");
        let fixed = [Corruption::Identity, Corruption::CannyEdges].contains(&corruption);
        assert_eq!(
            draws[0] == draws[1] && draws[0] == draws[2],
            fixed,
            "{corruption:?}"
        );
    }
}

#[test]
fn corruptions_bear_any_image() {
    let mut random = Random::keyed(&[8]);
    let noise: [u8; PIXELS] = std::array::from_fn(|_| random.next_u64() as u8);
    for image in [[0; PIXELS], [255; PIXELS], noise] {
        for corruption in Corruption::ALL {
            corruption.apply(mnist::SHAPE, &image, 0, 0);
        }
    }
}

#[test]
fn geometry_keeps_the_ink_and_moves_it() {
    let ink = |image: &[u8]| image.iter().map(|&pixel| f64::from(pixel)).sum::<f64>();
    let whole = ink(&digit(0));
    for (corruption, least, most) in [
        (Corruption::Rotate, 0.9, 1.1),
        (Corruption::Shear, 0.9, 1.1),
        (Corruption::MotionBlur, 0.9, 1.1),
        (Corruption::GlassBlur, 0.9, 1.1),
        // Half to two thirds of each side is a quarter to four ninths of the area.
        (Corruption::Scale, 0.2, 0.5),
    ] {
        for index in 0..50 {
            let left = ink(&corruption.apply(mnist::SHAPE, &digit(0), 0, index)) / whole;
            assert!((least..most).contains(&left), "{corruption:?}: {left}");
        }
    }
}

#[test]
fn edges_surround_the_stroke_and_leave_it_empty() {
    let edges = Corruption::CannyEdges.apply(mnist::SHAPE, &digit(0), 0, 0);
    assert!(edges.iter().all(|&pixel| pixel == 0 || pixel == 255));
    let row = &edges[12 * 28..13 * 28];
    assert_eq!(
        row.iter().filter(|&&pixel| pixel == 255).count(),
        2,
        "{row:?}"
    );
}

#[test]
fn outliers_differ_by_index_and_come_again() {
    for kind in Outlier::ALL {
        let image = |index| kind.image(mnist::SHAPE, 1, index);
        assert_eq!(image(5), image(5));
        assert_ne!(image(5), image(6), "{kind:?}");
    }
    assert_eq!(Outlier::Blank.image(mnist::SHAPE, 0, 0), [0; PIXELS]);
    assert_eq!(Outlier::Blank.image(mnist::SHAPE, 0, 1), [255; PIXELS]);
}

#[test]
fn the_pixels_of_some_digits_tell_others_from_noise_and_blanks() {
    fn pixels(bytes: &[u8]) -> Pixels<'_> {
        let [height, width] = [mnist::SHAPE.height, mnist::SHAPE.width];
        Pixels {
            bytes,
            height,
            width,
        }
    }
    let train = Source::Bundled.train(&()).unwrap();
    let limits = PixelLimits::of((0..5000).map(|index| pixels(train.image(index)))).unwrap();
    let held = (5000..10_000)
        .filter(|&index| limits.hold(pixels(train.image(index))))
        .count();
    assert!(held > 4980, "{held} of 5000 digits");
    for kind in Outlier::ALL
        .into_iter()
        .filter(|kind| *kind != Outlier::Stroke)
    {
        let held = (0..500)
            .filter(|&index| limits.hold(pixels(&kind.image(mnist::SHAPE, 0, index))))
            .count();
        assert_eq!(held, 0, "{kind:?}");
    }
}

/// Digits, and noise as every fifth image.
fn inputs() -> impl Iterator<Item = [u8; PIXELS]> {
    (0..50).map(|index| {
        let mut random = Random::keyed(&[8, index as u64]);
        match index % 5 {
            4 => std::array::from_fn(|_| random.next_u64() as u8),
            _ => digit(index),
        }
    })
}

/// A number that any other byte would change.
fn digest(images: impl Iterator<Item = Vec<u8>>) -> u64 {
    let words: Vec<u64> = images.flatten().map(u64::from).collect();
    Random::keyed(&words).next_u64()
}

#[test]
fn the_images_of_each_kind_stay_what_they_are() {
    for (corruption, expected) in [
        (Corruption::Identity, 0x37dc_82f0_1c18_be1f),
        (Corruption::ShotNoise, 0x907f_0f58_d15d_eabb),
        (Corruption::ImpulseNoise, 0x400d_18dd_bb0f_02c8),
        (Corruption::GlassBlur, 0x1fb5_d012_60d1_df13),
        (Corruption::MotionBlur, 0xff8b_aa3e_3a99_d05c),
        (Corruption::Shear, 0x7b5c_e766_4ecf_b925),
        (Corruption::Scale, 0x44a2_608c_29ab_817a),
        (Corruption::Rotate, 0x2f62_c09d_e05e_bebb),
        (Corruption::Brightness, 0x6b19_44c7_63b9_6c69),
        (Corruption::Translate, 0x1ebc_3121_a927_3f20),
        (Corruption::Stripe, 0x74ea_8cf2_ac17_855a),
        (Corruption::Fog, 0x540e_0481_f6e8_8525),
        (Corruption::Spatter, 0xc0e5_3ae4_8298_0e0a),
        (Corruption::DottedLine, 0xa9a2_81cc_7551_67cf),
        (Corruption::Zigzag, 0xde12_162e_9bba_dae0),
        (Corruption::CannyEdges, 0xd2b1_97d1_a722_a0ed),
    ] {
        let images = inputs().enumerate();
        let images = images.map(|(index, image)| corruption.apply(mnist::SHAPE, &image, 7, index));
        assert_eq!(digest(images), expected, "{corruption:?}");
    }
    for (kind, expected) in [
        (Outlier::Blank, 0x3a5c_8403_6986_bc8a),
        (Outlier::UniformNoise, 0xd6fa_3233_a24c_3a1a),
        (Outlier::GaussianNoise, 0xb383_51e1_45a4_5e79),
        (Outlier::Checkerboard, 0x78ce_5570_8a24_99a1),
        (Outlier::Stroke, 0xe448_576a_8394_82de),
    ] {
        let images = (0..50).map(|index| kind.image(mnist::SHAPE, 7, index));
        assert_eq!(digest(images), expected, "{kind:?}");
    }
}

#[test]
fn each_channel_is_damaged_alike() {
    let colour = ImageShape::new(3, 28, 28).unwrap();
    for corruption in Corruption::ALL {
        for (index, image) in inputs().enumerate().take(10) {
            let grey = corruption.apply(mnist::SHAPE, &image, 3, index);
            let damaged = corruption.apply(colour, &image.repeat(3), 3, index);
            assert!(damaged == grey.repeat(3), "{corruption:?} {index}");
        }
    }
}

#[test]
fn images_of_any_shape_bear_everything_and_keep_it() {
    let sides = [1, 2, 3, 5, 7, 8, 13, 27, 29, 64, 65, 256];
    let shapes = sides
        .iter()
        .flat_map(|&side| [[side, side], [side, 1], [1, side], [side, 32]])
        .map(|[height, width]| ImageShape::new(3, height, width).unwrap());
    for shape in shapes {
        let mut random = Random::keyed(&[shape.len() as u64]);
        let image: Vec<u8> = (0..shape.len()).map(|_| random.next_u64() as u8).collect();
        for index in 0..2 {
            for corruption in Corruption::ALL {
                let damaged = corruption.apply(shape, &image, 1, index);
                assert_eq!(damaged.len(), shape.len(), "{corruption:?} {shape}");
            }
            for kind in Outlier::ALL {
                let drawn = kind.image(shape, 1, index);
                assert_eq!(drawn.len(), shape.len(), "{kind:?} {shape}");
            }
        }
    }
}

#[test]
fn damage_grows_with_the_image() {
    let moved = |side: usize| {
        let shape = ImageShape::new(1, side, side).unwrap();
        let image = vec![255; shape.len()];
        let damaged = Corruption::Translate.apply(shape, &image, 5, 0);
        damaged.iter().filter(|&&value| value == 0).count() as f64 / shape.len() as f64
    };
    let (small, large) = (moved(28), moved(28 * 8));
    assert!(
        small > 0.2 && (small - large).abs() < 0.03,
        "{small} {large}"
    );

    let stripe = |width: usize| {
        let shape = ImageShape::new(1, 10, width).unwrap();
        let damaged = Corruption::Stripe.apply(shape, &vec![0; shape.len()], 0, 0);
        damaged.iter().filter(|&&value| value == 255).count() / 10
    };
    assert_eq!((stripe(28), stripe(56), stripe(1)), (6, 12, 1));

    let edges = |side: usize| {
        let shape = ImageShape::new(1, side, side).unwrap();
        let bright = |at: usize| if at % side < side / 2 { 0 } else { 255 };
        let image: Vec<u8> = (0..shape.len()).map(bright).collect();
        let damaged = Corruption::CannyEdges.apply(shape, &image, 0, 0);
        let row = &damaged[side / 2 * side..][..side];
        // The bright right half has an end at the border, too.
        row[..side - side / 8]
            .iter()
            .filter(|&&value| value == 255)
            .count()
    };
    assert_eq!([28, 56, 112, 224].map(edges), [1; 4]);
}
