//! What the threshold does, and which classes can't be excluded.

use evaluation::{Predictions, selective};

use maud::{Markup, html};

use super::chart::{Axis, Chart, Colour, Mark, whole_percent};
use super::error::PageError;
use super::findings::Page;
use super::markup::{data_table, figure, percent};

pub fn risk_coverage(page: &Page, predictions: &Predictions) -> Result<Markup, PageError> {
    let title = "Risk and coverage";
    let chosen = &page.examination.evaluation.selective;
    let curve = selective::risk_coverage_curve(predictions);
    let last = curve.last().map_or(1.0, |point| point.risk).max(1e-4);
    // The first mistake, and a little of the flat part before it, are where the curve begins to
    // tell something.
    let first = curve
        .iter()
        .find(|point| point.risk > 0.0)
        .map_or(0.9, |point| point.coverage);
    let start = ((first.min(chosen.coverage.value) * 20.0).floor() / 20.0 - 0.05).clamp(0.0, 0.9);
    let shown: Vec<_> = curve
        .iter()
        .filter(|point| point.coverage >= start)
        .copied()
        .collect();
    let points = selective::thin(&shown, 1000);
    let rows: Vec<Vec<String>> = page
        .examination
        .evaluation
        .after
        .coverage_at_risk
        .iter()
        .map(|at| vec![percent(at.risk, 2), percent(at.coverage, 2)])
        .collect();
    let mut marks = vec![Mark::Line(
        Colour::First,
        points
            .iter()
            .map(|point| (point.coverage, point.risk))
            .collect(),
    )];
    let mut caption =
        "What is wrong among the answers it keeps, when it keeps only the most confident \
        share of them."
            .to_owned();
    if let Some(risk) = chosen.risk {
        let target = page.classifier.calibration().deferral.target_risk;
        marks.push(Mark::Dashed(Colour::Muted, (start, target), (1.0, target)));
        marks.push(Mark::Dots(
            Colour::Second,
            vec![(chosen.coverage.value, risk.value)],
        ));
        caption.push_str(&format!(
            " The dot is the checkpoint’s own threshold ({:.4}) with its limit on unlikely images: {} \
             kept, {} wrong among them. The dashed line is the target, {}.",
            chosen.threshold,
            percent(chosen.coverage.value, 2),
            percent(risk.value, 3),
            percent(target, 2),
        ));
    }
    let chart = Chart {
        id: "risk-coverage",
        title,
        description: format!(
            "Risk rises with coverage, up to {} when everything is kept.",
            percent(last, 2)
        ),
        x: Axis {
            label: "coverage: share kept",
            range: start..1.0,
            log: false,
            format: whole_percent,
        },
        y: Axis {
            label: "risk",
            range: 0.0..last * 1.1,
            log: false,
            format: fine_percent,
        },
        marks,
    };
    let table = data_table(
        "Largest coverage at a given risk",
        &["Risk", "Coverage"],
        &rows,
    );
    Ok(figure(title, chart.svg()?, html! { (caption) (table) }))
}

pub fn sets(page: &Page) -> Markup {
    let sets = &page.examination.evaluation.conformal;
    if sets.is_empty() {
        return Markup::default();
    }
    let rows: Vec<Vec<String>> = sets
        .iter()
        .map(|set| {
            vec![
                format!("{} at {}", set.method.name(), percent(set.level, 1)),
                percent(set.coverage.value, 2),
                format!("{:.4}", set.mean_size),
                percent(set.single, 2),
                percent(set.empty, 2),
                if set.attainable {
                    "yes"
                } else {
                    "no: too few validation images"
                }
                .to_owned(),
            ]
        })
        .collect();
    data_table(
        "Conformal sets: classes that can’t be excluded",
        &[
            "Sets",
            "Hold the label",
            "Mean size",
            "One class",
            "Empty",
            "Level attainable",
        ],
        &rows,
    )
}

fn fine_percent(share: f64) -> String {
    let text = format!("{:.2}", 100.0 * share);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}
