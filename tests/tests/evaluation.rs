//! The figures of `digits evaluate`, computed once more from the probabilities that it dumps.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use serde_json::Value;
use tests::{Sandbox, pretrained};

/// A row of the dump: the label and the probability of each digit.
struct Row {
    label: usize,
    probabilities: Vec<f64>,
}

impl Row {
    fn digit(&self) -> usize {
        let p = &self.probabilities;
        (0..p.len()).fold(
            0,
            |best, class| if p[class] > p[best] { class } else { best },
        )
    }

    fn confidence(&self) -> f64 {
        self.probabilities[self.digit()]
    }

    fn wrong(&self) -> f64 {
        f64::from(u8::from(self.digit() != self.label))
    }
}

/// What the committed checkpoint says, and the probabilities behind it.
fn evaluated(arguments: &[&str]) -> (Value, Vec<Row>) {
    let sandbox = Sandbox::new();
    let checkpoint = pretrained().display().to_string();
    let mut all = vec!["evaluate", &checkpoint, "--json", "--dump", "dump.csv"];
    all.extend(arguments);
    let output = sandbox.succeed("digits", &all);
    let csv = fs::read_to_string(sandbox.path("dump.csv")).unwrap();
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("label,p0,p1,p2,p3,p4,p5,p6,p7,p8,p9"));
    let rows = lines
        .map(|line| {
            let (label, probabilities) = line.split_once(',').unwrap();
            let probabilities = probabilities.split(',').map(|p| p.parse().unwrap());
            Row {
                label: label.parse().unwrap(),
                probabilities: probabilities.collect(),
            }
        })
        .collect();
    (serde_json::from_str(&output.stdout).unwrap(), rows)
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

/// 15 bins of equal width; the distance of mean confidence and accuracy, weighted by their size.
fn expected_calibration_error(rows: &[Row]) -> f64 {
    (0..15)
        .map(|bin| {
            let inside: Vec<&Row> = rows
                .iter()
                .filter(|row| ((row.confidence() * 15.0) as usize).min(14) == bin)
                .collect();
            let gap: f64 = inside
                .iter()
                .map(|row| row.confidence() - (1.0 - row.wrong()))
                .sum();
            gap.abs() / rows.len() as f64
        })
        .sum()
}

/// The mean error rate among the `k` most confident, over all `k`.
fn area_under_risk_coverage(rows: &[Row]) -> f64 {
    let mut order: Vec<&Row> = rows.iter().collect();
    order.sort_by(|a, b| b.confidence().total_cmp(&a.confidence()));
    let mut errors = 0.0;
    mean(order.iter().enumerate().map(|(kept, row)| {
        errors += row.wrong();
        errors / (kept + 1) as f64
    }))
}

#[test]
fn the_figures_follow_from_the_dumped_probabilities() {
    let (json, rows) = evaluated(&[]);
    assert_eq!(rows.len(), 10_000);
    let after = &json["test"]["evaluation"]["after"];
    let error_rate = mean(rows.iter().map(Row::wrong));
    let brier = mean(rows.iter().map(|row| {
        let target = |class| f64::from(u8::from(class == row.label));
        let square = |(class, p): (usize, &f64)| (p - target(class)).powi(2);
        row.probabilities.iter().enumerate().map(square).sum()
    }));
    for (name, recomputed, reported) in [
        ("accuracy", 1.0 - error_rate, &json["test"]["accuracy"]),
        ("accuracy", 1.0 - error_rate, &after["accuracy"]["value"]),
        (
            "NLL",
            mean(rows.iter().map(|row| -row.probabilities[row.label].ln())),
            &after["nll"],
        ),
        ("Brier", brier, &after["brier"]),
        ("ECE", expected_calibration_error(&rows), &after["ece"]),
        ("AURC", area_under_risk_coverage(&rows), &after["aurc"]),
    ] {
        let reported = reported.as_f64().unwrap();
        assert!(
            (recomputed - reported).abs() < 1e-6,
            "{name}: {reported} reported, {recomputed} from the dump"
        );
    }
    assert_eq!(
        json["test"]["errors"].as_f64().unwrap(),
        rows.iter().map(Row::wrong).sum::<f64>()
    );
    for (label, counts) in after["confusion"].as_array().unwrap().iter().enumerate() {
        for (digit, count) in counts.as_array().unwrap().iter().enumerate() {
            let found = rows
                .iter()
                .filter(|row| (row.label, row.digit()) == (label, digit))
                .count();
            assert_eq!(*count, found, "label {label} answered as {digit}");
        }
    }
}

#[test]
fn conformal_sets_keep_to_their_level_over_random_halvings() {
    let (json, _) = evaluated(&["--resplits", "100"]);
    let resplits = json["resplits"].as_array().unwrap();
    assert_eq!(resplits.len(), 4, "two methods at two levels");
    for found in resplits {
        let (level, coverage) = (&found["level"], &found["coverage"]);
        let (level, coverage) = (level.as_f64().unwrap(), coverage.as_f64().unwrap());
        assert!((coverage - level).abs() < 1e-3, "{found}");
        assert_eq!(found["splits"], 100);
    }
    let (again, _) = evaluated(&["--resplits", "100"]);
    assert_eq!(again["resplits"], json["resplits"], "the seed is fixed");
}

#[test]
fn a_number_of_halvings_that_shows_nothing_is_refused() {
    let sandbox = Sandbox::new();
    let checkpoint = pretrained().display().to_string();
    for splits in ["0", "many"] {
        let error = sandbox.fail("digits", &["evaluate", &checkpoint, "--resplits", splits]);
        assert!(error.contains("--resplits"), "{error}");
    }
}

#[test]
fn images_without_a_digit_go_to_a_person() {
    let sandbox = Sandbox::new();
    let checkpoint = pretrained().display().to_string();
    let arguments = ["stress", &checkpoint, "--limit", "1000", "--json"];
    let json: Value = serde_json::from_str(&sandbox.succeed("digits", &arguments).stdout).unwrap();
    let without = json["rows"].as_array().unwrap().iter();
    for row in without.filter(|row| row["accuracy"].is_null()) {
        let accepted = row["accepted"].as_u64().unwrap();
        // Some strokes do look like a 1.
        let most = if row["name"] == "single stroke" {
            50
        } else {
            0
        };
        assert!(accepted <= most, "{row}");
    }
}
