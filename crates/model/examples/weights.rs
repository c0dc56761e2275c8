//! The network of a checkpoint for other programs: its architecture as JSON on standard output, and its weights
//! one after the other, as little-endian f32, in a file.
//!
//! `cargo run --release -p model --example weights -- artifacts/pretrained weights.f32`

use std::{env, error::Error, fs};

use burn::{
    module::{Module as _, ModuleVisitor, Param},
    tensor::Tensor,
};
use model::{Backend, Classifier};

struct Weights {
    bytes: Vec<u8>,
    shapes: Vec<Vec<usize>>,
}

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        self.shapes.push(tensor.dims().to_vec());
        let data = tensor.into_data();
        let bytes = data.iter::<f32>().flat_map(f32::to_le_bytes);
        self.bytes.extend(bytes);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, file] = &arguments[..] else {
        return Err("two arguments: a checkpoint folder, and a file for the weights".into());
    };
    let classifier = Classifier::load(folder, &Backend::default().device()?)?;
    let [network] = classifier.networks() else {
        return Err("a checkpoint of one network, please".into());
    };
    let mut weights = Weights {
        bytes: Vec::new(),
        shapes: Vec::new(),
    };
    network.visit(&mut weights);
    fs::write(file, weights.bytes)?;
    let manifest = classifier.manifest();
    let json = serde_json::json!({
        "architecture": manifest.architecture,
        "normalization": manifest.normalization,
        "shapes": weights.shapes,
    });
    println!("{json}");
    Ok(())
}
