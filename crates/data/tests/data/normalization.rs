use data::{LabelledImages, Normalization, PIXELS};

#[test]
fn it_is_the_mean_and_population_deviation_of_the_pixels() {
    let mut pixels = vec![0; PIXELS];
    pixels.extend([255; PIXELS]);
    let set = LabelledImages::new(pixels, vec![0, 1]).unwrap();
    let half = Normalization {
        mean: 0.5,
        std: 0.5,
    };
    assert_eq!(Normalization::of(&set), half);

    let mut input = vec![7.0];
    half.apply(&[0, 255, 51], &mut input);
    assert_eq!(input, [7.0, -1.0, 1.0, -0.6]);
}

#[test]
fn a_set_of_one_colour_maps_to_zeros() {
    let set = LabelledImages::new(vec![9; PIXELS], vec![0]).unwrap();
    let mut input = Vec::new();
    Normalization::of(&set).apply(set.image(0), &mut input);
    assert_eq!(input, [0.0; PIXELS]);
}

#[test]
fn it_survives_json_and_an_impossible_one_is_refused() {
    let json = serde_json::to_string(&Normalization::MNIST).unwrap();
    assert_eq!(
        serde_json::from_str::<Normalization>(&json).unwrap(),
        Normalization::MNIST
    );
    for bad in [
        r#"{"mean":0.1,"std":0.0}"#,
        r#"{"mean":0.1,"std":-1.0}"#,
        r#"{"mean":0.1}"#,
        r#"{"mean":0.1,"std":1.0,"sdt":1.0}"#,
    ] {
        assert!(serde_json::from_str::<Normalization>(bad).is_err(), "{bad}");
    }
}
