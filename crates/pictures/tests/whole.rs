//! A picture that isn't whole is an error, never a picture with a part in grey.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use pictures::picture;

/// Files of 33×17 pixels, as libjpeg-turbo writes them: subsampled, progressive, with restart markers,
/// with one scan for each colour.
const FIXTURES: [(&str, &[u8]); 8] = [
    (
        "baseline, 4:2:0",
        include_bytes!("fixtures/baseline-420.jpg"),
    ),
    (
        "baseline, 4:4:0",
        include_bytes!("fixtures/baseline-440.jpg"),
    ),
    ("baseline, RGB", include_bytes!("fixtures/baseline-rgb.jpg")),
    ("restart", include_bytes!("fixtures/restart-420.jpg")),
    (
        "progressive, 4:2:0",
        include_bytes!("fixtures/progressive-420.jpg"),
    ),
    (
        "progressive, grey",
        include_bytes!("fixtures/progressive-grey.jpg"),
    ),
    (
        "progressive, restart",
        include_bytes!("fixtures/progressive-restart-420.jpg"),
    ),
    (
        "one colour after another, 4:4:4",
        include_bytes!("fixtures/noninterleaved-444.jpg"),
    ),
];

fn drawing() -> DynamicImage {
    RgbImage::from_fn(150, 200, |x, y| {
        let stroke = (30..170).contains(&y) && (x + y / 4).abs_diff(100) < 8;
        let noise = (x * 7919 + y * 104_729) % 23;
        Rgb([40, 60, 90].map(|dark: u32| (if stroke { dark } else { 220 } + noise) as u8))
    })
    .into()
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    drawing().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn a_jpeg_that_lacks_more_than_its_last_marker_is_an_error() {
    let mut large = Vec::new();
    JpegEncoder::new_with_quality(&mut large, 85)
        .encode_image(&drawing())
        .unwrap();
    for (name, bytes) in FIXTURES
        .into_iter()
        .chain([("of this library", large.as_slice())])
    {
        assert!(picture(bytes, "whole.jpg").is_ok(), "{name}");
        let step = (bytes.len() / 1500).max(1);
        for end in (0..bytes.len() - 2).step_by(step) {
            let read = picture(&bytes[..end], "cut.jpg");
            assert!(read.is_err(), "{name}, {end} of {} bytes", bytes.len());
        }
        for lost in 1..=2 {
            let read = picture(&bytes[..bytes.len() - lost], "cut.jpg");
            assert!(read.is_ok(), "{name}, all but the last marker");
        }
    }
}

#[test]
fn a_last_marker_behind_a_part_of_the_pixels_makes_no_whole_picture() {
    for (name, bytes) in FIXTURES
        .into_iter()
        .filter(|(name, _)| !name.starts_with("progressive"))
    {
        let pixels = bytes
            .windows(2)
            .position(|pair| pair == [0xff, 0xda])
            .unwrap();
        for end in pixels..bytes.len() - 4 {
            let repaired = [&bytes[..end], &[0xff, 0xd9]].concat();
            assert!(picture(&repaired, "cut.jpg").is_err(), "{name}, {end}");
        }
    }
}

#[test]
fn zeros_in_place_of_a_jpegs_end_are_an_error() {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 85)
        .encode_image(&drawing())
        .unwrap();
    for share in [30, 50, 70, 90] {
        let mut lost = bytes.clone();
        let from = bytes.len() * share / 100;
        lost[from..].fill(0);
        assert!(picture(&lost, "lost.jpg").is_err(), "{share} %");
    }
}

#[test]
fn a_restart_interval_that_is_missing_is_an_error() {
    let bytes: &[u8] = include_bytes!("fixtures/restart-420.jpg");
    let marker = |number: u8| {
        let marker = [0xff, 0xd0 + number];
        bytes.windows(2).position(|pair| pair == marker)
    };
    let (first, second) = (marker(0).unwrap(), marker(1));
    let behind = second.unwrap_or(bytes.len() - 2);
    let without = [&bytes[..first], &bytes[behind..]].concat();
    assert!(picture(&without, "lost.jpg").is_err());
}

#[test]
fn layouts_that_the_decoder_mixes_up_are_refused() {
    let files: [(&[u8], &str); 2] = [
        (
            include_bytes!("fixtures/noninterleaved-420.jpg"),
            "one after another",
        ),
        (
            include_bytes!("fixtures/finer-colours.jpg"),
            "more pixels than its light",
        ),
    ];
    for (bytes, reason) in files {
        let error = picture(bytes, "odd.jpg").unwrap_err().to_string();
        assert!(
            error.contains("odd.jpg") && error.contains(reason),
            "{error}"
        );
    }
}

#[test]
fn truncated_pictures_in_other_formats_are_errors() {
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::WebP] {
        let bytes = encoded(format);
        assert!(picture(&bytes, "whole").is_ok(), "{format:?}");
        for share in (1..100).step_by(7) {
            let end = bytes.len() * share / 100;
            assert!(
                picture(&bytes[..end], "cut").is_err(),
                "{format:?}, {share} %"
            );
        }
    }
}
