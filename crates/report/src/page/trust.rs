//! Whether a confidence means what it says, and what the threshold does.

use evaluation::{Method, Predictions, Report, interval, selective};

use super::{
    Page, PageError, Section,
    chart::{Axis, Chart, Colour, Mark, legend},
    markup::{count, data_table, figure, percent, section as html_section},
};

pub fn section(page: &Page, predictions: &Predictions) -> Result<Section, PageError> {
    let evaluation = &page.examination.evaluation;
    let (before, after) = (&evaluation.before, &evaluation.after);
    let deferral = &page.classifier.calibration().deferral;
    let promise = if deferral.certified {
        format!(
            "The threshold was chosen on {} validation images so that, with {} certainty, at most \
             {} of the accepted answers are wrong.",
            count(deferral.n),
            percent(deferral.confidence_level, 0),
            percent(deferral.target_risk, 2),
        )
    } else {
        "No threshold could be certified on the validation images, so no promise comes with the \
         accepted answers."
            .to_owned()
    };
    let lead = format!("A confidence of 99 % should be right 99 times in 100. {promise}");
    let content = [
        "<div class=\"pair\">".to_owned(),
        reliability("reliability-before", "Reliability before calibration", before)?,
        reliability("reliability-after", "Reliability after calibration", after)?,
        risk_coverage(page, predictions)?,
        histogram(after)?,
        "</div>".to_owned(),
        figures(before, after),
        sets(page),
    ]
    .concat();
    Ok(Section {
        id: "trust",
        title: "Trust",
        html: html_section("trust", "How far can its confidence be trusted?", &lead, content),
    })
}

fn reliability(id: &'static str, title: &'static str, report: &Report) -> Result<String, PageError> {
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
        x: Axis { label: "confidence", range: 0.0..1.0, log: false, format: whole_percent },
        y: Axis { label: "right", range: 0.0..1.0, log: false, format: whole_percent },
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
    let table = data_table("Numbers of this figure", &["Confidence", "Images", "Mean confidence", "Right"], &rows);
    Ok(figure(title, &chart.svg()?, &(caption + &table)))
}

fn risk_coverage(page: &Page, predictions: &Predictions) -> Result<String, PageError> {
    let title = "Risk and coverage";
    let chosen = &page.examination.evaluation.selective;
    let curve = selective::risk_coverage_curve(predictions);
    let last = curve.last().map_or(1.0, |point| point.risk).max(1e-4);
    // The first mistake, and a little of the flat part before it, are where the curve begins to
    // tell something.
    let first = curve.iter().find(|point| point.risk > 0.0).map_or(0.9, |point| point.coverage);
    let start = ((first.min(chosen.coverage.value) * 20.0).floor() / 20.0 - 0.05).clamp(0.0, 0.9);
    let shown: Vec<_> = curve.iter().filter(|point| point.coverage >= start).copied().collect();
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
        points.iter().map(|point| (point.coverage, point.risk)).collect(),
    )];
    let mut caption = "What is wrong among the digits it keeps, when it keeps only the most confident \
        share of them."
        .to_owned();
    if let Some(risk) = chosen.risk {
        let target = page.classifier.calibration().deferral.target_risk;
        marks.push(Mark::Dashed(Colour::Muted, (start, target), (1.0, target)));
        marks.push(Mark::Dots(Colour::Second, vec![(chosen.coverage.value, risk.value)]));
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
        x: Axis { label: "coverage: share kept", range: start..1.0, log: false, format: whole_percent },
        y: Axis { label: "risk", range: 0.0..last * 1.1, log: false, format: fine_percent },
        marks,
    };
    let table = data_table("Largest coverage at a given risk", &["Risk", "Coverage"], &rows);
    Ok(figure(title, &chart.svg()?, &(caption + &table)))
}

fn histogram(report: &Report) -> Result<String, PageError> {
    let title = "How sure it is";
    let bins = &report.confidence_histogram;
    let most = bins.iter().map(|bin| bin.correct.max(bin.wrong)).max().unwrap_or(1);
    let bars = |inset: f64, times: fn(&evaluation::reliability::HistogramBin) -> u64| {
        bins.iter()
            .filter(|bin| times(bin) > 0)
            .map(|bin| {
                let inset = inset * (bin.upper - bin.lower);
                (bin.lower + inset, bin.upper - inset, times(bin) as f64)
            })
            .collect()
    };
    let sure: u64 = bins.iter().filter(|bin| bin.lower >= 0.979).map(|bin| bin.correct + bin.wrong).sum();
    let description = format!("{} of {} answers have a confidence of 98 % or more.", count(sure), count(report.n));
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
        x: Axis { label: "confidence", range: 0.0..1.0, log: false, format: whole_percent },
        // Bars of one image must stand out from the ground of a logarithmic axis.
        y: Axis { label: "images", range: 0.5..most as f64, log: true, format: number },
        marks: vec![
            Mark::Bars(Colour::First, bars(0.08, |bin| bin.correct)),
            Mark::Bars(Colour::Second, bars(0.3, |bin| bin.wrong)),
        ],
    };
    let caption = legend(&[("right", Colour::First), ("wrong (narrow bars)", Colour::Second)])
        + &description
        + " Each step upwards is ten times as many. Wrong answers belong on the left; those on the \
           right are the dangerous ones, shown among the worst mistakes below."
        + &data_table("Numbers of this figure", &["Confidence", "Right", "Wrong"], &rows);
    Ok(figure(title, &chart.svg()?, &caption))
}

fn figures(before: &Report, after: &Report) -> String {
    let row = |name: &str, before: String, after: String| vec![name.to_owned(), before, after];
    let plain = |value: f64| format!("{value:.6}");
    let share = |value: f64| percent(value, 3);
    data_table(
        "All scores before and after calibration",
        &["Score", "As trained", "Calibrated"],
        &[
            row("Negative log-likelihood (nats)", plain(before.nll), plain(after.nll)),
            row("Brier score", plain(before.brier), plain(after.brier)),
            row("Expected calibration error, 15 equal bins", share(before.ece), share(after.ece)),
            row("The same with bins of equal count", share(before.adaptive_ece), share(after.adaptive_ece)),
            row("AURC", plain(before.aurc), plain(after.aurc)),
            row("Excess AURC", plain(before.e_aurc), plain(after.e_aurc)),
        ],
    )
}

fn sets(page: &Page) -> String {
    let sets = &page.examination.evaluation.conformal;
    if sets.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = sets
        .iter()
        .map(|set| {
            let method = match set.method {
                Method::Lac => "LAC",
                Method::Aps => "APS",
                Method::RandomizedAps { .. } => "randomized APS",
            };
            vec![
                format!("{method} at {}", percent(set.level, 1)),
                percent(set.coverage.value, 2),
                format!("{:.4}", set.mean_size),
                percent(set.single, 2),
                percent(set.empty, 2),
                if set.attainable { "yes" } else { "no: too few validation images" }.to_owned(),
            ]
        })
        .collect();
    data_table(
        "Conformal sets: classes that can’t be excluded",
        &["Sets", "Hold the label", "Mean size", "One class", "Empty", "Level attainable"],
        &rows,
    )
}

fn whole_percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn fine_percent(share: f64) -> String {
    let text = format!("{:.2}", 100.0 * share);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

fn number(value: f64) -> String {
    format!("{value}")
}
