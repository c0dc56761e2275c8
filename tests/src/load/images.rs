//! What is asked: MNIST's test images, in the forms that the server takes.

use std::{fs::File, io::Read as _};

use anyhow::Context;
use flate2::read::GzDecoder;
use serde_json::json;
use tests::root;

use crate::wire;

/// Bytes of an image.
pub const PIXELS: usize = 28 * 28;

/// The first of MNIST's test images, one after the other.
///
/// # Errors
/// If their file can't be read.
pub fn mnist(count: usize) -> anyhow::Result<Vec<u8>> {
    let path = root().join("crates/data/mnist/t10k-images-idx3-ubyte.gz");
    let shown = path.display().to_string();
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| shown.clone())?;
    GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .context(shown)?;
    let images = bytes.get(16..).unwrap_or_default();
    Ok(images
        .iter()
        .copied()
        .cycle()
        .take(count * PIXELS)
        .collect())
}

/// An inference request by the binary extension, for these outputs, as bytes as well or as JSON.
pub fn infer(model: &str, images: &[u8], outputs: &[&str], binary: bool) -> Vec<u8> {
    let outputs: Vec<_> = outputs
        .iter()
        .map(|name| json!({ "name": name, "parameters": { "binary_data": binary } }))
        .collect();
    let head = json!({
        "inputs": [{
            "name": "images", "datatype": "UINT8", "shape": [images.len() / PIXELS, 1, 28, 28],
            "parameters": { "binary_data_size": images.len() },
        }],
        "outputs": outputs,
    })
    .to_string();
    let length = format!("Inference-Header-Content-Length: {}", head.len());
    let body = [head.as_bytes(), images].concat();
    wire::request(
        "POST",
        &format!("/v2/models/{model}/infer"),
        &[length],
        &body,
    )
}

/// A request of the bytes of one image, in which no person is asked.
pub fn pixels(image: &[u8]) -> Vec<u8> {
    let kind = "Content-Type: application/octet-stream".to_owned();
    wire::request("POST", "/predict/pixels?review=false", &[kind], image)
}
