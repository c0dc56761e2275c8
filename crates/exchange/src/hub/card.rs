//! The model card: what is known of a checkpoint, for the Hub's programs and for people.

use std::fmt::Write as _;

use data::mnist;
use model::{Manifest, PictureInput, checkpoint::MANIFEST};

use super::{CHECKPOINT, Card};

/// What the Hub calls MNIST.
const MNIST: &str = "ylecun/mnist";

/// The card: metadata in YAML between two lines of dashes, then Markdown.
pub(super) fn text(manifest: &Manifest, card: &Card) -> String {
    format!(
        "---\n{}---\n\n{}",
        metadata(manifest, card),
        body(manifest, card)
    )
}

/// What was trained on, for people, and for the Hub where it has a name there.
struct Dataset<'a> {
    name: String,
    id: Option<&'a str>,
}

impl<'a> Dataset<'a> {
    fn of(manifest: &Manifest, card: &Card<'a>) -> Self {
        let data = &manifest.provenance.data;
        if data.train.is(&mnist::TRAIN) {
            return Dataset {
                name: "MNIST".to_owned(),
                id: card.dataset.or(Some(MNIST)),
            };
        }
        // Where it lay on somebody's disk is nobody's business.
        let source = data.source.trim_end_matches(['/', '\\']);
        let name = source.rsplit(['/', '\\']).next().unwrap_or(source);
        Dataset {
            name: name.to_owned(),
            id: card.dataset,
        }
    }
}

/// A measured value: the Hub's name of the metric, ours, and the value.
fn measured(manifest: &Manifest) -> Vec<(&'static str, &'static str, f64)> {
    let of = |key: &str| manifest.metrics.get(key).copied();
    let mut all = vec![
        ("accuracy", "Accuracy", of("validation.accuracy")),
        (
            "cross_entropy",
            "Cross-entropy, nats, before calibration",
            of("validation.loss"),
        ),
    ];
    let deferral = manifest.calibration.as_ref().map(|fitted| &fitted.deferral);
    if let Some(deferral) = deferral.filter(|deferral| deferral.accepted > 0) {
        let wrong = deferral.errors as f64 / deferral.accepted as f64;
        all.push(("coverage", "Share accepted", Some(deferral.coverage)));
        all.push(("selective_risk", "Errors among the accepted", Some(wrong)));
    }
    let known = all.into_iter();
    known
        .filter_map(|(kind, name, value)| {
            Some((kind, name, value.filter(|value| value.is_finite())?))
        })
        .collect()
}

fn metadata(manifest: &Manifest, card: &Card) -> String {
    let dataset = Dataset::of(manifest, card);
    let mut yaml = format!(
        "license: {}\nlibrary_name: burn\npipeline_tag: image-classification\ntags:\n",
        scalar(card.license)
    );
    let tags = [
        "image-classification",
        "burn",
        "rust",
        "pytorch",
        "safetensors",
    ];
    let calibrated = manifest.calibration.is_some().then_some("calibrated");
    let onnx = card.onnx.then_some("onnx");
    for tag in tags.into_iter().chain(onnx).chain(calibrated) {
        let _ = writeln!(yaml, "- {tag}");
    }
    if let Some(id) = dataset.id {
        let _ = writeln!(yaml, "datasets:\n- {}", scalar(id));
    }
    let _ = writeln!(yaml, "metrics:\n- accuracy");
    let measured = measured(manifest);
    if measured.is_empty() {
        return yaml;
    }
    let _ = write!(
        yaml,
        "model-index:\n- name: {}\n  results:\n  - task:\n      type: image-classification\n      name: Image \
         classification\n    dataset:\n      type: {}\n      name: {}\n      split: train\n    metrics:\n",
        scalar(card.name),
        scalar(dataset.id.unwrap_or("unpublished")),
        scalar(&format!("{}, images held out for validation", dataset.name)),
    );
    for (kind, name, value) in measured {
        let name = scalar(name);
        let _ = writeln!(
            yaml,
            "    - type: {kind}\n      value: {value:?}\n      name: {name}"
        );
    }
    yaml
}

