//! How the library behaves at its edges, seen through its public interface.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod committee;
mod conformal;
mod decision;
mod deferral;
mod pair;
mod paired;
mod properties;

use evaluation::reliability::confidence_histogram;
use evaluation::{
    Calibration, CalibrationConfig, Error, Logits, Predictions, Report, Temperature, interval,
    selective,
};

/// Two classes; each pair is the probability of class 0, which is always predicted, and whether
/// that is right.
fn two_classes(images: &[(f64, bool)]) -> Predictions {
    let probabilities = images.iter().flat_map(|(p, _)| [*p, 1.0 - p]).collect();
    let labels = images
        .iter()
        .map(|(_, correct)| u16::from(!correct))
        .collect();
    Predictions::from_probabilities(2, probabilities, labels).unwrap()
}

/// `n` images of falling confidence, wrong at the given ranks (from 0).
fn ranked(n: usize, wrong: &[usize]) -> Predictions {
    let class = |i: usize| (1.0 - 0.4 * (i + 1) as f64 / n as f64, !wrong.contains(&i));
    two_classes(&(0..n).map(class).collect::<Vec<_>>())
}

/// Three classes, well separated, one image in ten wrong.
fn validation() -> Logits {
    let rows = (0..300).flat_map(|i| {
        let mut row = [0.1, 0.2, 0.3];
        row[i % 3] += 2.0 + (i % 17) as f64 / 4.0;
        row
    });
    let labels = (0..300).map(|i| ((i + usize::from(i % 10 == 9)) % 3) as u16);
    Logits::new(3, rows.collect(), labels.collect()).unwrap()
}

fn calibration() -> Calibration {
    Calibration::fit(&validation(), &CalibrationConfig::default()).unwrap()
}

#[test]
fn bad_input_is_refused_with_what_to_do() {
    let logits = |values: &[f64], labels: &[u16]| {
        Logits::new(2, values.to_vec(), labels.to_vec())
            .unwrap_err()
            .to_string()
    };
    let probabilities = |values: &[f64]| {
        Predictions::from_probabilities(2, values.to_vec(), vec![0])
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        logits(&[], &[]),
        "no images: give at least one row with its label"
    );
    assert_eq!(
        logits(&[1.0], &[0]),
        "1 values for 1 labels: give 1 rows of 2 values each"
    );
    assert_eq!(
        logits(&[0.0, 1.0, f64::NAN, 0.0], &[0, 0]),
        "the logit of class 0 in row 1 is NaN: give finite values within the range of f32"
    );
    assert!(logits(&[0.0, 1e300], &[0]).contains("class 1 in row 0"));
    assert_eq!(
        logits(&[0.0, 1.0], &[2]),
        "row 0 has the label 2: with 2 classes it must be below 2"
    );
    assert!(probabilities(&[0.5, 0.4]).starts_with("the probabilities of row 0 add up to 0.9"));
    assert!(probabilities(&[1.5, -0.5]).contains("is 1.5: give values from 0 to 1"));
    assert!(probabilities(&[f64::NAN, 0.5]).contains("is NaN"));
    assert_eq!(
        Logits::new(1, vec![0.0], vec![0]),
        Err(Error::Classes { classes: 1 })
    );
    assert_eq!(
        Logits::new(65_537, vec![0.0; 65_537], vec![0]),
        Err(Error::Classes { classes: 65_537 })
    );
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let with = |change: fn(&mut CalibrationConfig)| {
        let mut config = CalibrationConfig::default();
        change(&mut config);
        Calibration::fit(&validation(), &config)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        with(|c| c.target_risk = 0.0),
        "`target_risk` is 0: it must be above 0 and below 1"
    );
    assert!(with(|c| c.confidence_level = f64::NAN).starts_with("`confidence_level` is NaN"));
    assert!(with(|c| c.conformal_levels = vec![1.0]).starts_with("`conformal.level` is 1"));
    assert!(with(|c| c.in_distribution_share = 1.1).starts_with("`energy.kept_share` is 1.1"));
    assert!(interval::wilson(2, 1, 0.95).is_err());
    assert!(interval::clopper_pearson(0, 0, 0.95).is_err());
    assert!(Temperature::new(0.0).is_err());
}

