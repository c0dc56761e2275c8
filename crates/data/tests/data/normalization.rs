use data::{Classes, ImageShape, LabelledImages, Normalization};

use crate::{COLOUR, GREY, digits};

fn grey(mean: f64, std: f64) -> Normalization {
    Normalization {
        mean: vec![mean],
        std: vec![std],
    }
}

/// Images of COLOUR whose channels have these values, image by image.
fn coloured(values: &[[u8; 3]]) -> LabelledImages {
    let planes = values.iter().flatten();
    let pixels = planes.flat_map(|&value| vec![value; COLOUR.plane()]);
    let classes = Classes::numbered(vec![0, 1]).unwrap();
    LabelledImages::new(COLOUR, classes, pixels.collect(), vec![0; values.len()]).unwrap()
}

#[test]
fn it_is_the_mean_and_population_deviation_of_the_pixels() {
    let mut pixels = vec![0; GREY.len()];
    pixels.extend([255; GREY.len()]);
    let set = LabelledImages::new(GREY, digits(), pixels, vec![0, 1]).unwrap();
    let half = grey(0.5, 0.5);
    assert_eq!(Normalization::of(&set), half);

    let mut input = vec![7.0];
    let row = ImageShape::new(1, 1, 3).unwrap();
    half.apply(row, &[0, 255, 51], &mut input);
    assert_eq!(input, [7.0, -1.0, 1.0, -0.6]);
}

#[test]
fn each_channel_is_measured_by_itself() {
    let set = coloured(&[[0, 51, 9], [255, 102, 9]]);
    let measured = Normalization::of(&set);
    let expected = [(0.5, 0.5), (0.3, 0.1), (9.0 / 255.0, 1.0)];
    assert_eq!((measured.mean.len(), measured.std.len()), (3, 3));
    for (channel, (mean, std)) in expected.into_iter().enumerate() {
        assert!((measured.mean[channel] - mean).abs() < 1e-15);
        assert!((measured.std[channel] - std).abs() < 1e-15);
    }
    let mut input = Vec::new();
    measured.apply(COLOUR, set.pixels(), &mut input);
    let expected = [-1.0, -1.0, 0.0, 1.0, 1.0, 0.0_f32];
    for (plane, expected) in input.chunks_exact(COLOUR.plane()).zip(expected) {
        assert!(plane.iter().all(|value| (value - expected).abs() < 1e-6));
    }
}

#[test]
fn the_size_of_the_images_is_of_no_account() {
    let noise: Vec<u8> = (0..1200_u32).map(|at| (at * at % 251) as u8).collect();
    let of = |height, width| {
        let shape = ImageShape::new(1, height, width).unwrap();
        let count = noise.len() / shape.len();
        let set = LabelledImages::new(shape, digits(), noise.clone(), vec![0; count]).unwrap();
        Normalization::of(&set)
    };
    assert_eq!(of(1, 1), of(20, 60));
    assert_eq!(of(3, 100), of(20, 60));
}

#[test]
fn a_channel_of_one_value_maps_to_zeros() {
    let set = coloured(&[[9, 0, 255]; 4]);
    let mut input = Vec::new();
    Normalization::of(&set).apply(COLOUR, set.image(0), &mut input);
    assert_eq!(input, [0.0; COLOUR.len()]);
}

#[test]
fn it_survives_json_and_an_impossible_one_is_refused() {
    let one = grey(0.13066047627384286, 0.3081078038564627);
    let three = Normalization {
        mean: vec![0.1, 0.2, 0.3],
        std: vec![1.0, 2.0, 3.0],
    };
    for (normalization, text) in [
        (
            one,
            r#"{"mean":0.13066047627384286,"std":0.3081078038564627}"#,
        ),
        (three, r#"{"mean":[0.1,0.2,0.3],"std":[1.0,2.0,3.0]}"#),
    ] {
        assert_eq!(serde_json::to_string(&normalization).unwrap(), text);
        let read: Normalization = serde_json::from_str(text).unwrap();
        assert_eq!(read, normalization);
    }
    for bad in [
        r#"{"mean":0.1,"std":0.0}"#,
        r#"{"mean":0.1,"std":-1.0}"#,
        r#"{"mean":0.1}"#,
        r#"{"mean":0.1,"std":1.0,"sdt":1.0}"#,
        r#"{"mean":[0.1,0.2,0.3],"std":1.0}"#,
        r#"{"mean":[0.1,0.2,0.3],"std":[1.0,1.0]}"#,
        r#"{"mean":[0.1,0.2,0.3],"std":[1.0,1.0,0.0]}"#,
        r#"{"mean":[0.1,0.2,null],"std":[1.0,1.0,1.0]}"#,
        r#"{"mean":[],"std":[]}"#,
    ] {
        assert!(serde_json::from_str::<Normalization>(bad).is_err(), "{bad}");
    }
}
