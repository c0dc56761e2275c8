//! How far an image is from the images, seen through the public interface.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::{
    Calibration, CalibrationConfig, Decision, DistanceLimit, Error, Evidence, Logits, PixelLimits,
    Pixels, ReviewReason,
};
use serde_json::{Value, json};

/// Images of three classes around (0, 0), (10, 0) and (0, 10), each with the covariance [[4, 3], [3, 9]], and a
/// feature that never varies; logits that know the class.
fn images(n: usize) -> (Logits, Vec<Vec<f32>>) {
    // Evenly spread pairs (the golden ratio and the square root of 2), made normal by Box and Muller.
    let even = |i: usize, step: f64| (0.5 + step * i as f64).fract();
    let (mut logits, mut labels, mut features) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..n {
        let label = i % 3;
        let mut row = [0.0; 3];
        row[label] = 8.0 + even(i, 3_f64.sqrt());
        logits.extend(row);
        labels.push(label as u16);
        let radius = (-2.0 * (1.0 - even(i, 5_f64.sqrt() / 2.0)).ln()).sqrt();
        let (b, a) = (std::f64::consts::TAU * even(i, 2_f64.sqrt())).sin_cos();
        let (a, b) = (radius * a, radius * b);
        let x = 2.0 * a + [0.0, 10.0, 0.0][label];
        let y = 1.5 * a + 6.75_f64.sqrt() * b + [0.0, 0.0, 10.0][label];
        features.push(vec![x as f32, y as f32, 1.0]);
    }
    (Logits::new(3, logits, labels).unwrap(), features)
}

fn fitted(kept_share: f64) -> DistanceLimit {
    let (logits, features) = images(30_000);
    DistanceLimit::fit(&logits, &features, 1, kept_share)
        .unwrap()
        .unwrap()
}

#[test]
fn the_distance_is_that_of_mahalanobis() {
    let limit = fitted(0.99);
    for (class, x, y) in [(0, 2.0, -1.0), (1, 13.0, 4.0), (2, -5.0, 10.0)] {
        let centre = [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]][usize::from(class)];
        let (u, v) = (x - centre[0], y - centre[1]);
        // The inverse of [[4, 3], [3, 9]] is [[9, -3], [-3, 4]] / 27.
        let expected = (9.0 * u * u - 6.0 * u * v + 4.0 * v * v) / 27.0;
        let found = limit.distance(class, &[x as f32, y as f32, 1.0]);
        assert!(
            (found / expected - 1.0).abs() < 0.06,
            "{class}: {found} for {expected}"
        );
    }
}

#[test]
fn the_limit_keeps_the_share_that_was_asked_for() {
    let (logits, features) = images(30_000);
    for kept_share in [0.9, 0.99, 1.0] {
        let limit = fitted(kept_share);
        let held = logits
            .predicted()
            .zip(&features)
            .filter(|(class, features)| limit.holds(*class, features))
            .count();
        assert_eq!(held, (kept_share * 30_000.0) as usize);
    }
    let limit = fitted(0.99);
    assert!(limit.holds(0, &[0.0, 0.0, 1.0]));
    assert!(!limit.holds(1, &[0.0, 0.0, 1.0]), "it is no 1");
    assert!(
        !limit.holds(0, &[0.0, 0.0, 3.0]),
        "what never varied varies"
    );
    assert!(!limit.holds(0, &[0.0, 0.0]), "a feature is missing");
    assert!(!limit.holds(3, &[0.0, 0.0, 1.0]), "there is no such image");
    assert!(!limit.holds(0, &[f32::NAN, 0.0, 1.0]));
}

#[test]
fn digits_beyond_the_limit_are_no_candidates_for_acceptance() {
    let (logits, features) = images(6_000);
    let config = CalibrationConfig {
        in_distribution_share: 0.9,
        ..CalibrationConfig::default()
    };
    let without = Calibration::fit(&logits, &config).unwrap();
    let with = Calibration::fit_with_features(&logits, &features, 1, &config).unwrap();
    assert_eq!(without.deferral.accepted, 5_400, "nine tenths by energy");
    let limit = with.distance.as_ref().unwrap();
    let near = |row: usize| limit.holds((row % 3) as u16, &features[row]);
    let both = logits
        .rows()
        .enumerate()
        .filter(|(row, logits)| with.energy.holds(logits) && near(*row))
        .count();
    assert_eq!(with.deferral.accepted, both as u64);

    let accepted = |threshold: Option<f64>| {
        let rows = logits.rows().zip(&features);
        rows.filter(|(logits, features)| {
            let evidence = Evidence {
                logits,
                features,
                pixels: None,
            };
            let answer = match threshold {
                None => with.decide(evidence),
                Some(threshold) => with.decide_at(evidence, threshold),
            };
            answer.unwrap().decision == Decision::Accept
        })
        .count()
    };
    assert_eq!(accepted(None), both, "the decision is that of the fit");
    assert_eq!(accepted(Some(0.0)), both, "whatever the threshold");
    assert_eq!(
        (with.temperature, with.energy),
        (without.temperature, without.energy)
    );
}

