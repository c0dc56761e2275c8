//! Where the weights come from.

use evaluation::PixelLimits;

use super::{
    Page,
    markup::{Section, count, data_table, escape, folded, percent, section as html_section, table},
};

pub fn section(page: &Page) -> Section {
    let manifest = page.classifier.manifest();
    let calibration = page.classifier.calibration();
    let provenance = &manifest.provenance;
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let summary = manifest.summary();
    let rows = [
        row("Trained on", provenance.data.source.clone()),
        row("Images", manifest.input.to_string()),
        row("Classes", count(manifest.classes.len() as u64)),
        row("Seed", provenance.seed.to_string()),
        row("Backend", provenance.backend.clone()),
        row(
            "Versions",
            format!(
                "digits {}, Burn {}",
                provenance.versions.digits, provenance.versions.burn
            ),
        ),
        row("Parameters", count(summary.parameters() as u64)),
        row(
            "Normalization",
            format!(
                "(pixel / 255 − {}) / {}",
                channels(&manifest.normalization.mean),
                channels(&manifest.normalization.std)
            ),
        ),
        row(
            "Temperature",
            format!("{:.4}", calibration.temperature.value()),
        ),
        row(
            "Least confidence accepted",
            match calibration.deferral.is_reliable() {
                true => format!("{:.6}", calibration.deferral.threshold),
                false => "nothing is accepted".to_owned(),
            },
        ),
        row(
            "Greatest energy accepted",
            format!("{:.4} nats", calibration.energy.value),
        ),
        row(
            "Greatest distance accepted",
            calibration
                .distance
                .as_ref()
                .map_or("any".to_owned(), |limit| {
                    format!("{:.4} in {} features", limit.value, limit.whitening.len())
                }),
        ),
        row(
            "Pixels of a plausible image",
            calibration.pixels.as_ref().map_or("any".to_owned(), limits),
        ),
        row(
            "SHA-256 of the training images",
            provenance.data.train.images.clone(),
        ),
        row(
            "SHA-256 of the training labels",
            provenance.data.train.labels.clone(),
        ),
        row(
            "SHA-256 of the examined images",
            page.images.digest().images.clone(),
        ),
    ];
    let layers = escape(&summary.to_string());
    let recipe = serde_json::to_string_pretty(&provenance.config).unwrap_or_default();
    let content = format!(
        "<div class=\"facts\">{}</div>{}{}",
        table("The checkpoint", &["What", "Value"], &rows),
        fold("Layers", &layers),
        fold("Recipe", &escape(&recipe)),
    );
    let metrics: Vec<Vec<String>> = manifest
        .metrics
        .iter()
        .map(|(name, value)| vec![name.clone(), format!("{value:.6}")])
        .collect();
    let metrics = match metrics.is_empty() {
        true => String::new(),
        false => data_table("Measured while training", &["Metric", "Value"], &metrics),
    };
    let lead = "Enough to train the same network again.";
    Section {
        id: "about",
        title: "Checkpoint",
        html: html_section(
            "about",
            "Where does it come from?",
            lead,
            content + &metrics,
        ),
    }
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

/// Preformatted text, folded away; it is escaped already.
fn fold(title: &str, text: &str) -> String {
    folded(
        title,
        &format!("<pre class=\"scroll\" tabindex=\"0\">{text}</pre>"),
    )
}
