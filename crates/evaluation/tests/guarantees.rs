//! What is promised holds for classifiers whose true rates are known.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod simulation;

use evaluation::conformal::rank;
use evaluation::{
    Calibration, CalibrationConfig, Conformal, Deferral, Logits, Method, RiskTarget, Temperature,
    resplit,
};
use simulation::{Doubting, Random, population, sample, whole};

const DRAWS: usize = 500;
/// A rate of 5 % gives more than this in 500 draws less than once in a hundred times.
const MOST_VIOLATIONS: usize = 37;

/// How often a threshold is certified, and how often it is although the true risk is above the
/// target.
fn certified_and_violated(classifier: Doubting, n: usize) -> (usize, usize) {
    let target = RiskTarget::default();
    let (mut certified, mut violated) = (0, 0);
    for draw in 0..DRAWS {
        let validation = classifier.draw(n, &mut Random::new(draw as u64 + 1));
        let deferral = Deferral::fit(&validation, |_| true, &target).unwrap();
        let above = classifier.true_risk(deferral.threshold) > target.target_risk;
        certified += usize::from(deferral.certified);
        violated += usize::from(deferral.certified && above);
    }
    (certified, violated)
}

#[test]
fn a_certified_threshold_keeps_to_its_risk_in_19_of_20_draws() {
    let crossing = |coverage: f64, power: f64| Doubting {
        factor: 0.001 * (power + 1.0) / coverage.powf(power),
        power,
        levels: None,
    };
    let rounded = |classifier: Doubting, levels| Doubting {
        levels: Some(levels),
        ..classifier
    };
    let classifiers = [
        (
            "risk above the target everywhere",
            Doubting {
                factor: 0.0011,
                power: 0.0,
                levels: None,
            },
        ),
        ("target crossed below the smallest set", crossing(0.3, 1.0)),
        ("target crossed at the smallest set", crossing(0.599, 0.2)),
        ("target crossed slowly", crossing(0.7, 0.2)),
        (
            "target crossed just below three errors of 10,000",
            crossing(0.774, 0.2),
        ),
        (
            "target crossed where two errors may pass",
            crossing(0.95, 1.0),
        ),
        ("target crossed steeply", crossing(0.9, 8.0)),
        ("twenty confidences", rounded(crossing(0.7, 1.0), 20.0)),
        ("three confidences", rounded(crossing(0.5, 1.0), 3.0)),
    ];
    for n in [5_000, 10_000] {
        for (name, classifier) in classifiers {
            let (certified, violated) = certified_and_violated(classifier, n);
            println!("{n} images, {name}: {certified} certified, {violated} violated, of {DRAWS}");
            assert!(
                violated <= MOST_VIOLATIONS,
                "{n} images, {name}: {violated} of {DRAWS}"
            );
        }
    }
}

#[test]
fn a_classifier_that_knows_when_it_is_wrong_is_certified() {
    let classifier = Doubting {
        factor: 0.12,
        power: 20.0,
        levels: None,
    };
    let (certified, _) = certified_and_violated(classifier, 5_000);
    assert!(certified > DRAWS * 9 / 10, "{certified} of {DRAWS}");
}

#[test]
fn with_10_000_digits_an_error_made_with_confidence_does_not_cost_the_certificate() {
    let mislabelled = Doubting {
        factor: 0.0002,
        power: 0.0,
        levels: None,
    };
    let (certified, _) = certified_and_violated(mislabelled, 10_000);
    assert!(certified > DRAWS * 9 / 10, "{certified} of {DRAWS}");
}

#[test]
fn a_temperature_fitted_on_the_same_digits_leaves_the_guarantee() {
    let images = population(20_000, 3.2, 7);
    let all = whole(&images);
    let config = CalibrationConfig {
        target_risk: 0.02,
        ..CalibrationConfig::default()
    };
    let draws = 200;
    let (mut certified, mut violated) = (0, 0);
    for draw in 0..draws {
        let validation = sample(&images, 1_000, &mut Random::new(draw + 1));
        let calibration = Calibration::fit(&validation, &config).unwrap();
        let selective = calibration
            .evaluate_at(&all, calibration.deferral.threshold)
            .unwrap();
        let above = selective
            .risk
            .is_some_and(|risk| risk.value > config.target_risk);
        certified += u32::from(calibration.deferral.certified);
        violated += u32::from(calibration.deferral.certified && above);
    }
    println!("{certified} certified, {violated} violated, of {draws}");
    assert!(
        certified > 150,
        "{certified} of {draws} certified: too few to speak of violations"
    );
    assert!(
        violated <= 18,
        "{violated} of {draws}, where 18 happen less than once in 100 times"
    );
}

/// Mean coverage on a population of rules that were each fitted on 999 images of it; `method` takes
/// a seed.
fn mean_coverage(
    images: &(Vec<[f64; 10]>, Vec<u16>),
    method: fn(u64) -> Method,
    level: f64,
) -> f64 {
    let all = whole(images).predictions(Temperature::ONE);
    let draws = 300;
    let total: f64 = (0..draws)
        .map(|draw| {
            let fitted = sample(images, 999, &mut Random::new(draw + 1));
            let rule =
                Conformal::fit(&fitted.predictions(Temperature::ONE), method(draw), level).unwrap();
            rule.report(&all).coverage.value
        })
        .sum();
    total / draws as f64
}

#[test]
fn conformal_sets_hold_the_label_as_often_as_promised() {
    let images = population(3_000, 3.2, 8);
    for level in [0.9, 0.99] {
        let lac = mean_coverage(&images, |_| Method::Lac, level);
        assert!((lac - level).abs() < 0.002, "LAC at {level}: {lac}");
        let randomized = mean_coverage(&images, |seed| Method::RandomizedAps { seed }, level);
        assert!(
            (randomized - level).abs() < 0.002,
            "randomized APS at {level}: {randomized}"
        );
        let coverage = mean_coverage(&images, |_| Method::Aps, level);
        assert!(coverage > level - 0.002, "APS at {level}: {coverage}");
    }
}

#[test]
fn mean_coverage_over_100_resplits_is_within_a_tenth_of_a_point() {
    let images = population(10_000, 5.5, 9);
    let test = Logits::new(10, images.0.concat(), images.1)
        .unwrap()
        .predictions(Temperature::ONE);
    let accuracy = evaluation::metrics::accuracy(&test).value;
    assert!(
        accuracy > 0.992,
        "the classifier must be better than the lower level: {accuracy}"
    );
    for level in [0.99, 0.999] {
        for method in [Method::Lac, Method::RandomizedAps { seed: 4 }] {
            let found = resplit(&test, method, level, 100, 1).unwrap();
            assert!((found.coverage - level).abs() < 0.001, "{found:?}");
        }
        let found = resplit(&test, Method::Aps, level, 100, 1).unwrap();
        assert!(
            found.coverage > level - 0.001 && found.empty == 0.0,
            "{found:?}"
        );
    }
    let exact = resplit(&test, Method::Lac, 0.99, 100, 1).unwrap();
    assert!(
        exact.empty > 0.0,
        "better than the level, only empty sets can be wrong often enough"
    );
    assert_eq!(rank(5_000, 0.99), 4_951);
}