#[test]
fn an_image_without_what_the_calibration_asks_for_is_not_accepted() {
    let (logits, features) = images(6_000);
    let config = CalibrationConfig::default();
    let mut calibration = Calibration::fit_with_features(&logits, &features, 1, &config).unwrap();
    assert!(calibration.deferral.certified);
    let image = |bytes| Pixels {
        bytes,
        height: 2,
        width: 3,
    };
    let (like, unlike) = ([0, 9, 0, 7, 0, 0], [255; 6]);
    calibration.pixels = PixelLimits::of([image(&like)]);
    let row = logits.rows().next().unwrap();
    let whole = Evidence {
        logits: row,
        features: &features[0],
        pixels: Some(image(&like)),
    };
    let decision = |evidence: Evidence| calibration.decide(evidence).unwrap().decision;
    assert_eq!(decision(whole), Decision::Accept);
    for evidence in [
        Evidence::from(row),
        Evidence {
            features: &[],
            ..whole
        },
        Evidence {
            pixels: None,
            ..whole
        },
        Evidence {
            pixels: Some(image(&unlike)),
            ..whole
        },
    ] {
        for decision in [
            decision(evidence),
            calibration.decide_at(evidence, 0.0).unwrap().decision,
        ] {
            assert!(
                matches!(
                    decision,
                    Decision::Review {
                        reason: ReviewReason::OutOfDistribution,
                        ..
                    }
                ),
                "{decision:?}"
            );
        }
    }
}

#[test]
fn the_distance_of_several_networks_is_the_sum_of_each_ones_own() {
    let (logits, features) = images(300);
    // What another network sees: the same in another place and another measure, or something else.
    let other: Vec<Vec<f32>> = features
        .iter()
        .enumerate()
        .map(|(i, row)| vec![3.0 * row[1] - 1.0, (i * i % 97) as f32, row[0]])
        .collect();
    let both: Vec<Vec<f32>> = features
        .iter()
        .zip(&other)
        .map(|(a, b)| [&a[..], b].concat())
        .collect();
    let fit = |features: &[Vec<f32>], members: usize| {
        DistanceLimit::fit(&logits, features, members, 0.99)
            .unwrap()
            .unwrap()
    };
    let (alone, others, together) = (fit(&features, 1), fit(&other, 1), fit(&both, 2));
    for (class, row) in [0, 1, 2].into_iter().cycle().zip(&both) {
        let expected = alone.distance(class, &row[..3]) + others.distance(class, &row[3..]);
        let found = together.distance(class, row);
        assert!(
            (found - expected).abs() <= 1e-9 * expected,
            "{found} {expected}"
        );
    }
    // As many images as one network takes are enough for any number.
    let (few, features) = images(60);
    let both: Vec<Vec<f32>> = features.iter().map(|row| row.repeat(2)).collect();
    assert_eq!(DistanceLimit::fit(&few, &both, 1, 0.99), Ok(None));
    assert!(DistanceLimit::fit(&few, &both, 2, 0.99).unwrap().is_some());
    for members in [0, 4] {
        assert!(DistanceLimit::fit(&few, &both, members, 0.99).is_err());
    }
}

#[test]
fn too_few_digits_fit_no_distance() {
    let (logits, features) = images(59);
    assert_eq!(DistanceLimit::fit(&logits, &features, 1, 0.99), Ok(None));
    let (logits, features) = images(60);
    assert!(
        DistanceLimit::fit(&logits, &features, 1, 0.99)
            .unwrap()
            .is_some()
    );
    let none = vec![Vec::new(); 60];
    assert_eq!(DistanceLimit::fit(&logits, &none, 1, 0.99), Ok(None));
    let alike = vec![vec![1.0, 1.0]; 60];
    assert_eq!(DistanceLimit::fit(&logits, &alike, 1, 0.99), Ok(None));
}

