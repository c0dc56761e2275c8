//! A checkpoint folder with files made of the input, mostly with digests that are right, so that the
//! fuzzer gets behind `SHA256SUMS` to everything that believes it.
//!
//! The input is a byte of flags, then `checkpoint.json`, `optimizer.bpk` and `scheduler.bpk`, each
//! after its length in two bytes, then `model.bpk`. The second of these is `model-2.bpk` of a committee.

#![no_main]

use std::{fmt::Write, fs, path::PathBuf, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use model::{
    Backend, Classifier,
    checkpoint::{Checkpoint, LIVE, MANIFEST, MODEL, OPTIMIZER, SCHEDULER, SUMS, model_file},
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use train::state::TrainingState;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a temporary folder"));

/// `SHA256SUMS` is the second section of the input instead of the right one.
const RAW_SUMS: u8 = 1;
/// The optimizer's and the scheduler's files are there.
const TRAINING: u8 = 2;
/// The average of the weights is that of these weights alone.
const AVERAGED: u8 = 8;
/// The weights of a second network are there.
const COMMITTEE: u8 = 4;

fuzz_target!(|bytes: &[u8]| {
    let Some((&flags, mut rest)) = bytes.split_first() else {
        return;
    };
    let [manifest, second, scheduler] = std::array::from_fn(|_| section(&mut rest));
    let member = model_file(1);
    let mut files = vec![(MANIFEST, manifest), (MODEL, rest)];
    if flags & COMMITTEE != 0 {
        files.push((&member[..], second));
    }
    if flags & TRAINING != 0 {
        files.extend([(OPTIMIZER, second), (SCHEDULER, scheduler)]);
    }
    if flags & AVERAGED != 0 {
        files.push((LIVE, rest));
    }
    let folder = folder(&files, (flags & RAW_SUMS != 0).then_some(second));
    let checkpoint = match Checkpoint::open(&folder) {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            assert!(error.to_string().contains(&*folder.to_string_lossy()));
            return;
        }
    };
    if let Some(training) = checkpoint.manifest().training.clone()
        && let Ok(state) = serde_json::from_value::<TrainingState>(training)
        && let Err(error) = train::records::check(&checkpoint, state.step)
    {
        assert!(error.to_string().contains(&*folder.to_string_lossy()));
    }
    let device = Backend::Flex.device().expect("flex is compiled in");
    if let Ok(classifier) = Classifier::from_checkpoint(&checkpoint, &device) {
        let image: Vec<u8> = (0..classifier.shape().len())
            .map(|pixel| pixel as u8)
            .collect();
        let answer = classifier.classify(&image).expect("an image of its shape");
        let sum: f64 = answer.probabilities.iter().sum();
        assert!((sum - 1.0).abs() < 1e-6 && usize::from(answer.class) < classifier.classes().len());
    }
});

fn section<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let Some((length, after)) = rest.split_first_chunk::<2>() else {
        return &[];
    };
    let length = usize::from(u16::from_le_bytes(*length)).min(after.len());
    let (section, after) = after.split_at(length);
    *rest = after;
    section
}

fn folder(files: &[(&str, &[u8])], raw_sums: Option<&[u8]>) -> PathBuf {
    let path = FOLDER.path().join("checkpoint");
    let _ = fs::remove_dir_all(&path);
    fs::create_dir(&path).expect("the folder can be made");
    let mut files = files.to_vec();
    files.sort_unstable();
    let mut sums = String::new();
    for (name, content) in &files {
        fs::write(path.join(name), content).expect("the file can be written");
        for byte in Sha256::digest(content) {
            let _ = write!(sums, "{byte:02x}");
        }
        let _ = writeln!(sums, "  {name}");
    }
    fs::write(path.join(SUMS), raw_sums.unwrap_or(sums.as_bytes())).expect("it can be written");
    path
}
