//! Malformed files cost no memory worth speaking of. Alone in its process, because it reads the
//! peak of the whole process from Linux.
#![cfg(all(target_os = "linux", feature = "files"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use data::idx::{self, Input};
use data::{Classes, DataError, ImageShape};
use flate2::Compression;
use flate2::write::GzEncoder;

const LIMIT: u64 = 64 << 20;
const SHAPE: ImageShape = ImageShape {
    channels: 1,
    height: 28,
    width: 28,
};

fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        << 10
}

/// A gzip file of a header and `zeros` zeros: about a thousandth of its content.
fn bomb(path: &Path, header: &[u8], zeros: usize) {
    let mut encoder = GzEncoder::new(File::create(path).unwrap(), Compression::best());
    encoder.write_all(header).unwrap();
    let block = [0; 1 << 16];
    for _ in 0..zeros / block.len() {
        encoder.write_all(&block).unwrap();
    }
    encoder.write_all(&block[..zeros % block.len()]).unwrap();
    encoder.finish().unwrap();
}

#[test]
fn a_malformed_file_costs_less_than_64_mib() {
    let folder = tempfile::tempdir().unwrap();
    let [images, labels] = ["images", "labels"].map(|name| folder.path().join(name));
    let baseline = peak_bytes();
    let refused = |what: &str| {
        let read = || {
            idx::read_split(Input::open(&images)?, Input::open(&labels)?, |_| {
                Classes::numbered((0..10).collect())
            })
        };
        let error = read().unwrap_err();
        let used = peak_bytes() - baseline;
        assert!(used < LIMIT, "{what}: {used} bytes");
        error
    };
    let write_labels = |count: usize| {
        fs::write(
            &labels,
            [&idx::label_header(count as u32, false)[..], &vec![0; count]].concat(),
        )
        .unwrap();
    };

    write_labels(60_000);
    bomb(&images, &idx::image_header(60_000, SHAPE), 1 << 29);
    assert!(matches!(
        refused("a bomb after the promised images"),
        DataError::Trailing { .. }
    ));

    write_labels(20_000);
    bomb(&images, &idx::image_header(20_000, SHAPE), 1 << 29);
    assert!(matches!(
        refused("a bomb that promises little"),
        DataError::Trailing { .. }
    ));

    write_labels(600_000);
    bomb(&images, &idx::image_header(600_000, SHAPE), 600_000 * 784);
    assert!(matches!(
        refused("a bomb that keeps its promise"),
        DataError::Implausible { .. }
    ));

    fs::write(
        &images,
        [&idx::image_header(600_000, SHAPE)[..], &[0; 1000]].concat(),
    )
    .unwrap();
    assert!(matches!(
        refused("a large promise, plain"),
        DataError::Truncated { .. }
    ));

    let huge = ImageShape {
        height: 1 << 20,
        width: 1 << 20,
        ..SHAPE
    };
    bomb(&images, &idx::image_header(600_000, huge), 1 << 29);
    assert!(matches!(
        refused("a bomb of images that are too large"),
        DataError::InFile { .. }
    ));

    // A sparse file: terabytes in length, nothing on disk.
    let sparse = File::create(&images).unwrap();
    (&sparse)
        .write_all(&idx::image_header(600_000, SHAPE))
        .unwrap();
    sparse.set_len(1 << 40).unwrap();
    assert!(matches!(
        refused("a terabyte, plain"),
        DataError::Trailing { .. }
    ));

    bomb(&labels, &idx::label_header(600_000, false), 1 << 29);
    assert!(matches!(
        refused("a bomb of labels"),
        DataError::Trailing { .. }
    ));
}
