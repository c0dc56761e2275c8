//! A checkpoint as one ONNX file that takes raw bytes and answers as the checkpoint does: normalization,
//! networks, views, temperature, limits and threshold are in the graph.
//!
//! | name | type and shape | |
//! |---|---|---|
//! | `images` | uint8 `[n, channels, height, width]` | raw bytes, as [`Classifier::classify_all`] takes them |
//! | `logits` | float `[n, classes]` | of all networks and views together: [`evaluation::combine`] |
//! | `probabilities` | float `[n, classes]` | calibrated |
//! | `class` | int64 `[n]` | the likeliest |
//! | `accepted` | bool `[n]` | whether the machine keeps it |
//! | `reason` | int64 `[n]` | 0, or why a person should decide: [`REASONS`] |
//!
//! Operators are those of version 13 (IR version 7, ONNX 1.8 of 2020): the first in which each that is used
//! has the types that are needed, so programs of the years since read it. Reasons are numbers because
//! not every program that reads ONNX has texts as outputs.
//!
//! The file is written by `prost`, from hand-written structs for the few messages of `onnx.proto` that are
//! needed: nothing is generated while building. Burn's own exporter records what Burn computes, which isn't all
//! of this: the kernels' blocks, softmax and comparisons.

#[cfg(feature = "tract")]
mod asked;
mod decision;
mod graph;
mod metadata;
mod network;
mod pixels;
mod proto;
mod read;

use std::path::Path;

use model::{Classifier, Device, ImageShape, checkpoint::Checkpoint};
use prost::Message;

#[cfg(feature = "tract")]
pub use asked::{Answered, ask};
pub use decision::{REASONS, reason};

use crate::{ExchangeError, layers::all_known};
use decision::{Decided, Said, decide};
use graph::{Graph, Value, int};
use proto::{DataType, GraphProto, ModelProto, OperatorSetIdProto};

/// The name of the file.
pub const FILE: &str = "model.onnx";

const OPERATORS: i64 = 13;
const FORMAT: i64 = 7;

/// The ONNX file of a checkpoint. Before it is returned it is read again and compared with the checkpoint; with the
/// feature `tract`, which runs it, its answers to a few images, too.
///
/// # Errors
/// If the checkpoint's weights don't fit it, or the file doesn't hold what the checkpoint holds.
pub fn export(checkpoint: &Checkpoint, device: &Device) -> Result<Vec<u8>, ExchangeError> {
    let file = model(checkpoint, device)?.encode_to_vec();
    verify(Path::new(FILE), &file, checkpoint, device)?;
    #[cfg(feature = "tract")]
    asked::same_answers(
        Path::new(FILE),
        &file,
        &Classifier::from_checkpoint(checkpoint, device)?,
    )?;
    Ok(file)
}

/// Checks that a file, called `path` in errors, is the export of a checkpoint: that it can be read, that its
/// graph is whole, and that it holds what the checkpoint does, tensor by tensor.
///
/// # Errors
/// [`ExchangeError::Invalid`] with the first thing that differs.
pub fn verify(
    path: &Path,
    file: &[u8],
    checkpoint: &Checkpoint,
    device: &Device,
) -> Result<(), ExchangeError> {
    let expected = model(checkpoint, device)?;
    let difference = read::read(file).and_then(|found| read::compare(&found, &expected));
    difference.map_err(|problem| ExchangeError::Invalid {
        path: path.to_owned(),
        problem: format!("{problem}; export the checkpoint again"),
    })
}

fn model(checkpoint: &Checkpoint, device: &Device) -> Result<ModelProto, ExchangeError> {
    all_known(checkpoint)?;
    let classifier = Classifier::from_checkpoint(checkpoint, device)?;
    Ok(ModelProto {
        ir_version: FORMAT,
        producer_name: "digits".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: metadata::doc(&classifier),
        graph: Some(graph(&classifier)),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: OPERATORS,
        }],
        metadata_props: metadata::entries(checkpoint, &classifier),
    })
}

