//! Classifies every image of an IDX file and prints the names of their classes, one per line:
//! `downstream CHECKPOINT t10k-images-idx3-ubyte`.

use model::{Backend, Classifier};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, checkpoint, file] = &arguments[..] else {
        return Err("usage: downstream CHECKPOINT IMAGES".into());
    };
    let classifier = Classifier::load(checkpoint, &Backend::default().device()?)?;
    let bytes = std::fs::read(file)?;
    // An IDX file of grey images begins with 16 bytes of sizes.
    let images = bytes.get(16..).unwrap_or_default();
    for answer in classifier.classify_all(images)? {
        println!("{}", answer.name);
    }
    Ok(())
}
