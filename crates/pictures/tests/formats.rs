//! Files are known by their bytes; what isn't read is named.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Cursor;

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage};
use pictures::{Framing, decode, is_picture};

fn stroke(x: u32, y: u32) -> bool {
    (40..160).contains(&y) && (x + y / 2).abs_diff(200) < 8
}

fn drawing() -> DynamicImage {
    RgbImage::from_fn(300, 200, |x, y| {
        Rgb(if stroke(x, y) {
            [30, 40, 90]
        } else {
            [240, 235, 220]
        })
    })
    .into()
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn png_jpeg_webp_and_bmp_are_read() {
    let formats = [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
        ImageFormat::Bmp,
    ];
    for format in formats {
        let bytes = encoded(&drawing(), format);
        assert!(is_picture(&bytes[..32]), "{format:?}");
        let framing = decode(&bytes, "without an ending").unwrap();
        assert!(
            matches!(framing, Framing::Digit(_)),
            "{format:?}: {framing:?}"
        );
    }
}

#[test]
fn pictures_in_other_formats_are_named() {
    let files: [(&[u8], &str); 6] = [
        (b"\0\0\0\x18ftypheic\0\0\0\0heicmif1", "a HEIC"),
        (b"\0\0\0\x18ftypavif\0\0\0\0avifmif1", "an AVIF"),
        (b"GIF89a\x01\0\x01\0", "a GIF"),
        (b"II*\0\x08\0\0\0", "a TIFF"),
        (b"8BPS\0\x01", "a Photoshop document"),
        (b"\xff\x0a\0\0", "a JPEG XL"),
    ];
    for (bytes, name) in files {
        assert!(is_picture(bytes), "{name}");
        let error = decode(bytes, "photo").unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("photo"), "{error}");
    }
    let others: [&[u8]; 5] = [
        b"",
        b"file,digit\n",
        b"\0\0\0\0\0\0\0\0",
        b"%PDF-1.7",
        b"BM, a note",
    ];
    for bytes in others {
        assert!(!is_picture(bytes), "{bytes:?}");
        assert!(decode(bytes, "note").is_err());
    }
}

#[test]
fn sixteen_bits_that_hold_fewer_are_as_bright_as_they_were() {
    let Framing::Digit(expected) =
        decode(&encoded(&drawing(), ImageFormat::Png), "8 bits").unwrap()
    else {
        panic!()
    };
    for bits in [8, 10, 12] {
        let dark = 30 << (bits - 8);
        let light = (1 << bits) - 16;
        let grey = |x, y| if stroke(x, y) { dark } else { light };
        let opaque: ImageBuffer<Luma<u16>, _> =
            ImageBuffer::from_fn(300, 200, |x, y| Luma([grey(x, y)]));
        let clear: ImageBuffer<LumaA<u16>, _> =
            ImageBuffer::from_fn(300, 200, |x, y| LumaA([grey(x, y), u16::MAX]));
        let faint: ImageBuffer<LumaA<u16>, _> =
            ImageBuffer::from_fn(300, 200, |x, y| LumaA([grey(x, y), (1 << bits) - 1]));
        for picture in [opaque.into(), clear.into(), faint.into()] {
            match decode(&encoded(&picture, ImageFormat::Png), "16 bits").unwrap() {
                Framing::Digit(framed) => assert_eq!(framed.region, expected.region),
                other => panic!("{bits} bits: {other:?}"),
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn no_two_names_are_shown_alike() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};
    let shown = |name: &[u8]| pictures::shown(Path::new(OsStr::from_bytes(name)));
    assert_eq!(shown(b"\xe4.png"), "\\xE4.png");
    assert_ne!(shown(b"\xe4.png"), shown(b"\xf6.png"));
    assert_eq!(shown("ä b.png".as_bytes()), "ä b.png");
    assert_eq!(shown(b"a\nb\x1b[2J.png"), "a\\nb\\u{1b}[2J.png");
}
