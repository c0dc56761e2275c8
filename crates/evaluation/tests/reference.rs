//! Every figure equals that of a reference library on the cases in `fixtures`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::conformal::{aps_scores, rank};
use evaluation::{Conformal, Logits, Method, Predictions, Report, Temperature, interval};
use serde::Deserialize;
use serde::de::DeserializeOwned;

const TOLERANCE: f64 = 1e-6;

fn fixtures<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[track_caller]
fn check(case: &str, what: &str, found: f64, expected: f64) {
    let near = (found - expected).abs() <= TOLERANCE;
    assert!(
        near,
        "{case}: {what} is {found}, the reference has {expected}"
    );
}

#[derive(Deserialize)]
struct MetricCase {
    name: String,
    classes: usize,
    logits: Option<Vec<f64>>,
    probabilities: Option<Vec<f64>>,
    labels: Vec<u16>,
    expected: ExpectedMetrics,
}

#[derive(Deserialize)]
struct ExpectedMetrics {
    accuracy: f64,
    wilson: [f64; 2],
    errors: u64,
    precision: Vec<f64>,
    recall: Vec<f64>,
    f1: Vec<f64>,
    support: Vec<u64>,
    confusion: Vec<Vec<u64>>,
    nll: f64,
    brier: f64,
    ece: f64,
    adaptive_ece: f64,
    aurc: f64,
    e_aurc: f64,
    coverage_at_risk: Vec<(f64, f64)>,
}

impl MetricCase {
    fn predictions(&self) -> Predictions {
        let labels = self.labels.clone();
        match (&self.logits, &self.probabilities) {
            (Some(logits), _) => Logits::new(self.classes, logits.clone(), labels)
                .unwrap()
                .predictions(Temperature::ONE),
            (None, Some(p)) => {
                Predictions::from_probabilities(self.classes, p.clone(), labels).unwrap()
            }
            (None, None) => panic!("{}: neither logits nor probabilities", self.name),
        }
    }
}

#[test]
fn metrics_equal_scikit_learn_torchmetrics_and_torch_uncertainty() {
    for case in fixtures::<MetricCase>("metrics") {
        let (name, expected) = (&case.name, &case.expected);
        let predictions = case.predictions();
        let report = Report::new(&predictions);
        assert_eq!(report.errors, expected.errors, "{name}");
        assert_eq!(report.confusion, expected.confusion, "{name}");
        check(name, "accuracy", report.accuracy.value, expected.accuracy);
        check(
            name,
            "lower end of Wilson's interval",
            report.accuracy.lower,
            expected.wilson[0],
        );
        check(
            name,
            "upper end of Wilson's interval",
            report.accuracy.upper,
            expected.wilson[1],
        );
        check(name, "negative log-likelihood", report.nll, expected.nll);
        check(name, "Brier score", report.brier, expected.brier);
        check(name, "calibration error", report.ece, expected.ece);
        check(
            name,
            "adaptive calibration error",
            report.adaptive_ece,
            expected.adaptive_ece,
        );
        check(name, "AURC", report.aurc, expected.aurc);
        check(name, "E-AURC", report.e_aurc, expected.e_aurc);
        for (class, found) in report.per_class.iter().enumerate() {
            assert_eq!(found.support, expected.support[class], "{name}");
            check(
                name,
                "precision",
                found.precision,
                expected.precision[class],
            );
            check(name, "recall", found.recall, expected.recall[class]);
            check(name, "F1", found.f1, expected.f1[class]);
        }
        for (risk, coverage) in &expected.coverage_at_risk {
            let found = evaluation::selective::coverage_at_risk(&predictions, *risk);
            check(name, "coverage at risk", found.coverage, *coverage);
        }
    }
}

#[derive(Deserialize)]
struct IntervalCase {
    successes: u64,
    n: u64,
    level: f64,
    wilson: [f64; 2],
    clopper_pearson: [f64; 2],
    upper: f64,
}

