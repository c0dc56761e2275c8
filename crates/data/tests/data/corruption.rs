use data::{Corruption, InkLimits, NonDigit, PIXELS, Random};

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
            .filter(|&index| corruption.apply(&digit(index), 3, index) != digit(index))
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
            .map(|&(seed, index)| corruption.apply(&digit(0), seed, index))
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
            corruption.apply(&image, 0, 0);
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
            let left = ink(&corruption.apply(&digit(0), 0, index)) / whole;
            assert!((least..most).contains(&left), "{corruption:?}: {left}");
        }
    }
}

#[test]
fn edges_surround_the_stroke_and_leave_it_empty() {
    let edges = Corruption::CannyEdges.apply(&digit(0), 0, 0);
    assert!(edges.iter().all(|&pixel| pixel == 0 || pixel == 255));
    let row = &edges[12 * 28..13 * 28];
    assert_eq!(
        row.iter().filter(|&&pixel| pixel == 255).count(),
        2,
        "{row:?}"
    );
}

#[test]
fn images_without_a_digit_differ_by_index_and_come_again() {
    for kind in NonDigit::ALL {
        assert_eq!(kind.image(1, 5), kind.image(1, 5));
        assert_ne!(kind.image(1, 5), kind.image(1, 6), "{kind:?}");
    }
    assert_eq!(NonDigit::Blank.image(0, 0), [0; PIXELS]);
    assert_eq!(NonDigit::Blank.image(0, 1), [255; PIXELS]);
}

#[cfg(feature = "bundled")]
#[test]
fn the_ink_of_some_digits_tells_others_from_noise_and_blanks() {
    let images = data::Source::Bundled.test().unwrap();
    let limits = InkLimits::of((0..5000).map(|index| images.image(index))).unwrap();
    assert!((0..5000).all(|index| limits.hold(images.image(index))));
    let held = (5000..10_000)
        .filter(|&index| limits.hold(images.image(index)))
        .count();
    assert!(held > 4980, "{held} of 5000 digits");
    let noise = [
        NonDigit::Blank,
        NonDigit::UniformNoise,
        NonDigit::GaussianNoise,
        NonDigit::Checkerboard,
    ];
    for kind in noise {
        let held = (0..500)
            .filter(|&index| limits.hold(&kind.image(0, index)))
            .count();
        assert_eq!(held, 0, "{kind:?}");
    }
}

#[test]
fn no_images_give_no_limits() {
    assert_eq!(InkLimits::of([]), None);
}
