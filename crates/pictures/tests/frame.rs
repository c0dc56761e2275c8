//! From pictures to MNIST's frame.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod drawing;

use std::io::Write as _;

use drawing::{Handwriting, Random};

use flate2::{Compression, write::ZlibEncoder};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use pictures::{FrameError, Framed, Framing, PIXELS, WIDTH};

/// Strokes of a digit, each from point to point, in a square from (0, 0) to (1, 1).
type Strokes = &'static [&'static [(f32, f32)]];
const SEVEN: Strokes = &[&[(0.2, 0.1), (0.8, 0.1), (0.4, 0.9)]];
/// Its bar apart from the rest.
const FIVE: Strokes = &[
    &[(0.4, 0.1), (0.8, 0.1)],
    &[
        (0.3, 0.15),
        (0.28, 0.45),
        (0.6, 0.42),
        (0.75, 0.65),
        (0.6, 0.88),
        (0.25, 0.9),
    ],
];

/// How much ink there is at a point: 1 within `width` of a stroke, and a soft edge.
fn ink(strokes: Strokes, (x, y): (f32, f32), width: f32) -> f32 {
    let distance = strokes
        .iter()
        .flat_map(|stroke| stroke.windows(2))
        .map(|ends| {
            let ((ax, ay), (bx, by)) = (ends[0], ends[1]);
            let (dx, dy) = (bx - ax, by - ay);
            let along = (((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
            (x - ax - along * dx).hypot(y - ay - along * dy)
        })
        .fold(f32::MAX, f32::min);
    ((width / 2.0 - distance) / 0.005 + 0.5).clamp(0.0, 1.0)
}

/// A picture `size` pixels a side, coloured by `f(ink, x, y)` with x and y from 0 to 1.
fn draw(strokes: Strokes, size: u32, f: impl Fn(f32, f32, f32) -> [f32; 3]) -> RgbImage {
    RgbImage::from_fn(size, size, |x, y| {
        let (x, y) = (
            (x as f32 + 0.5) / size as f32,
            (y as f32 + 0.5) / size as f32,
        );
        Rgb(f(ink(strokes, (x, y), 0.09), x, y).map(|value| value.clamp(0.0, 255.0) as u8))
    })
}

fn mix(ground: [f32; 3], ink: [f32; 3], share: f32) -> [f32; 3] {
    std::array::from_fn(|channel| ground[channel] * (1.0 - share) + ink[channel] * share)
}

const PAPER: [f32; 3] = [235.0, 230.0, 220.0];
const PEN: [f32; 3] = [30.0, 35.0, 80.0];

fn on_paper(strokes: Strokes, size: u32) -> DynamicImage {
    draw(strokes, size, |ink, _, _| mix(PAPER, PEN, ink)).into()
}

fn framed(picture: &DynamicImage) -> Framed {
    match pictures::find(picture) {
        // Some of what is drawn here is no digit, and may be taken for a mark: it is framed alike.
        Framing::Digit(framed) | Framing::Marked(framed) => *framed,
        other => panic!("{other:?}"),
    }
}

/// The mean difference of two images, in levels of 255.
fn difference(a: &[u8; PIXELS], b: &[u8; PIXELS]) -> f32 {
    let sum: u32 = a
        .iter()
        .zip(b)
        .map(|(a, b)| u32::from(a.abs_diff(*b)))
        .sum();
    sum as f32 / PIXELS as f32
}

fn assert_like_seven(picture: &DynamicImage, what: &str) {
    let expected = framed(&on_paper(SEVEN, 400)).pixels;
    let difference = difference(&framed(picture).pixels, &expected);
    assert!(
        difference < 8.0,
        "{what}: {difference} levels from the clean drawing"
    );
}

#[test]
fn a_digit_fills_a_box_of_twenty_with_its_mass_in_the_middle() {
    let framed = framed(&on_paper(SEVEN, 400));
    let inked = |at: &usize| framed.pixels[*at] > 0;
    let rows: Vec<usize> = (0..PIXELS).filter(inked).map(|at| at / WIDTH).collect();
    assert_eq!(
        rows.iter().max().unwrap() - rows.iter().min().unwrap() + 1,
        20
    );
    let mass: f64 = framed.pixels.iter().map(|&pixel| f64::from(pixel)).sum();
    for place in [|at: usize| at % WIDTH, |at: usize| at / WIDTH] {
        let centre = (0..PIXELS)
            .map(|at| f64::from(framed.pixels[at]) * place(at) as f64)
            .sum::<f64>()
            / mass;
        assert!((centre - 14.0).abs() <= 0.51, "{centre}");
    }
    assert_eq!(framed.pixels.iter().max(), Some(&255));
    let region = framed.region;
    assert!(
        region.top.abs_diff(22) <= 3 && region.height.abs_diff(356) <= 6,
        "{region:?}"
    );
    assert!(
        region.left.abs_diff(62) <= 3 && region.width.abs_diff(276) <= 6,
        "{region:?}"
    );
}

#[test]
fn every_image_of_mnist_and_its_negative_passes_bit_for_bit() {
    for (index, image) in Handwriting::read("t10k").images.iter().enumerate() {
        let negative = image.map(|pixel| 255 - pixel);
        for pixels in [*image, negative] {
            let picture = GrayImage::from_raw(28, 28, pixels.to_vec()).unwrap();
            assert_eq!(&framed(&picture.into()).pixels, image, "image {index}");
        }
    }
}

#[test]
fn size_does_not_matter() {
    for size in [60, 150, 900, 2500] {
        assert_like_seven(&on_paper(SEVEN, size), &format!("{size} pixels"));
    }
}

#[test]
fn where_strokes_meet_there_is_ink() {
    const CROSS: Strokes = &[&[(0.25, 0.25), (0.75, 0.75)], &[(0.75, 0.25), (0.25, 0.75)]];
    let pixels = framed(&on_paper(CROSS, 200)).pixels;
    for (x, y) in [(13, 13), (13, 14), (14, 13), (14, 14)] {
        let found = pixels[y * WIDTH + x];
        assert!(found > 200, "{found} in column {x}, row {y}");
    }
}

#[test]
fn a_faint_straight_stroke_is_no_ruled_line() {
    const UPRIGHT: Strokes = &[&[(0.35, 0.15), (0.35, 0.85)]];
    const FOOT: Strokes = &[&[(0.35, 0.85), (0.7, 0.85)]];
    let picture = RgbImage::from_fn(200, 200, |x, y| {
        let place = ((x as f32 + 0.5) / 200.0, (y as f32 + 0.5) / 200.0);
        let share = f32::max(0.6 * ink(UPRIGHT, place, 0.08), ink(FOOT, place, 0.12));
        Rgb(mix(PAPER, PEN, share).map(|value| value as u8))
    });
    let region = framed(&picture.into()).region;
    assert!(region.height.abs_diff(160) <= 4, "{region:?}");
}

#[test]
fn colours_do_not_matter() {
    for (what, ground, ink) in [
        ("light on dark", [10.0, 10.0, 10.0], [240.0, 240.0, 240.0]),
        (
            "yellow on white",
            [255.0, 255.0, 255.0],
            [240.0, 220.0, 40.0],
        ),
        (
            "red on green of the same lightness",
            [90.0, 160.0, 90.0],
            [230.0, 95.0, 90.0],
        ),
        ("pale pencil", [230.0, 230.0, 230.0], [180.0, 180.0, 180.0]),
    ] {
        let picture = draw(SEVEN, 400, |share, _, _| mix(ground, ink, share));
        assert_like_seven(&picture.into(), what);
    }
}

#[test]
fn a_transparent_ground_is_ground_whatever_colour_it_hides() {
    for (ink_colour, hidden) in [
        ([0_u8; 3], [0_u8; 3]),
        ([255; 3], [255; 3]),
        ([255; 3], [0; 3]),
        ([200, 30, 30], [0; 3]),
    ] {
        let picture = RgbaImage::from_fn(400, 400, |x, y| {
            let alpha = (255.0 * ink(SEVEN, (x as f32 / 400.0, y as f32 / 400.0), 0.09)) as u8;
            let [r, g, b] = if alpha == 0 { hidden } else { ink_colour };
            Rgba([r, g, b, alpha])
        });
        assert_like_seven(&picture.into(), &format!("{ink_colour:?} over {hidden:?}"));
    }
}

#[test]
fn uneven_light_shadow_noise_and_compression_do_not_matter() {
    let mut random = Random(1);
    let noise: Vec<f32> = (0..600 * 600)
        .map(|_| (random.next_u64() % 41) as f32 - 20.0)
        .collect();
    let picture = draw(SEVEN, 600, |ink, x, y| {
        let shadow = if x + 0.4 * y > 0.75 { 0.55 } else { 1.0 };
        let light = shadow * (1.0 - 0.4 * x);
        let noise = noise[(y * 600.0) as usize * 600 + (x * 600.0) as usize];
        mix(PAPER, PEN, ink).map(|value| value * light + noise)
    });
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 60)
        .encode_image(&picture)
        .unwrap();
    assert_like_seven(&image::load_from_memory(&jpeg).unwrap(), "a photo");
}

#[test]
fn ruled_lines_go() {
    let picture = draw(SEVEN, 500, |ink, _, y| {
        let line = if (y * 9.0).fract() < 0.06 { 1.0 } else { 0.0 };
        mix(mix(PAPER, [150.0, 170.0, 215.0], line), PEN, ink)
    });
    assert_like_seven(&picture.into(), "ruled paper");
}

#[test]
fn a_dark_table_beside_the_paper_is_no_ink() {
    let picture = draw(SEVEN, 600, |ink, x, y| {
        if x < 0.08 + 0.03 * y {
            [80.0, 55.0, 40.0]
        } else {
            mix(PAPER, PEN, ink)
        }
    });
    assert_like_seven(&picture.into(), "a table");
}

#[test]
fn thin_pens_are_strengthened() {
    let picture = RgbImage::from_fn(800, 800, |x, y| {
        let ink = ink(SEVEN, (x as f32 / 800.0, y as f32 / 800.0), 0.012);
        Rgb(mix(PAPER, PEN, ink).map(|value| value as u8))
    });
    let strong = framed(&picture.into())
        .pixels
        .iter()
        .filter(|&&pixel| pixel > 200)
        .count();
    assert!(strong > 25, "{strong} strong pixels");
}

#[test]
fn strokes_apart_are_one_digit_and_specks_are_none() {
    let clean = framed(&on_paper(FIVE, 400));
    assert!(
        clean.region.height > 340,
        "the bar belongs to it: {:?}",
        clean.region
    );
    let mut specked = on_paper(FIVE, 400).to_rgb8();
    for (x, y) in [(20, 30), (350, 380), (370, 60), (30, 350)] {
        for at in 0..16 {
            specked.put_pixel(x + at % 4, y + at / 4, Rgb([20, 20, 20]));
        }
    }
    assert!(difference(&framed(&specked.into()).pixels, &clean.pixels) < 1.0);
}

#[test]
fn two_digits_are_told_from_left_to_right() {
    let one = on_paper(SEVEN, 300).to_rgb8();
    let picture = RgbImage::from_fn(600, 300, |x, y| *one.get_pixel(x % 300, y));
    match pictures::find(&picture.into()) {
        Framing::Several(regions) => {
            assert_eq!(regions.len(), 2);
            assert!(
                regions[0].left < 300 && regions[1].left > 300,
                "{regions:?}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn blank_pictures_show_nothing() {
    let mut random = Random(2);
    for (width, height) in [(1, 1), (28, 28), (3, 700), (400, 300)] {
        let noise = |amount: u64, random: &mut Random| (random.next_u64() % (amount + 1)) as u8;
        for amount in [0, 6] {
            let plain = GrayImage::from_fn(width, height, |_, _| {
                Luma([200 + noise(amount, &mut random)])
            });
            assert_eq!(
                pictures::find(&plain.into()),
                Framing::Nothing,
                "{width}x{height}, noise {amount}"
            );
        }
        let slope = GrayImage::from_fn(width, height, |x, y| {
            Luma([250 - (x * 60 / width + y * 40 / height) as u8])
        });
        assert_eq!(
            pictures::find(&slope.into()),
            Framing::Nothing,
            "{width}x{height}, a slope"
        );
    }
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    on_paper(SEVEN, 120).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn files_are_known_by_their_bytes_and_turned_as_the_camera_was_held() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seven.txt");
    std::fs::write(&path, encoded(ImageFormat::Png)).unwrap();
    assert!(matches!(pictures::read(&path), Ok(Framing::Digit(_))));

    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 95)
        .encode_image(&on_paper(SEVEN, 300).rotate270())
        .unwrap();
    // An Exif segment whose one entry says: turn by 90 degrees to show.
    let exif =
        b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    jpeg.splice(2..2, exif.iter().copied());
    let Ok(Framing::Digit(turned)) = pictures::decode(&jpeg, "turned.jpg") else {
        panic!()
    };
    assert!(difference(&turned.pixels, &framed(&on_paper(SEVEN, 300)).pixels) < 4.0);
}

#[test]
fn bad_files_give_one_line_that_names_them_and_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let error = pictures::read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("not a regular file"), "{error}");
    let error = pictures::read(folder.path().join("nowhere.png"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("nowhere.png"), "{error}");

    let mut random = Random(3);
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let bytes = encoded(format);
        for _ in 0..300 {
            let mut damaged = bytes.clone();
            let at = random.next_u64() as usize % damaged.len();
            match random.next_u64() % 3 {
                0 => damaged.truncate(at),
                1 => damaged[at] = random.next_u64() as u8,
                _ => damaged.truncate(at + 1),
            }
            if let Err(error) = pictures::decode(&damaged, "damaged.png") {
                let error = error.to_string();
                assert!(
                    error.contains("damaged.png") && error.lines().count() == 1,
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn pictures_that_would_exhaust_the_memory_are_refused_before_they_are_decoded() {
    // The header of a PNG of 60,000 × 60,000 pixels.
    let mut header =
        b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\xea\x60\0\0\xea\x60\x08\x06\0\0\0".to_vec();
    header.extend(crc32(&header[12..]).to_be_bytes());
    header.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    let error = pictures::decode(&header, "huge.png").unwrap_err();
    assert!(matches!(error, FrameError::TooLarge { .. }), "{error}");
    assert!(error.to_string().contains("huge.png"), "{error}");
}

/// A PNG whose palette has so many bytes.
fn palette_of(length: usize) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8; 4], content: &[u8]| {
        file.extend((content.len() as u32).to_be_bytes());
        let start = file.len();
        file.extend(name);
        file.extend(content);
        file.extend(crc32(&file[start..]).to_be_bytes());
    };
    // 16 × 16 pixels of one bit, each an index into the palette; two bytes a row after its filter.
    chunk(b"IHDR", b"\0\0\0\x10\0\0\0\x10\x01\x03\0\0\0");
    chunk(b"PLTE", &vec![100; length]);
    let mut rows = ZlibEncoder::new(Vec::new(), Compression::fast());
    rows.write_all(&[0; 3 * 16]).unwrap();
    chunk(b"IDAT", &rows.finish().unwrap());
    chunk(b"IEND", b"");
    file
}

#[test]
fn a_palette_with_a_part_of_a_colour_is_refused() {
    for length in [4, 5, 73, 767] {
        let error = pictures::decode(&palette_of(length), "palette.png")
            .unwrap_err()
            .to_string();
        assert!(error.contains("palette.png"), "{error}");
        assert!(error.contains("a part of a colour"), "{error}");
    }
    assert!(pictures::decode(&palette_of(6), "palette.png").is_ok());
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
