//! Compressed IDX files: a gzip stream of any bytes, and gzip streams of whatever the input is.

#![no_main]

use std::io::Write;

use data::idx::{read_images, read_labels};
use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // As it stands, behind the header of a gzip file without a name.
    let mut stream = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    stream.extend_from_slice(bytes);
    for file in [bytes, &stream] {
        let _ = read_images(file, "input");
        let _ = read_labels(file, "input");
    }
    // A file means the same, compressed or not.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    if encoder.write_all(bytes).is_ok()
        && let Ok(compressed) = encoder.finish()
        && !bytes.starts_with(&[0x1f, 0x8b])
    {
        let images = [bytes, &compressed].map(|file| read_images(file, "input").ok());
        assert_eq!(images[0], images[1]);
        let labels = [bytes, &compressed].map(|file| read_labels(file, "input").ok());
        assert_eq!(labels[0], labels[1]);
    }
});
