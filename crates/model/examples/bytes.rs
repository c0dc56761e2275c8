//! Loads a checkpoint from bytes that came from anywhere, such as a store of objects:
//! `cargo run --release --example bytes -- artifacts/pretrained`.

use std::{error::Error, io};

use model::{Backend, Classifier};

/// Stands for the client of a store: the names and bytes of all objects below a prefix.
fn objects(prefix: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let entries = std::fs::read_dir(prefix)?;
    let object = |entry: io::Result<std::fs::DirEntry>| {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        Ok((name, std::fs::read(entry.path())?))
    };
    entries.map(object).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let prefix = std::env::args().nth(1).ok_or("usage: bytes CHECKPOINT")?;
    let objects = objects(&prefix)?;
    let files: Vec<(&str, &[u8])> = objects
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();

    // A byte that changed on the way, an object that is missing or one too many is an error.
    let classifier = Classifier::from_bytes(&prefix, &files, &Backend::default().device()?)?;

    // Many images at once are much faster than one by one.
    let images = vec![0; 100 * classifier.shape().len()];
    let answers = classifier.classify_all(&images)?;
    println!(
        "{} images of {}: {}, …",
        answers.len(),
        classifier.shape(),
        answers[0].name
    );
    Ok(())
}
