//! What other pens, papers and scanners make of an image.

use data::{Augmentation, Draw, ImageShape, Scratch, Source};

use crate::GREY;

const WIDTH: usize = GREY.width;

fn drawn(kinds: Augmentation, image: &[u8], digit: Option<u8>, index: usize) -> Vec<u8> {
    drawn_as(GREY, kinds, image, digit, index)
}

fn drawn_as(
    shape: ImageShape,
    kinds: Augmentation,
    image: &[u8],
    digit: Option<u8>,
    index: usize,
) -> Vec<u8> {
    let mut out = vec![7; shape.len()];
    let draw = Draw {
        seed: 3,
        epoch: 2,
        index,
    };
    kinds.apply(shape, image, digit, draw, &mut Scratch::default(), &mut out);
    out
}

/// An upright stroke, `width` pixels wide and 18 high.
fn stem(width: usize) -> Vec<u8> {
    let left = 14 - width / 2;
    let inside =
        |at: usize| (left..left + width).contains(&(at % WIDTH)) && (5..23).contains(&(at / WIDTH));
    (0..GREY.len())
        .map(|at| if inside(at) { 240 } else { 0 })
        .collect()
}

fn mass(image: &[u8]) -> f64 {
    image.iter().map(|&pixel| f64::from(pixel)).sum()
}

fn brightest(image: &[u8]) -> u8 {
    image.iter().copied().max().unwrap()
}

/// What 400 draws of one kind give.
fn draws(kinds: Augmentation, image: &[u8]) -> Vec<Vec<u8>> {
    (0..400)
        .map(|index| drawn(kinds, image, None, index))
        .collect()
}

fn share(images: &[Vec<u8>], holds: impl Fn(&[u8]) -> bool) -> f64 {
    images.iter().filter(|image| holds(image)).count() as f64 / images.len() as f64
}

#[test]
fn each_kind_is_a_function_of_seed_epoch_and_index_and_of_no_other_kind() {
    let image = stem(4);
    let one = Augmentation {
        noise: 0.2,
        ..Augmentation::NONE
    };
    // A kind that changes nothing here: the image is black where it would be cut.
    let both = Augmentation {
        stroke: 1e-9,
        ..one
    };
    let mut different = 0;
    for index in 0..50 {
        let first = drawn(one, &image, None, index);
        assert_eq!(first, drawn(one, &image, None, index));
        assert_eq!(first, drawn(both, &image, None, index));
        different += usize::from(first != drawn(one, &image, None, index + 1000));
    }
    assert!(different > 30, "{different}");
}

#[test]
fn strokes_become_thicker_or_thinner_by_fractions_of_a_pixel_and_stay_as_bright() {
    let image = stem(4);
    let stroke = Augmentation {
        stroke: 1.0,
        ..Augmentation::NONE
    };
    let found = draws(stroke, &image);
    let widths: Vec<f64> = found
        .iter()
        .map(|drawn| mass(drawn) / mass(&image))
        .collect();
    // One pixel on each side of a stroke of four.
    assert!(widths.iter().all(|width| (0.4..1.7).contains(width)));
    assert!(widths.iter().any(|&width| width < 0.8) && widths.iter().any(|&width| width > 1.4));
    let near = |width: &&f64| (0.85..1.15).contains(*width);
    assert!(widths.iter().filter(near).count() > 50);
    assert!(found.iter().all(|drawn| brightest(drawn) == 240));
    // A hair is thinned, not lost.
    let hair = stem(1);
    let thinned = draws(
        Augmentation {
            stroke: 2.0,
            ..stroke
        },
        &hair,
    );
    assert!(thinned.iter().all(|drawn| mass(drawn) > 0.3 * mass(&hair)));
}

#[test]
fn of_a_share_of_the_images_a_line_around_the_strokes_is_left() {
    let image = stem(4);
    let outline = Augmentation {
        outline: 0.25,
        ..Augmentation::NONE
    };
    let found = draws(outline, &image);
    let same = share(&found, |drawn| drawn == image);
    assert!((0.68..0.82).contains(&same), "{same}");
    for drawn in found.iter().filter(|drawn| **drawn != image) {
        for (at, (&pixel, &inked)) in drawn.iter().zip(&image).enumerate() {
            let beside = [
                at.wrapping_sub(1),
                at + 1,
                at.wrapping_sub(WIDTH),
                at + WIDTH,
            ]
            .into_iter()
            .any(|near| image.get(near).is_some_and(|&pixel| pixel > 0));
            let expected = if inked == 0 && beside { 240 } else { 0 };
            assert_eq!(pixel, expected, "at {at}");
        }
    }
}

