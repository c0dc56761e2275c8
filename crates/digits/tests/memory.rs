//! `digits predict` stays below 512 MB, whatever the pictures and the threads.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

const LIMIT: u64 = 512_000_000;

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker], &length[..], content].concat()
}

/// A JPEG file of a single grey, with colours of half the size: two bits for each block, or one if it
/// is progressive.
fn photo(width: u16, height: u16, progressive: bool) -> Vec<u8> {
    let units = usize::from(width.div_ceil(16)) * usize::from(height.div_ceil(16));
    let size = [height.to_be_bytes(), width.to_be_bytes()].concat();
    let channels = [1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0];
    let (frame, last, bits) = if progressive {
        (0xc2, 0, 6)
    } else {
        (0xc0, 63, 12)
    };
    let table = |kind: u8| segment(0xc4, &[&[kind, 1][..], &[0; 15], &[0]].concat());
    [
        vec![0xff, 0xd8],
        segment(0xdb, &[&[0][..], &[1; 64]].concat()),
        segment(frame, &[&[8][..], &size, &[3], &channels].concat()),
        table(0),
        table(0x10),
        segment(0xda, &[3, 1, 0, 2, 0, 3, 0, 0, last, 0]),
        vec![0; (bits * units).div_ceil(8)],
        vec![0xff, 0xd9],
    ]
    .concat()
}

/// The peak of the memory of `digits predict` on a folder, in bytes.
fn peak(folder: &Path, threads: usize) -> u64 {
    let pretrained = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../artifacts/pretrained");
    let mut child = Command::new(env!("CARGO_BIN_EXE_digits"))
        .arg("predict")
        .args([&pretrained, folder])
        .env("RAYON_NUM_THREADS", threads.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak = 0;
    loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(kilobytes) = line.and_then(|line| line.split_whitespace().next()) {
            peak = kilobytes.parse::<u64>().unwrap() << 10;
        }
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return peak;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn large_photos_on_many_threads_stay_below_512_mb() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("48-megapixels", photo(8_000, 6_000, false)),
        ("200-megapixels", photo(16_320, 12_240, false)),
        ("progressive", photo(7_000, 6_000, true)),
        ("12-megapixels", photo(4_000, 3_000, false)),
    ] {
        for number in 0..5 {
            fs::write(folder.path().join(format!("{number}-{name}.jpg")), &bytes).unwrap();
        }
    }
    for threads in [2, 16] {
        let peak = peak(folder.path(), threads);
        assert!(peak > 0 && peak < LIMIT, "{threads} threads: {peak} bytes");
    }
}