#[test]
fn a_label_that_is_given_no_chance_costs_a_finite_amount() {
    let logits = Logits::new(2, vec![5_000.0, 0.0], vec![1]).unwrap();
    let predictions = logits.predictions(Temperature::ONE);
    assert_eq!(Report::new(&predictions).nll, 5_000.0);
    let rounded = Predictions::from_probabilities(2, vec![1.0, 0.0], vec![1]).unwrap();
    assert!((Report::new(&rounded).nll - 708.396).abs() < 0.001);
}

#[test]
fn rows_can_be_left_out() {
    let all = two_classes(&[(0.9, true), (0.8, false), (0.7, true)]);
    let kept = all.without(&[1]).unwrap();
    assert_eq!((kept.len(), Report::new(&kept).errors), (2, 0));
    assert_eq!(all.without(&[3]), Err(Error::Index { index: 3, n: 3 }));
    assert_eq!(all.without(&[0, 1, 2]), Err(Error::Empty));
    let logits = validation();
    assert_eq!(
        logits.without(&[0]).unwrap().labels(),
        &logits.labels()[1..]
    );
}

#[test]
fn temperature_stays_in_its_bounds_where_the_likelihood_has_no_minimum() {
    let fit = |values: &[f64], labels: &[u16]| {
        Temperature::fit(&Logits::new(2, values.to_vec(), labels.to_vec()).unwrap()).value()
    };
    assert_eq!(fit(&[4.0, 0.0, 0.0, 9.0], &[0, 1]), Temperature::MIN);
    assert_eq!(fit(&[90_000.0, 0.0], &[0]), 1.0);
    assert_eq!(fit(&[4.0, 0.0, 0.0, 9.0], &[1, 0]), Temperature::MAX);
    assert_eq!(fit(&[3.0, 3.0], &[1]), 1.0);
}

#[test]
fn coverage_at_risk_is_zero_when_the_most_confident_digit_is_wrong() {
    let predictions = two_classes(&[(0.9, false), (0.8, true), (0.7, true)]);
    assert_eq!(selective::coverage_at_risk(&predictions, 0.0).coverage, 0.0);
    assert_eq!(
        selective::coverage_at_risk(&predictions, 0.34).coverage,
        1.0
    );
}

#[test]
fn a_confidence_on_an_edge_counts_above_it_and_the_next_smaller_one_below() {
    for bins in 2..=100 {
        for i in bins / 2 + 1..bins {
            let edge = i as f64 / bins as f64;
            let predictions = two_classes(&[(edge, true), (edge.next_down(), false)]);
            let histogram = confidence_histogram(&predictions, bins);
            assert_eq!(
                (histogram[i].lower, histogram[i].correct),
                (edge, 1),
                "{i} of {bins}"
            );
            assert_eq!(
                (histogram[i - 1].upper, histogram[i - 1].wrong),
                (edge, 1),
                "{i} of {bins}"
            );
        }
    }
    let certain = confidence_histogram(&two_classes(&[(1.0, true)]), 15);
    assert_eq!(certain[14].correct, 1);
}

#[test]
fn a_thinned_curve_keeps_its_ends() {
    let curve = selective::risk_coverage_curve(&ranked(1_000, &[3, 800]));
    let thinned = selective::thin(&curve, 100);
    assert_eq!(thinned.len(), 100);
    assert_eq!((thinned[0], thinned[99]), (curve[0], curve[999]));
    assert!(
        thinned
            .windows(2)
            .all(|pair| pair[0].coverage < pair[1].coverage)
    );
    assert_eq!(selective::thin(&curve[..3], 100), &curve[..3]);
}
