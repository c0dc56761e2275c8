//! Pictures that would exhaust the memory are refused by their headers, and the largest that are read
//! stay below 512 MB. Alone in its process, because it reads the peak of the whole process from Linux.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pictures::{FrameError, Framing, decode};

const LIMIT: u64 = 512 << 20;

fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        << 10
}

fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut checked = kind.to_vec();
    checked.extend(content);
    let mut crc = flate2::Crc::new();
    crc.update(&checked);
    let length = (content.len() as u32).to_be_bytes();
    [&length[..], &checked, &crc.sum().to_be_bytes()].concat()
}

/// A PNG file without pixels: `bits` a channel, `color` as in the PNG specification.
fn png(side: u32, bits: u8, color: u8) -> Vec<u8> {
    let size = side.to_be_bytes();
    let header = [&size[..], &size, &[bits, color, 0, 0, 0]].concat();
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &header),
        chunk(b"IDAT", &[0x78, 0x9c, 3, 0, 0, 0, 0, 1]),
        chunk(b"IEND", &[]),
    ]
    .concat()
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker], &length[..], content].concat()
}

/// A progressive JPEG file of a single grey, a bit for each block: the decoder keeps six bytes for
/// each of its pixels.
fn progressive(side: u16) -> Vec<u8> {
    let size = side.to_be_bytes();
    let blocks = usize::from(side.div_ceil(8)).pow(2);
    let channels = [1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];
    [
        vec![0xff, 0xd8],
        segment(0xdb, &[&[0][..], &[1; 64]].concat()),
        segment(0xc2, &[&[8][..], &size, &size, &[3], &channels].concat()),
        segment(0xc4, &[&[0, 1][..], &[0; 15], &[0]].concat()),
        segment(0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 0, 0]),
        vec![0; (3 * blocks).div_ceil(8)],
        vec![0xff, 0xd9],
    ]
    .concat()
}

#[test]
fn no_picture_costs_512_mib() {
    for (what, bytes) in [
        ("four channels of 16 bits", png(7_000, 16, 6)),
        ("three channels of 16 bits", png(7_000, 16, 2)),
        ("too many pixels", png(7_300, 8, 0)),
        ("too many pixels, progressive", progressive(7_300)),
        ("too long", png(40_000, 1, 0)),
    ] {
        let error = decode(&bytes, "picture").unwrap_err();
        assert!(
            matches!(error, FrameError::TooLarge { .. }),
            "{what}: {error}"
        );
        assert!(peak_bytes() < LIMIT / 8, "{what}: {} bytes", peak_bytes());
    }
    let framing = decode(&progressive(7_200), "picture").unwrap();
    assert_eq!(framing, Framing::Nothing);
    assert!(peak_bytes() < LIMIT, "{} bytes", peak_bytes());
}
