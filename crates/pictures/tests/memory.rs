//! Pictures that would exhaust the memory are refused by their headers, and those that are read stay
//! within their budget on any number of threads. Alone in its process, because it reads the peak of the whole process from Linux.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pictures::{Budget, FrameError, Framing, decode, read_within};

const LIMIT: u64 = 512_000_000;

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

/// A baseline JPEG file of a single grey, two bits for each block. With 4:2:0 for the colours.
fn baseline(width: u16, height: u16) -> Vec<u8> {
    let units = usize::from(width.div_ceil(16)) * usize::from(height.div_ceil(16));
    let channels = [1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0];
    let size = [height.to_be_bytes(), width.to_be_bytes()].concat();
    // One code of one bit: no difference, or the end of the block.
    let table = |kind: u8| segment(0xc4, &[&[kind, 1][..], &[0; 15], &[0]].concat());
    [
        vec![0xff, 0xd8],
        segment(0xdb, &[&[0][..], &[1; 64]].concat()),
        segment(0xc0, &[&[8][..], &size, &[3], &channels].concat()),
        table(0),
        table(0x10),
        segment(0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 63, 0]),
        vec![0; (12 * units).div_ceil(8)],
        vec![0xff, 0xd9],
    ]
    .concat()
}

#[test]
fn reading_stays_within_its_budget() {
    for (what, bytes) in [
        ("four channels of 16 bits", png(7_000, 16, 6)),
        ("three channels of 16 bits", png(7_000, 16, 2)),
        ("too many pixels", png(17_000, 8, 0)),
        ("too many pixels of one bit", png(40_000, 1, 0)),
    ] {
        let error = decode(&bytes, "picture").unwrap_err();
        assert!(
            matches!(error, FrameError::TooLarge { .. }),
            "{what}: {error}"
        );
        assert!(peak_bytes() < LIMIT / 8, "{what}: {} bytes", peak_bytes());
    }

    // Larger ones are read at an eighth of their size, progressive ones too.
    for (what, bytes) in [
        ("200 megapixels", baseline(16_320, 12_240)),
        ("progressive", progressive(14_000)),
    ] {
        assert_eq!(decode(&bytes, what).unwrap(), Framing::Nothing);
        assert!(peak_bytes() < LIMIT / 3, "{what}: {} bytes", peak_bytes());
    }

    // Sixteen threads would take 2.7 GB without a budget.
    let folder = tempfile::tempdir().unwrap();
    let (photo, scan) = (folder.path().join("photo"), folder.path().join("scan"));
    std::fs::write(&photo, baseline(8_000, 6_000)).unwrap();
    std::fs::write(&scan, progressive(6_000)).unwrap();
    let budget = Budget::new();
    std::thread::scope(|scope| {
        for number in 0..16 {
            let (path, budget) = (if number % 4 == 0 { &scan } else { &photo }, &budget);
            scope.spawn(move || {
                let framing = read_within(path, budget).unwrap();
                assert_eq!(framing, Framing::Nothing);
            });
        }
    });
    // The program itself and the stacks of the threads come on top of it.
    let program = 32 << 20;
    assert!(
        peak_bytes() < Budget::BYTES + program,
        "{} bytes",
        peak_bytes()
    );
}
