//! What the tests ask a server: digits of MNIST, as pictures and as tensors.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs,
    io::{Cursor, Read as _},
};

use flate2::read::GzDecoder;
use image::{GrayImage, ImageFormat};
use serde_json::json;

use crate::{
    root,
    server::{Reply, Server},
};

/// Bytes of an image.
pub const PIXELS: usize = 28 * 28;

/// MNIST's first test images, one after the other, and their labels.
pub fn mnist(count: usize) -> (Vec<u8>, Vec<u8>) {
    let file = |name: &str| {
        let path = root().join("crates/data/mnist").join(name);
        let mut bytes = Vec::new();
        let mut file = GzDecoder::new(fs::File::open(path).unwrap());
        file.read_to_end(&mut bytes).unwrap();
        bytes
    };
    let images = file("t10k-images-idx3-ubyte.gz")[16..][..count * PIXELS].to_vec();
    let labels = file("t10k-labels-idx1-ubyte.gz")[8..][..count].to_vec();
    (images, labels)
}

/// An image as a PNG file.
pub fn png(pixels: &[u8]) -> Vec<u8> {
    let image = GrayImage::from_raw(28, 28, pixels.to_vec()).unwrap();
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).unwrap();
    png.into_inner()
}

/// The first of MNIST's test images that the committed checkpoint leaves to a person.
pub fn doubtful(server: &Server) -> Vec<u8> {
    let (images, _) = mnist(3000);
    let reply = infer(server, &images, &["accepted"]);
    let accepted = &reply.json()["outputs"][0]["data"];
    let index = accepted.as_array().unwrap().iter();
    let index = index
        .take_while(|accepted| **accepted == json!(true))
        .count();
    images[index * PIXELS..][..PIXELS].to_vec()
}

/// An inference request whose tensor is sent as bytes.
pub fn infer(server: &Server, images: &[u8], outputs: &[&str]) -> Reply {
    let outputs: Vec<_> = outputs.iter().map(|name| json!({ "name": name })).collect();
    let head = json!({
        "id": "seven",
        "inputs": [{
            "name": "images", "datatype": "UINT8", "shape": [images.len() / PIXELS, 1, 28, 28],
            "parameters": { "binary_data_size": images.len() },
        }],
        "outputs": outputs,
    })
    .to_string();
    let length = format!("Inference-Header-Content-Length: {}", head.len());
    let body = [head.as_bytes(), images].concat();
    server.send("POST", "/v2/models/pretrained/infer", &[&length], &body)
}