fn graph(classifier: &Classifier) -> GraphProto {
    let mut graph = Graph::default();
    let ImageShape {
        channels,
        height,
        width,
    } = classifier.shape();
    let images = Value::input("images");
    let doc = metadata::images(classifier);
    graph.declare(&images, DataType::Uint8, &[channels, height, width], &doc);

    graph.part("input");
    let bytes = graph.cast(&images, DataType::Float);
    let views = views(&mut graph, classifier, &bytes);
    let calibration = classifier.calibration();
    let mut said = said(&mut graph, classifier, &views);
    said.pixels = calibration
        .pixels
        .as_ref()
        .map(|limits| pixels::within(&mut graph, limits, classifier.shape(), &bytes));
    let Decided {
        logits,
        probabilities,
        class,
        accepted,
        reason,
    } = decide(&mut graph, calibration, &said);

    let classes = &[calibration.classes];
    for (value, name, of, more) in [
        (&logits, "logits", DataType::Float, &classes[..]),
        (&probabilities, "probabilities", DataType::Float, classes),
        (&class, "class", DataType::Int64, &[]),
        (&accepted, "accepted", DataType::Bool, &[]),
        (&reason, "reason", DataType::Int64, &[]),
    ] {
        graph.output(value, name, of, more, &metadata::output(name));
    }
    graph.finish("classifier")
}

/// The normalized views of all images, one view of all of them after the other.
fn views(graph: &mut Graph, classifier: &Classifier, bytes: &Value) -> Value {
    let ImageShape { height, width, .. } = classifier.shape();
    let shifts = classifier.manifest().views.shifts();
    if shifts.len() == 1 {
        return normalized(graph, classifier, bytes);
    }
    let border = graph.int64s("pads", &[0, 0, 1, 1, 0, 0, 1, 1]);
    let bordered = graph.node("Pad", &[bytes, &border]);
    let bordered = normalized(graph, classifier, &bordered);
    let windows: Vec<Value> = shifts
        .iter()
        .map(|&[down, right]| {
            let starts = [down, right].map(|shift| 1_usize.saturating_add_signed(-shift));
            graph.window(&bordered, starts, [starts[0] + height, starts[1] + width])
        })
        .collect();
    let windows: Vec<&Value> = windows.iter().collect();
    graph.node_with("Concat", &windows, vec![int("axis", 0)])
}

/// `(byte / 255 - mean) / std`, channel by channel.
fn normalized(graph: &mut Graph, classifier: &Classifier, bytes: &Value) -> Value {
    let normalization = classifier.normalization();
    let dims = [1, normalization.mean.len(), 1, 1];
    let constant = |of: &[f64], to: fn(f64) -> f64| -> Vec<f32> {
        of.iter().map(|&value| to(value) as f32).collect()
    };
    let means = constant(&normalization.mean, |mean| 255.0 * mean);
    let scales = constant(&normalization.std, |std| 1.0 / (255.0 * std));
    let (means, scales) = (
        graph.floats("mean", &dims, &means),
        graph.floats("scale", &dims, &scales),
    );
    let centred = graph.node("Sub", &[bytes, &means]);
    graph.node("Mul", &[&centred, &scales])
}

/// What all networks say of all views.
fn said(graph: &mut Graph, classifier: &Classifier, views: &Value) -> Said {
    let manifest = classifier.manifest();
    let wanted = classifier.calibration().distance.is_some();
    let (mut rows, mut features) = (Vec::new(), Vec::new());
    let count = manifest.views.count() as i64;
    let networks = classifier.networks();
    for (member, network) in networks.iter().enumerate() {
        let (part, config) = (format!("network{}", member + 1), &manifest.architecture);
        let (logits, found) = network::network(graph, &part, network, config, views, wanted);
        rows.push(graph.reshape(&logits, &[count, -1, manifest.classes.len() as i64]));
        features.extend(found.map(|found| {
            let channels = config.blocks.last().map(|block| block.channels);
            let channels = channels.unwrap_or(manifest.input.channels);
            let found = graph.reshape(&found, &[count, -1, channels as i64]);
            graph.reduce("ReduceMean", &found, &[0], false)
        }));
    }
    let logits = match &rows[..] {
        [only] => only.clone(),
        several => {
            let several: Vec<&Value> = several.iter().collect();
            graph.node_with("Concat", &several, vec![int("axis", 0)])
        }
    };
    Said {
        logits,
        rows: manifest.views.count() * networks.len(),
        features,
        pixels: None,
    }
}
