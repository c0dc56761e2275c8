//! Imports changed files, as fast as they come: the inputs of the fuzz target `import`, changed at random.
//!
//!     cargo run --release -p exchange --example fuzz_import --features model/flex -- 1000000 0
//!
//! The arguments are how many and a seed. A panic ends it, after which the input lies in `import-failed`.

#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "../../../fuzz/targets/shared/import.rs"]
mod shared;

use std::{
    fs, panic,
    path::Path,
    time::{Duration, Instant},
};

/// SplitMix64 (Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number Generators").
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        ((u128::from(bits) * limit.max(1) as u128) >> 64) as usize
    }
}

/// What stands in headers and architectures, to stand elsewhere.
const WORDS: [&str; 24] = [
    "0",
    "1",
    "9",
    "-1",
    "4096",
    "1000000000000",
    "18446744073709551615",
    "1e999",
    "[",
    "]",
    "{",
    "}",
    ",",
    "\"",
    "F64",
    "BF16",
    "F8_E5M2",
    "null",
    "true",
    "members = 3\n",
    "views = 5\n",
    "\"0.weight\"",
    "\\u0000",
    "\n",
];

fn changed(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..random.below(6) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 if !bytes.is_empty() => bytes[at] = random.below(256) as u8,
            1 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            2 => {
                let end = (at + random.below(16)).min(bytes.len());
                drop(bytes.drain(at..end));
            }
            3 => {
                let word = WORDS[random.below(WORDS.len())].bytes();
                drop(bytes.splice(at..at, word));
            }
            4 => {
                let word = WORDS[random.below(WORDS.len())].bytes();
                let end = (at + word.len()).min(bytes.len());
                drop(bytes.splice(at..end, word));
            }
            _ => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len());
                let part = other[from..(from + random.below(200)).min(other.len())].to_vec();
                drop(bytes.splice(at..at, part));
            }
        }
    }
    // Where the architecture ends is known again after most changes.
    let begin = 3.min(bytes.len());
    let header = bytes[begin..].windows(2).position(|pair| pair == b"{\"");
    if let (Some(length), true) = (header, random.below(8) > 0) {
        bytes[..2].copy_from_slice(&(length as u16).to_le_bytes());
    }
    bytes
}

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|number| number.parse().unwrap());
    let (count, seed) = (
        arguments.next().unwrap_or(1_000_000),
        arguments.next().unwrap_or(0),
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/import");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let seeds: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let (began, mut told) = (Instant::now(), Instant::now());
    let mut imported = 0;
    let mut random = Random(seed);
    for done in 1..=count {
        let bytes = changed(&seeds, &mut random);
        match panic::catch_unwind(|| shared::check(&bytes)) {
            Ok(true) => imported += 1,
            Ok(false) => {}
            Err(_) => {
                fs::write("import-failed", &bytes).unwrap();
                println!("failed at {done} of seed {seed}: import-failed");
                std::process::exit(1);
            }
        }
        if told.elapsed() > Duration::from_secs(30) || done == count {
            told = Instant::now();
            println!(
                "{done} files, {imported} imported, {:.0} s",
                began.elapsed().as_secs_f64()
            );
        }
    }
}
