//! Whether a confidence means what it says.

use evaluation::{Predictions, Report, interval};

use maud::{Markup, html};

use super::chart::{Axis, Chart, Colour, Mark, legend, whole_percent};
use super::decisions;
use super::error::PageError;
use super::findings::Page;
use super::markup::{Section, count, data_table, figure, percent};

pub fn section(page: &Page, predictions: &Predictions) -> Result<Section, PageError> {
    let evaluation = &page.examination.evaluation;
    let (before, after) = (&evaluation.before, &evaluation.after);
    let promise = &page.examination.deferral.statement;
    let lead = format!(
        "A confidence of 99 % should be right 99 times in 100. The threshold for accepting an answer is \
         {promise}. That speaks of images drawn like those; of images from other hands, pens \
         or scanners more may be wrong."
    );
    let content = html! {
        div.pair {
            (reliability("reliability-before", "Reliability before calibration", before)?)
            (reliability("reliability-after", "Reliability after calibration", after)?)
            (decisions::risk_coverage(page, predictions)?)
            (histogram(after)?)
        }
        (figures(before, after))
        (decisions::sets(page))
    };
    Ok(Section::new(
        "trust",
        "Trust",
        "How far can its confidence be trusted?",
        lead,
        content,
    ))
}

fn reliability(
    id: &'static str,
    title: &'static str,
    report: &Report,
) -> Result<Markup, PageError> {
    let mut dots = Vec::new();
    let mut whiskers = Vec::new();
    let mut rows = Vec::new();
    for bin in &report.reliability {
        let (Some(confidence), Some(accuracy)) = (bin.confidence, bin.accuracy) else {
            continue;
        };
        let right = (accuracy * bin.count as f64).round() as u64;
        if let Ok(interval) = interval::wilson(right, bin.count, 0.95) {
            whiskers.push((confidence, interval.lower, interval.upper));
        }
        dots.push((confidence, accuracy));
        rows.push(vec![
            format!("{} to {}", percent(bin.lower, 1), percent(bin.upper, 1)),
            count(bin.count),
            percent(confidence, 2),
            percent(accuracy, 2),
        ]);
    }
    let chart = Chart {
        id,
        title,
        description: format!(
            "Share of right answers against confidence in {} bins; on the diagonal both are equal. \
             Expected calibration error {}.",
            dots.len(),
            percent(report.ece, 3),
        ),
        x: Axis {
            label: "confidence",
            range: 0.0..1.0,
            log: false,
            format: whole_percent,
        },
        y: Axis {
            label: "right",
            range: 0.0..1.0,
            log: false,
            format: whole_percent,
        },
        marks: vec![
            Mark::Dashed(Colour::Muted, (0.0, 0.0), (1.0, 1.0)),
            Mark::Whiskers(Colour::First, whiskers),
            Mark::Dots(Colour::First, dots),
        ],
    };
    let caption = format!(
        "Share of right answers (with its 95 % interval) against confidence. On the dashed line the \
         confidence is honest; below it, the network is too sure. Mean distance: {} (ECE).",
        percent(report.ece, 2),
    );
    let table = data_table(
        "Numbers of this figure",
        &["Confidence", "Images", "Mean confidence", "Right"],
        &rows,
    );
    Ok(figure(title, chart.svg()?, html! { (caption) (table) }))
}

fn histogram(report: &Report) -> Result<Markup, PageError> {
    let title = "How sure it is";
    let bins = &report.confidence_histogram;
    let most = bins
        .iter()
        .map(|bin| bin.correct.max(bin.wrong))
        .max()
        .unwrap_or(1);
    let bars = |inset: f64, times: fn(&evaluation::reliability::HistogramBin) -> u64| {
        bins.iter()
            .filter(|bin| times(bin) > 0)
            .map(|bin| {
                let inset = inset * (bin.upper - bin.lower);
                (bin.lower + inset, bin.upper - inset, times(bin) as f64)
            })
            .collect()
    };
    let sure: u64 = bins
        .iter()
        .filter(|bin| bin.lower >= 0.979)
        .map(|bin| bin.correct + bin.wrong)
        .sum();
    let description = format!(
        "{} of {} answers have a confidence of 98 % or more.",
        count(sure),
        count(report.n)
    );
    let rows: Vec<Vec<String>> = bins
        .iter()
        .filter(|bin| bin.correct + bin.wrong > 0)
        .map(|bin| {
            vec![
                format!("{} to {}", percent(bin.lower, 0), percent(bin.upper, 0)),
                count(bin.correct),
                count(bin.wrong),
            ]
        })
        .collect();
    let chart = Chart {
        id: "confidence",
        title,
        description: description.clone(),
        x: Axis {
            label: "confidence",
            range: 0.0..1.0,
            log: false,
            format: whole_percent,
        },
        // Bars of one image must stand out from the ground of a logarithmic axis.
        y: Axis {
            label: "images",
            range: 0.5..most as f64,
            log: true,
            format: number,
        },
        marks: vec![
            Mark::Bars(Colour::First, bars(0.08, |bin| bin.correct)),
            Mark::Bars(Colour::Second, bars(0.3, |bin| bin.wrong)),
        ],
    };
    let entries = [
        ("right", Colour::First),
        ("wrong (narrow bars)", Colour::Second),
    ];
    let heads = ["Confidence", "Right", "Wrong"];
    let caption = html! {
        (legend(&entries)) (description)
        " Each step upwards is ten times as many. Wrong answers belong on the left; those on the right \
         are the dangerous ones, shown among the worst mistakes below."
        (data_table("Numbers of this figure", &heads, &rows))
    };
    Ok(figure(title, chart.svg()?, caption))
}

fn figures(before: &Report, after: &Report) -> Markup {
    let row = |name: &str, before: String, after: String| vec![name.to_owned(), before, after];
    let plain = |value: f64| format!("{value:.6}");
    let share = |value: f64| percent(value, 3);
    data_table(
        "All scores before and after calibration",
        &["Score", "As trained", "Calibrated"],
        &[
            row(
                "Negative log-likelihood (nats)",
                plain(before.nll),
                plain(after.nll),
            ),
            row("Brier score", plain(before.brier), plain(after.brier)),
            row(
                "Expected calibration error, 15 equal bins",
                share(before.ece),
                share(after.ece),
            ),
            row(
                "The same with bins of equal count",
                share(before.adaptive_ece),
                share(after.adaptive_ece),
            ),
            row("AURC", plain(before.aurc), plain(after.aurc)),
            row("Excess AURC", plain(before.e_aurc), plain(after.e_aurc)),
        ],
    )
}

fn number(value: f64) -> String {
    format!("{value}")
}
