//! What the file says of itself.

use model::{
    Classifier, PictureInput,
    checkpoint::{Checkpoint, SUMS},
};
use serde_json::json;

use super::decision::REASONS;
use super::proto::StringStringEntryProto;

/// What the whole file is, for people: a sentence a line, as viewers show it.
pub fn doc(classifier: &Classifier) -> String {
    let manifest = classifier.manifest();
    format!(
        "Classifies images of {} into {} classes.\nRaw bytes go in; normalization, {} on {}, calibration and the \
         decision whether a machine may keep the answer are in the graph.\naccepted holds where a person need not \
         look; reason says why one should: {}.\n{}",
        manifest.input,
        manifest.classes.len(),
        count(manifest.members, "network"),
        count(manifest.views.count(), "view"),
        reasons(),
        promise(classifier),
    )
}

fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("one {what}"),
        _ => format!("{number} {what}s"),
    }
}

fn reasons() -> String {
    let reasons = REASONS.map(|(code, name)| format!("{code} {name}"));
    reasons.join(", ")
}

fn promise(classifier: &Classifier) -> String {
    match &classifier.manifest().calibration {
        Some(calibration) => calibration.deferral.promise(),
        None => "not calibrated: nothing is accepted".to_owned(),
    }
}

/// What goes in.
pub fn images(classifier: &Classifier) -> String {
    let picture = match classifier.manifest().picture {
        PictureInput::Framed => {
            "each with one symbol, bright on dark, framed as MNIST's digits are: scaled to fit a box of 20 of 28 \
             pixels, its centre of mass in the middle"
        }
        PictureInput::Whole => "each a whole picture, scaled to this size",
    };
    format!("bytes, channel by channel, row by row, 0 for black, 255 for white; {picture}")
}

/// What an output is.
pub fn output(name: &str) -> String {
    match name {
        "logits" => "scores of the classes, of all networks and views together".to_owned(),
        "probabilities" => {
            "calibrated probabilities of the classes, in the order of the metadata's \
                            classes"
                .to_owned()
        }
        "class" => "the likeliest class, counted from 0".to_owned(),
        "accepted" => {
            "whether the machine may keep the answer; the others go to a person".to_owned()
        }
        _ => reasons(),
    }
}

/// Names and values for programs. What is no text is JSON.
pub fn entries(checkpoint: &Checkpoint, classifier: &Classifier) -> Vec<StringStringEntryProto> {
    let manifest = classifier.manifest();
    let calibration = classifier.calibration();
    let deferral = &calibration.deferral;
    let reasons = REASONS.map(|(code, name)| (code.to_string(), json!(name)));
    let reasons: serde_json::Map<_, _> = reasons.into_iter().collect();
    let threshold = deferral.is_reliable().then_some(deferral.threshold);
    let mut entries = vec![
        ("classes", json!(manifest.classes).to_string()),
        ("labels", json!(manifest.labels).to_string()),
        ("reasons", json!(reasons).to_string()),
        ("picture", text(&json!(manifest.picture))),
        ("normalization", json!(manifest.normalization).to_string()),
        ("architecture", json!(manifest.architecture).to_string()),
        ("members", manifest.members.to_string()),
        ("views", manifest.views.count().to_string()),
        (
            "temperature",
            json!(calibration.temperature.value()).to_string(),
        ),
        ("threshold", json!(threshold).to_string()),
        ("target_risk", json!(deferral.target_risk).to_string()),
        ("certified", deferral.certified.to_string()),
        ("promise", promise(classifier)),
        ("metrics", json!(manifest.metrics).to_string()),
        ("trained_on", manifest.provenance.data.source.clone()),
        ("seed", manifest.provenance.seed.to_string()),
        (
            "trained_by",
            json!(manifest.provenance.versions).to_string(),
        ),
        (
            "license",
            format!(
                "{} for the program that wrote this file; the weights are theirs who trained them",
                env!("CARGO_PKG_LICENSE")
            ),
        ),
    ];
    let sums = checkpoint.file(SUMS).unwrap_or_default();
    let sums = String::from_utf8_lossy(sums).into_owned();
    entries.push(("checkpoint_sha256", sums));
    let entry = |(key, value): (&str, String)| StringStringEntryProto {
        key: key.to_owned(),
        value,
    };
    entries.into_iter().map(entry).collect()
}

/// A value that is a text, without its quotes.
fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
