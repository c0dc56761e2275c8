//! Notes of how the camera was held: heeded where all viewers heed them, a question where they don't.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Cursor, Write};

use flate2::{Compression, Crc, write::ZlibEncoder};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use pictures::{Framing, decode};

/// A bar with a foot to the right: an L.
fn drawing() -> DynamicImage {
    RgbImage::from_fn(200, 300, |x, y| {
        let bar = (60..80).contains(&x) && (50..250).contains(&y);
        let foot = (60..140).contains(&x) && (230..250).contains(&y);
        Rgb(if bar || foot {
            [20, 30, 90]
        } else {
            [240, 238, 230]
        })
    })
    .into()
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Exif data with one entry: the orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    exif
}

fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(content);
    let length = (content.len() as u32).to_be_bytes();
    [&length[..], kind, content, &crc.sum().to_be_bytes()].concat()
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Exif data as ImageMagick keeps them in a text.
fn raw_profile(orientation: u8) -> Vec<u8> {
    let exif = [b"Exif\0\0".to_vec(), exif(orientation)].concat();
    let digits: String = exif.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\nexif\n{:8}\n{digits}\n", exif.len()).into_bytes()
}

fn xmp(orientation: u8) -> Vec<u8> {
    format!("<rdf:Description tiff:Orientation=\"{orientation}\"/>").into_bytes()
}

/// The drawing as PNG with chunks before and behind the pixels.
fn png(picture: &DynamicImage, before: &[Vec<u8>], behind: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = encoded(picture, ImageFormat::Png);
    let end = bytes.len() - 12;
    bytes.splice(end..end, behind.concat());
    bytes.splice(33..33, before.concat());
    bytes
}

/// The drawing as JPEG with segments `APP1`.
fn jpeg(picture: &DynamicImage, segments: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = encoded(picture, ImageFormat::Jpeg);
    let segments: Vec<_> = segments
        .iter()
        .map(|content| {
            let length = (content.len() as u16 + 2).to_be_bytes();
            [&[0xff, 0xe1], &length[..], content].concat()
        })
        .collect();
    bytes.splice(2..2, segments.concat());
    bytes
}

fn named(exif: Vec<u8>) -> Vec<u8> {
    [b"Exif\0\0".to_vec(), exif].concat()
}

fn texts(orientation: u8) -> [Vec<u8>; 5] {
    let profile = raw_profile(orientation);
    let keyword: &[u8] = b"Raw profile type exif\0";
    let app1: &[u8] = b"Raw profile type APP1\0";
    let packet: &[u8] = b"XML:com.adobe.xmp\0\0\0\0\0";
    [
        chunk(b"zTXt", &[keyword, b"\0", &deflated(&profile)].concat()),
        chunk(b"tEXt", &[keyword, &profile].concat()),
        chunk(b"tEXt", &[app1, &profile].concat()),
        chunk(
            b"iTXt",
            &[keyword, b"\x01\0\0\0", &deflated(&profile)].concat(),
        ),
        chunk(b"iTXt", &[packet, &xmp(orientation)].concat()),
    ]
}

#[track_caller]
fn is_upright(bytes: &[u8], tolerance: f32, what: &str) {
    let Framing::Digit(expected) = pictures::find(&drawing()) else {
        panic!("the drawing")
    };
    match decode(bytes, what).unwrap() {
        Framing::Digit(framed) => {
            let pairs = framed.pixels.iter().zip(expected.pixels);
            let apart: u32 = pairs.map(|(&a, b)| u32::from(a.abs_diff(b))).sum();
            assert!(apart as f32 / 784.0 <= tolerance, "{what}: {apart}");
        }
        other => panic!("{what}: {other:?}"),
    }
}

#[track_caller]
fn is_unclear(bytes: &[u8], what: &str) {
    let framing = decode(bytes, what).unwrap();
    assert_eq!(framing, Framing::OrientationUnclear, "{what}");
}

#[test]
fn what_all_viewers_heed_turns_the_picture() {
    // As the sensor saw it, for each note.
    let seen: [(u8, DynamicImage); 4] = [
        (1, drawing()),
        (3, drawing().rotate180()),
        (6, drawing().rotate270()),
        (8, drawing().rotate90()),
    ];
    for (note, picture) in seen {
        is_upright(
            &png(&picture, &[chunk(b"eXIf", &exif(note))], &[]),
            2.0,
            "PNG",
        );
        is_upright(&jpeg(&picture, &[named(exif(note))]), 6.0, "JPEG");
        // Notes that agree are no question.
        let twice = [named(exif(note)), named(exif(note))];
        is_upright(&jpeg(&picture, &twice), 6.0, "JPEG, twice");
        for text in texts(note) {
            let before = [chunk(b"eXIf", &exif(note)), text];
            is_upright(&png(&picture, &before, &[]), 2.0, "PNG, twice");
        }
    }
}

#[test]
fn notes_that_only_some_viewers_heed_are_a_question() {
    let picture = drawing().rotate180();
    for text in texts(3) {
        is_unclear(
            &png(&picture, std::slice::from_ref(&text), &[]),
            "text before",
        );
        is_unclear(&png(&picture, &[], &[text]), "text behind");
    }
    let note = chunk(b"eXIf", &exif(3));
    is_unclear(&png(&picture, &[], &[note]), "Exif behind the pixels");
    let xmp = [b"http://ns.adobe.com/xap/1.0/\0".to_vec(), xmp(3)].concat();
    is_unclear(&jpeg(&picture, &[xmp]), "XMP alone in a JPEG");
}

#[test]
fn notes_that_contradict_each_other_are_a_question() {
    let picture = drawing().rotate180();
    for (first, second) in [(3, 1), (1, 3), (6, 8)] {
        let twice = [named(exif(first)), named(exif(second))];
        is_unclear(&jpeg(&picture, &twice), "two Exif segments");
        let before = [chunk(b"eXIf", &exif(first)), texts(second)[0].clone()];
        is_unclear(&png(&picture, &before, &[]), "Exif and text");
    }
}

#[test]
fn notes_that_say_upright_or_nothing_change_nothing() {
    for text in texts(1).into_iter().chain(texts(0)).chain(texts(9)) {
        is_upright(&png(&drawing(), &[], &[text]), 2.0, "upright in a text");
    }
    let broken = chunk(b"zTXt", b"Raw profile type exif\0\0no zlib");
    is_upright(&png(&drawing(), &[broken], &[]), 2.0, "a broken text");
    let broken = [named(b"MM".to_vec()), b"Exif".to_vec(), Vec::new()];
    is_upright(&jpeg(&drawing(), &broken), 6.0, "broken Exif");
}
