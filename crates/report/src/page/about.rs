//! Where the weights come from.

use data::InkLimits;

use super::{
    Page, Section,
    markup::{count, data_table, escape, percent, section as html_section, table},
};

pub fn section(page: &Page) -> Section {
    let manifest = page.classifier.manifest();
    let calibration = page.classifier.calibration();
    let provenance = &manifest.provenance;
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let parameters = manifest.architecture.summary().parameters();
    let rows = [
        row("Trained on", provenance.data.source.clone()),
        row("Seed", provenance.seed.to_string()),
        row("Backend", provenance.backend.clone()),
        row(
            "Versions",
            format!(
                "digits {}, Burn {}",
                provenance.versions.digits, provenance.versions.burn
            ),
        ),
        row("Parameters", count(parameters as u64)),
        row(
            "Normalization",
            format!(
                "(pixel / 255 − {}) / {}",
                manifest.normalization.mean, manifest.normalization.std
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
            "Ink of a plausible image",
            manifest.ink.as_ref().map_or("any".to_owned(), limits),
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
    let layers = escape(&manifest.architecture.summary().to_string());
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
    let lead = "Enough to train the same network again; <code>digits inspect</code> shows more.";
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

/// The limits on the ink of an image, in words.
fn limits(ink: &InkLimits) -> String {
    let share = |[low, high]: [f64; 2]| format!("{} to {}", percent(low, 1), percent(high, 1));
    let [smooth, rough] = ink.roughness;
    format!(
        "mean {}, covered {}, border {}, roughness {smooth:.2} to {rough:.2}",
        share(ink.amount),
        share(ink.covered),
        share(ink.border),
    )
}

/// Preformatted text, folded away; it is escaped already.
fn fold(title: &str, text: &str) -> String {
    format!(
        "<details><summary>{title}</summary><pre class=\"scroll\" tabindex=\"0\">{text}</pre></details>\n"
    )
}