#[test]
fn features_that_do_not_fit_are_refused() {
    let (logits, mut features) = images(90);
    features[7][1] = f32::INFINITY;
    let error = DistanceLimit::fit(&logits, &features, 1, 0.99).unwrap_err();
    assert_eq!(error.to_string(), "`features` is inf: it must be finite");
    features[7].pop();
    assert!(DistanceLimit::fit(&logits, &features, 1, 0.99).is_err());
    features.pop();
    let error = DistanceLimit::fit(&logits, &features, 1, 0.99).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Length {
                found: 89,
                expected: 90,
                ..
            }
        ),
        "{error}"
    );
    let (logits, features) = images(90);
    assert!(DistanceLimit::fit(&logits, &features, 1, 0.0).is_err());
}

#[test]
fn what_is_written_is_read_back_and_nothing_else() {
    let (logits, features) = images(90);
    let config = CalibrationConfig::default();
    let calibration = Calibration::fit_with_features(&logits, &features, 1, &config).unwrap();
    let stored = serde_json::to_value(&calibration).unwrap();
    let read = |stored: Value| serde_json::from_value::<Calibration>(stored);
    assert_eq!(read(stored.clone()).unwrap(), calibration);
    for (key, value) in [
        ("value", json!(-1.0)),
        ("kept_share", json!(2.0)),
        ("members", json!(0)),
        ("members", json!(2)),
        ("members", json!(3)),
        ("means", json!(["0 0 0", "0 0 0"])),
        ("means", json!(["0 0 0", "0 0 0", "0 0"])),
        ("means", json!(["0 0 0", "0 0 0", "0 0 NaN"])),
        ("whitening", json!(["1", "0 1", "0 0"])),
        ("whitening", json!(["1", "0 1", "0 0 inf"])),
        ("whitening", json!(["1", "0 1", "0 0 x"])),
    ] {
        let mut damaged = stored.clone();
        damaged["distance"][key] = value.clone();
        assert!(read(damaged).is_err(), "{key} = {value}");
    }
    let mut without = stored;
    without.as_object_mut().unwrap().remove("distance");
    assert_eq!(read(without).unwrap().distance, None);
}

#[test]
fn limits_hold_for_augmented_images_too_and_the_threshold_is_that_of_the_images_as_they_are() {
    let (logits, features) = images(3_000);
    let config = CalibrationConfig {
        target_risk: 0.01,
        ..CalibrationConfig::default()
    };
    // In another hand: less sure, further away, and every hundredth is taken for another class.
    let (mut scores, mut far) = (Vec::new(), Vec::new());
    for (index, (row, at)) in logits.rows().zip(&features).enumerate() {
        let turned = usize::from(index % 100 == 0);
        scores.extend((0..3).map(|class| 0.5 * row[(class + turned) % 3]));
        far.push(vec![1.3 * at[0] + 1.0, 1.3 * at[1] + 1.0, at[2]]);
    }
    let others = Logits::new(3, scores, logits.labels().to_vec()).unwrap();
    let alone = Calibration::fit_with_features(&logits, &features, 1, &config).unwrap();
    let both =
        Calibration::fit_with_augmented((&logits, &features), (&others, &far), 1, &config).unwrap();
    assert!(both.energy.value > alone.energy.value);
    assert_eq!(both.temperature, alone.temperature);
    assert_eq!(both.conformal, alone.conformal);
    assert_eq!((both.deferral.n, both.deferral.certified), (3_000, true));

    let accepts = |calibration: &Calibration, row: usize| {
        let evidence = Evidence {
            logits: others.rows().nth(row).unwrap(),
            features: &far[row],
            pixels: None,
        };
        let found = calibration.decide(evidence).unwrap();
        (
            found.decision == Decision::Accept,
            found.class == others.labels()[row],
        )
    };
    let count = |calibration: &Calibration, holds: fn((bool, bool)) -> bool| {
        (0..3_000)
            .filter(|&row| holds(accepts(calibration, row)))
            .count() as u64
    };
    let fared = both.augmented.unwrap();
    assert_eq!((fared.n, fared.right), (3_000, 2_970));
    assert_eq!(fared.accepted, count(&both, |(accepted, _)| accepted));
    assert_eq!(
        fared.errors,
        count(&both, |(accepted, right)| accepted && !right)
    );
    assert!(fared.accepted > count(&alone, |(accepted, _)| accepted) + 500);
    assert_eq!(
        fared.to_string(),
        format!(
            "{} of 3000 augmented held-out images accepted, {} of them wrong",
            fared.accepted, fared.errors
        )
    );
    // More accepted than there are is no calibration.
    let mut stored = serde_json::to_value(&both).unwrap();
    assert_eq!(
        serde_json::from_value::<Calibration>(stored.clone()).unwrap(),
        both
    );
    stored["augmented"]["accepted"] = json!(3_001);
    let error = serde_json::from_value::<Calibration>(stored).unwrap_err();
    assert!(error.to_string().contains("augmented.accepted"), "{error}");
}