#[test]
fn half_of_the_images_lose_resolution_or_focus_and_no_ink() {
    let image = stem(4);
    for kinds in [
        Augmentation {
            resolution: 0.6,
            ..Augmentation::NONE
        },
        Augmentation {
            blur: 1.5,
            ..Augmentation::NONE
        },
    ] {
        let found = draws(kinds, &image);
        let same = share(&found, |drawn| drawn == image);
        assert!((0.4..0.75).contains(&same), "{same}");
        for drawn in &found {
            assert!((mass(drawn) / mass(&image) - 1.0).abs() < 0.04);
            // What is spread out is less bright, and none of it is brighter.
            assert!(brightest(drawn) <= 241);
        }
        assert!(share(&found, |drawn| brightest(drawn) < 225) > 0.05);
    }
}

#[test]
fn black_and_white_keeps_the_shape() {
    let grey: Vec<u8> = stem(6)
        .iter()
        .enumerate()
        .map(|(at, &pixel)| if at % WIDTH < 14 { pixel / 4 } else { pixel })
        .collect();
    let binarize = Augmentation {
        binarize: 1.0,
        ..Augmentation::NONE
    };
    let found = draws(binarize, &grey);
    let sharp = |drawn: &[u8]| drawn.iter().all(|&pixel| pixel == 0 || pixel == 240);
    assert!(share(&found, sharp) > 0.3);
    // A quarter of the brightness is below every threshold, however soft, but for a trace.
    for drawn in &found {
        for (at, &pixel) in drawn.iter().enumerate() {
            match grey[at] {
                240 => assert!(pixel >= 235),
                _ => assert!(pixel <= 105),
            }
        }
    }
    let few = Augmentation {
        binarize: 0.2,
        ..binarize
    };
    let touched = share(&draws(few, &grey), |drawn| drawn != grey);
    assert!((0.1..0.3).contains(&touched), "{touched}");
}

#[test]
fn light_fades_evenly_with_contrast_and_to_one_side_with_shade() {
    let image = vec![200; GREY.len()];
    let faint = draws(
        Augmentation {
            contrast: 0.5,
            ..Augmentation::NONE
        },
        &image,
    );
    for drawn in &faint {
        assert!(drawn.iter().all(|pixel| *pixel == drawn[0] && *pixel >= 98));
    }
    assert!(share(&faint, |drawn| drawn[0] < 150) > 0.1);
    let shaded = draws(
        Augmentation {
            shade: 0.5,
            ..Augmentation::NONE
        },
        &image,
    );
    for drawn in &shaded {
        let least = drawn.iter().copied().min().unwrap();
        assert!(brightest(drawn) >= 185 && least >= 95, "{least}");
    }
    let uneven = |drawn: &[u8]| {
        let corners = [0, WIDTH - 1, GREY.len() - WIDTH, GREY.len() - 1].map(|at| drawn[at]);
        corners.iter().max().unwrap() - corners.iter().min().unwrap() > 40
    };
    assert!(share(&shaded, uneven) > 0.2);
}

#[test]
fn noise_changes_pixels_by_no_more_than_asked() {
    let image = vec![128; GREY.len()];
    let noise = Augmentation {
        noise: 0.1,
        ..Augmentation::NONE
    };
    let found = draws(noise, &image);
    assert!(
        found
            .iter()
            .flatten()
            .all(|&pixel| pixel.abs_diff(128) <= 26)
    );
    let noisy = |drawn: &[u8]| drawn.iter().any(|&pixel| pixel.abs_diff(128) > 10);
    assert!(share(&found, noisy) > 0.2);
    for drawn in &found {
        assert!((mass(drawn) / mass(&image) - 1.0).abs() < 0.02);
    }
}

