//! An exported network in tract, beside the checkpoint that it is of.
//!
//! `cargo run --release -- MODEL.onnx ANSWERS COUNT`, in this folder, with the folder that the example `answers` of
//! `digits` has written and the number of its images to ask for. Prints the greatest difference between logits,
//! and how many classes, decisions and reasons differ; exits with 1 if one does.

#![forbid(unsafe_code)]

use std::{fs, path::Path, process::ExitCode};

use anyhow::Context;
use tract_onnx::{prelude::*, tract_hir::infer::Factoid, tract_hir::internal::DimLike};

const BATCH: usize = 50;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, answers, count] = &arguments[..] else {
        anyhow::bail!("give the model, the folder of answers and a number of images");
    };
    let folder = Path::new(answers);
    let rows: Vec<Vec<f64>> = fs::read_to_string(folder.join("answers.csv"))?
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(str::parse).collect())
        .collect::<Result<_, _>>()?;
    let bytes = fs::read(folder.join("images.u8"))?;

    let model = tract_onnx::onnx().model_for_path(file)?;
    let sizes = model.input_fact(0)?.shape.dims().skip(1);
    let shape: Vec<usize> = sizes
        .map(|size| size.concretize()?.to_usize().ok())
        .collect::<Option<_>>()
        .context("the shape of an image is stated")?;
    let length: usize = shape.iter().product();
    let model = model.into_optimized()?.into_runnable()?;

    let count = count.parse::<usize>()?.min(rows.len());
    let (mut difference, mut differ) = (0_f64, [0; 3]);
    for (rows, bytes) in rows[..count]
        .chunks(BATCH)
        .zip(bytes.chunks(BATCH * length))
    {
        let dims = [&[rows.len()], &shape[..]].concat();
        let images = Tensor::from_shape(&dims, &bytes[..rows.len() * length])?;
        let found = model.run(tvec!(images.into()))?;
        let logits = found[0].to_plain_array_view::<f32>()?;
        let class = found[2].to_plain_array_view::<i64>()?;
        let accepted = found[3].to_plain_array_view::<bool>()?;
        let reason = found[4].to_plain_array_view::<i64>()?;
        for (index, row) in rows.iter().enumerate() {
            for (k, logit) in row[3..].iter().enumerate() {
                difference = difference.max((f64::from(logits[[index, k]]) - logit).abs());
            }
            differ[0] += usize::from(class[[index]] as f64 != row[1]);
            differ[1] += usize::from(accepted[[index]] != (row[2] == 0.0));
            differ[2] += usize::from(reason[[index]] as f64 != row[2]);
        }
    }
    let [classes, decisions, reasons] = differ;
    println!("| tract | {count} | {difference:.1e} | {classes} | {decisions} | {reasons} |");
    Ok(ExitCode::from(u8::from(
        differ != [0; 3] || difference > 1e-4,
    )))
}