#[test]
fn intervals_equal_statsmodels_and_scipy() {
    for case in fixtures::<IntervalCase>("intervals") {
        let IntervalCase {
            successes,
            n,
            level,
            wilson,
            clopper_pearson,
            upper,
        } = case;
        let name = format!("{successes} of {n} at {level}");
        let found = interval::wilson(successes, n, level).unwrap();
        check(&name, "Wilson's lower end", found.lower, wilson[0]);
        check(&name, "Wilson's upper end", found.upper, wilson[1]);
        let found = interval::clopper_pearson(successes, n, level).unwrap();
        check(
            &name,
            "lower end",
            found.lower * 1e3,
            clopper_pearson[0] * 1e3,
        );
        check(
            &name,
            "upper end",
            found.upper * 1e3,
            clopper_pearson[1] * 1e3,
        );
        let found = interval::clopper_pearson_upper(successes, n, level).unwrap();
        check(&name, "upper bound", found * 1e3, upper * 1e3);
    }
}

#[derive(Deserialize)]
struct TemperatureCase {
    name: String,
    classes: usize,
    logits: Vec<f64>,
    labels: Vec<u16>,
    temperature: f64,
    nll: f64,
    energies: Vec<f64>,
}

#[test]
fn temperature_and_energy_equal_scipy() {
    for case in fixtures::<TemperatureCase>("temperature") {
        let logits = Logits::new(case.classes, case.logits, case.labels).unwrap();
        let temperature = Temperature::fit(&logits);
        let nll = Report::new(&logits.predictions(temperature)).nll;
        check(
            &case.name,
            "temperature",
            temperature.value(),
            case.temperature,
        );
        check(&case.name, "negative log-likelihood", nll, case.nll);
        for (row, expected) in logits.rows().zip(case.energies) {
            check(&case.name, "energy", evaluation::energy(row), expected);
        }
    }
}

#[derive(Deserialize)]
struct ConformalCase {
    name: String,
    classes: usize,
    logits: Vec<f64>,
    labels: Vec<u16>,
    fitted: usize,
    uniform: Vec<f64>,
    lac: Vec<ExpectedSets>,
    aps: Vec<ExpectedSets>,
    randomized_aps: Vec<ExpectedSets>,
}

#[derive(Deserialize)]
struct ExpectedSets {
    level: f64,
    cutoff: f64,
    sets: Vec<Vec<u16>>,
}

impl ConformalCase {
    /// The probabilities that the rule is fitted on, and those it is applied to.
    fn halves(&self) -> (Predictions, Predictions) {
        let cut = self.fitted * self.classes;
        let half = |logits: &[f64], labels: &[u16]| {
            Logits::new(self.classes, logits.to_vec(), labels.to_vec())
                .unwrap()
                .predictions(Temperature::ONE)
        };
        (
            half(&self.logits[..cut], &self.labels[..self.fitted]),
            half(&self.logits[cut..], &self.labels[self.fitted..]),
        )
    }
}

#[test]
fn deterministic_sets_equal_mapie() {
    for case in fixtures::<ConformalCase>("conformal") {
        let (fitted, new) = case.halves();
        for (method, expected) in [(Method::Lac, &case.lac), (Method::Aps, &case.aps)] {
            for expected in expected {
                let rule = Conformal::fit(&fitted, method, expected.level).unwrap();
                check(&case.name, "cutoff", rule.cutoff, expected.cutoff);
                for (row, (probabilities, classes)) in new.rows().zip(&expected.sets).enumerate() {
                    let mut found = rule.set(probabilities, row).classes;
                    found.sort_unstable();
                    assert_eq!(&found, classes, "{}: {method:?}, row {row}", case.name);
                }
            }
        }
    }
}

#[test]
fn randomized_sets_equal_mapie_for_the_same_uniform_numbers() {
    for case in fixtures::<ConformalCase>("conformal") {
        let (fitted, new) = case.halves();
        let scores = |predictions: &Predictions| -> Vec<Vec<f64>> {
            predictions
                .rows()
                .zip(&case.uniform)
                .map(|(row, u)| aps_scores(row, *u))
                .collect()
        };
        let mut labels: Vec<f64> = scores(&fitted)
            .iter()
            .zip(fitted.labels())
            .map(|(row, label)| row[usize::from(*label)])
            .collect();
        labels.sort_by(f64::total_cmp);
        for expected in &case.randomized_aps {
            let cutoff = labels[rank(labels.len(), expected.level) - 1];
            check(&case.name, "cutoff", cutoff, expected.cutoff);
            for (row, classes) in scores(&new).iter().zip(&expected.sets) {
                let found: Vec<u16> = (0..case.classes as u16)
                    .filter(|k| row[usize::from(*k)] <= cutoff)
                    .collect();
                assert_eq!(&found, classes, "{}", case.name);
            }
        }
    }
}