#[test]
fn crops_take_from_one_side_of_what_is_drawn() {
    let image = stem(8);
    let crop = Augmentation {
        crop: 0.25,
        ..Augmentation::NONE
    };
    let mut sides = std::collections::BTreeSet::<(usize, usize)>::new();
    for drawn in draws(crop, &image) {
        let lost = 1.0 - mass(&drawn) / mass(&image);
        assert!((0.0..=0.25).contains(&lost), "{lost}");
        let ends = [(5, 14), (22, 14), (12, 10), (12, 17)];
        sides.extend(ends.into_iter().filter(|(y, x)| drawn[y * WIDTH + x] == 0));
    }
    assert_eq!(sides.len(), 4);
}

#[test]
fn elastic_displacements_bend_a_stroke_smoothly() {
    let image = stem(3);
    let elastic = Augmentation {
        elastic: 0.08,
        ..Augmentation::NONE
    };
    let mut bent = 0;
    for drawn in draws(elastic, &image) {
        let middle = |row: usize| {
            let row = &drawn[row * WIDTH..][..WIDTH];
            let sum: f64 = row.iter().map(|&pixel| f64::from(pixel)).sum();
            let weighed = row
                .iter()
                .enumerate()
                .map(|(x, &pixel)| x as f64 * f64::from(pixel));
            weighed.sum::<f64>() / sum
        };
        let middles: Vec<f64> = (9..19).map(middle).collect();
        // 0.08 of 28 pixels is the most at a corner of the grid; between two rows it is little.
        assert!(middles.iter().all(|middle| (middle - 14.0).abs() < 2.3));
        assert!(
            middles
                .windows(2)
                .all(|pair| (pair[0] - pair[1]).abs() < 0.8)
        );
        let spread = middles.iter().copied().fold(0.0, f64::max)
            - middles.iter().copied().fold(99.0, f64::min);
        bent += usize::from(spread > 0.5);
    }
    assert!(bent > 80, "{bent}");
}

#[test]
fn styles_are_painted_on_digits_that_have_them_elsewhere_in_the_width_of_their_strokes() {
    let train = Source::Bundled.train(&()).unwrap();
    let styles = Augmentation {
        styles: 1.0,
        ..Augmentation::NONE
    };
    for index in 0..2000 {
        let (image, digit) = (train.image(index), train.digit(index).unwrap());
        let painted = drawn(styles, image, Some(digit), index);
        if ![1, 4, 7, 9].contains(&digit) {
            assert_eq!(painted, image);
        }
        // An apex that is cut off may have been the brightest.
        assert!(brightest(&painted) == brightest(image) || digit == 4);
        // Part of a digit, not another one; but a 1 may be as fat as a small one that was enlarged.
        let more = mass(&painted) / mass(image);
        let allowed = if digit == 1 { 1.0..8.0 } else { 0.4..2.0 };
        assert!(allowed.contains(&more), "{digit} at {index}: {more}");
        // What shows no digit as far as is known stays as it is.
        assert_eq!(drawn(styles, image, None, index), image);
    }
    let ones = (0..2000).filter(|&index| train.digit(index) == Some(1));
    let wider = ones.clone().filter(|&index| {
        let painted = drawn(styles, train.image(index), Some(1), index);
        mass(&painted) > 1.05 * mass(train.image(index))
    });
    assert!(2 * wider.count() > ones.count());
}

#[test]
fn every_kind_works_on_every_shape() {
    let all = Augmentation {
        rotation: 180.0,
        shift: 1.0,
        zoom: 0.9,
        stretch: 0.9,
        shear: 60.0,
        elastic: 0.2,
        stroke: 3.0,
        outline: 0.2,
        resolution: 0.9,
        blur: 4.0,
        binarize: 1.0,
        contrast: 0.9,
        shade: 0.9,
        noise: 0.5,
        crop: 0.5,
        styles: 1.0,
    };
    for (channels, height, width) in [
        (1, 1, 1),
        (1, 1, 9),
        (3, 9, 1),
        (1, 2, 3),
        (3, 5, 4),
        (1, 256, 256),
        (3, 31, 200),
    ] {
        let shape = ImageShape::new(channels, height, width).unwrap();
        for (index, value) in [0, 255, 128].into_iter().cycle().take(30).enumerate() {
            let mut image = vec![value; shape.len()];
            image[0] = 9;
            let digit = Some((index % 10) as u8);
            let first = drawn_as(shape, all, &image, digit, index);
            assert_eq!(first, drawn_as(shape, all, &image, digit, index));
        }
    }
}
