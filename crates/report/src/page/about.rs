//! Where the weights come from.

use evaluation::PixelLimits;
use maud::html;
use model::Views;

use super::findings::Page;
use super::markup::{Section, count, data_table, folded, percent, table, visible};

pub fn section(page: &Page) -> Section {
    let manifest = page.classifier.manifest();
    let provenance = &manifest.provenance;
    let recipe = serde_json::to_string_pretty(&provenance.config).unwrap_or_default();
    let metrics = manifest.metrics.iter();
    let metrics: Vec<Vec<String>> = metrics
        .map(|(name, value)| vec![visible(name), format!("{value:.6}")])
        .collect();
    let preformatted = |title: &str, text: String| {
        let text = html! { pre.scroll tabindex="0" { (text) } };
        folded(title, text)
    };
    let layers = match manifest.members {
        1 => "Layers",
        _ => "Layers of one network",
    };
    let content = html! {
        div.facts { (table("The checkpoint", &["What", "Value"], &facts(page))) }
        (preformatted(layers, manifest.summary().to_string()))
        (preformatted("Recipe", visible(&recipe)))
        @if !metrics.is_empty() {
            (data_table("Measured while training", &["Metric", "Value"], &metrics))
        }
    };
    Section::new(
        "about",
        "Checkpoint",
        "Where does it come from?",
        "Enough to train the same network again.",
        content,
    )
}

fn facts(page: &Page) -> Vec<Vec<String>> {
    let manifest = page.classifier.manifest();
    let calibration = page.classifier.calibration();
    let provenance = &manifest.provenance;
    let versions = &provenance.versions;
    let normalization = &manifest.normalization;
    let distance = calibration.distance.as_ref();
    let facts = [
        ("Trained on", provenance.data.source.clone()),
        ("Images", manifest.input.to_string()),
        ("Classes", count(manifest.classes.len() as u64)),
        ("Seed", provenance.seed.to_string()),
        ("Backend", provenance.computed_on()),
        (
            "Versions",
            format!("digits {}, Burn {}", versions.digits, versions.burn),
        ),
        (
            "Networks",
            match manifest.members {
                1 => "1".to_owned(),
                members => format!("{members}, whose probabilities are averaged"),
            },
        ),
        (
            "Views of an image",
            match manifest.views {
                Views::One => "the image itself".to_owned(),
                views => format!("{}, shifted by up to a pixel", views.count()),
            },
        ),
        ("Parameters", count(manifest.parameters() as u64)),
        (
            "Normalization",
            format!(
                "(pixel / 255 − {}) / {}",
                channels(&normalization.mean),
                channels(&normalization.std)
            ),
        ),
        (
            "Temperature",
            format!("{:.4}", calibration.temperature.value()),
        ),
        (
            "Least confidence accepted",
            match calibration.deferral.is_reliable() {
                true => format!("{:.6}", calibration.deferral.threshold),
                false => "nothing is accepted".to_owned(),
            },
        ),
        (
            "Greatest energy accepted",
            format!("{:.4} nats", calibration.energy.value),
        ),
        (
            "Greatest distance accepted",
            distance.map_or("any".to_owned(), |limit| {
                format!("{:.4} in {} features", limit.value, limit.whitening.len())
            }),
        ),
        (
            "Pixels of a plausible image",
            calibration.pixels.as_ref().map_or("any".to_owned(), limits),
        ),
        (
            "In other hands",
            calibration
                .augmented
                .map_or("not measured".to_owned(), |fared| fared.to_string()),
        ),
        (
            "SHA-256 of the training images",
            provenance.data.train.images.clone(),
        ),
        (
            "SHA-256 of the training labels",
            provenance.data.train.labels.clone(),
        ),
        (
            "SHA-256 of the examined images",
            page.images.digest().images.clone(),
        ),
    ];
    facts
        .iter()
        .map(|(what, value)| vec![(*what).to_owned(), visible(value)])
        .collect()
}

/// A number for each channel.
fn channels(numbers: &[f64]) -> String {
    match numbers {
        [number] => number.to_string(),
        numbers => format!("{numbers:?}"),
    }
}

/// The limits on the pixels of an image, in words.
fn limits(pixels: &PixelLimits) -> String {
    let share = |[low, high]: [f64; 2]| format!("{} to {}", percent(low, 1), percent(high, 1));
    let [smooth, rough] = pixels.roughness;
    format!(
        "mean {}, covered {}, border {}, roughness {smooth:.2} to {rough:.2}",
        share(pixels.amount),
        share(pixels.covered),
        share(pixels.border),
    )
}