fn body(manifest: &Manifest, card: &Card) -> String {
    let Manifest {
        input,
        classes,
        members,
        views,
        ..
    } = manifest;
    let (channels, height, width) = (input.channels, input.height, input.width);
    let dataset = Dataset::of(manifest, card);
    let networks = match members {
        1 => "A convolutional network".to_owned(),
        members => format!("{members} convolutional networks, whose probabilities are averaged,"),
    };
    let mut text = format!(
        "# {}\n\n{networks} of {} parameters in all for images of {input}, trained on {}. Classes: {}.\n\n",
        escaped(card.name),
        manifest.parameters(),
        escaped(&dataset.name),
        named(classes),
    );
    let _ = write!(text, "## Measured\n\n{}\n", results(manifest));
    let _ = write!(text, "## Calibrated\n\n{}\n", calibrated(manifest));
    let picture = match manifest.picture {
        PictureInput::Framed => "the one symbol of a picture is found and framed as MNIST's were",
        PictureInput::Whole => "a picture is taken as a whole",
    };
    let _ = write!(
        text,
        "## Use\n\nWith the binary `digits`; {picture}:\n\n```sh\ndigits predict {CHECKPOINT} picture.png\n```\n\n\
         In Rust, with the crate `model` of the same project; the checkpoint brings normalization and \
         calibration:\n\n\
         ```rust\nlet classifier = model::Classifier::load(\"{CHECKPOINT}\", &model::Backend::default().device()?)?;\n\
         let answer = classifier.classify(&image)?; // bytes, [{channels}, {height}, {width}]\n```\n\n\
         In Python, with `torch` and `safetensors`; logits of one view of each image, not calibrated:\n\n\
         ```python\nfrom network import load\n\n\
         logits = load(\"model.safetensors\")(images)  # torch.uint8, [batch, {channels}, {height}, {width}]\n```\n\n"
    );
    if card.onnx {
        let _ = write!(
            text,
            "With ONNX; the graph has normalization and calibration in it:\n\n\
             ```python\nimport onnxruntime\n\nsession = onnxruntime.InferenceSession(\"model.onnx\")\n\
             answers = session.run(None, {{session.get_inputs()[0].name: images}})  # numpy.uint8, of the same shape\n```\n\n"
        );
    }
    let _ = write!(
        text,
        "## Limits\n\n\
         - It knows the classes named above and no others. Of an image that shows none of them it may still \
         name one.\n\
         - It takes images of exactly {height}×{width} pixels and {channels} channel{}, made as those it was \
         trained on.\n\
         - What was measured was measured on images held out of its training data; others may be harder.\n",
        if channels == 1 { "" } else { "s" },
    );
    if views.count() > 1 {
        let _ = writeln!(
            text,
            "- The checkpoint averages {} views of an image, shifted by a pixel; `network.py` looks at one and \
             may be right a little less often.",
            views.count()
        );
    }
    let digest = &manifest.provenance.data.train;
    let _ = write!(
        text,
        "\n## Where it comes from\n\nSeed {}, Burn {}. SHA-256 of the training images `{}`, of their labels `{}`. \
         `{CHECKPOINT}/{MANIFEST}` has the whole recipe; `sha256sum -c SHA256SUMS` checks the files.\n",
        manifest.provenance.seed,
        escaped(&manifest.provenance.versions.burn),
        escaped(&digest.images),
        escaped(&digest.labels),
    );
    text
}

fn results(manifest: &Manifest) -> String {
    let measured = measured(manifest);
    if measured.is_empty() {
        return "Nothing: the weights were imported, and nobody has measured them yet.\n"
            .to_owned();
    }
    let mut text = "On images held out of the training data:\n\n| | |\n|---|---|\n".to_owned();
    for (_, name, value) in measured {
        let _ = writeln!(text, "| {name} | {value:.4} |");
    }
    text
}

fn calibrated(manifest: &Manifest) -> String {
    let Some(calibration) = &manifest.calibration else {
        return "Not calibrated: probabilities are the network's own, and no answer is accepted.\n"
            .to_owned();
    };
    let deferral = &calibration.deferral;
    let mut text = format!(
        "Probabilities are those of the logits divided by a temperature of {:.4}, fitted on {} images held out \
         of the training data. ",
        calibration.temperature.value(),
        deferral.n
    );
    let promise = deferral.promise();
    let _ = match deferral.is_reliable() {
        true => write!(
            text,
            "An answer is accepted from a confidence of {:.4} on ({promise}), if the image is like those: ",
            deferral.threshold
        ),
        false => write!(
            text,
            "No answer is accepted: {promise}. An image counts as known if "
        ),
    };
    let limits = [
        Some(format!(
            "its energy is at most {:.4} nats",
            calibration.energy.value
        )),
        calibration.distance.as_ref().map(|distance| {
            format!(
                "its distance from its class is at most {:.4}",
                distance.value
            )
        }),
        calibration
            .pixels
            .as_ref()
            .map(|_| "its ink lies within the limits of theirs".to_owned()),
    ];
    let limits: Vec<_> = limits.into_iter().flatten().collect();
    let _ = writeln!(
        text,
        "{}. All others are for a person to decide.",
        limits.join(", ")
    );
    text
}

/// The classes by name, where they aren't too many to read.
fn named(classes: &[String]) -> String {
    const MOST: usize = 100;
    let names: Vec<_> = classes
        .iter()
        .take(MOST)
        .map(|name| escaped(name))
        .collect();
    match classes.len().saturating_sub(MOST) {
        0 => names.join(", "),
        more => format!(
            "{} and {more} more, which `config.json` names",
            names.join(", ")
        ),
    }
}

/// Text in YAML, quoted; JSON's quotes are YAML's but for a few characters that YAML doesn't print.
fn scalar(text: &str) -> String {
    let printable = |c: char| match c {
        '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    };
    let text: String = text.chars().map(printable).collect();
    serde_json::Value::from(text).to_string()
}

/// Text in Markdown that means nothing but itself.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation()
            && !matches!(c, '.' | ',' | '-' | ':' | ';' | '(' | ')' | '\'' | '/')
        {
            escaped.push('\\');
        }
        escaped.push(if c.is_control() { ' ' } else { c });
    }
    escaped
}
