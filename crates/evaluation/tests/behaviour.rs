//! How the library behaves at its edges, seen through its public interface.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::conformal::{aps_scores, rank};
use evaluation::reliability::confidence_histogram;
use evaluation::review::{Verdict, merge_review};
use evaluation::{
    Calibration, CalibrationConfig, Conformal, Decision, Deferral, EnergyLimit, Error, Logits,
    Method, Predictions, Report, ReviewReason, RiskTarget, Temperature, interval, selective,
};
use proptest::prelude::*;

/// Two classes; each pair is the probability of class 0, which is always predicted, and whether
/// that is right.
fn two_classes(digits: &[(f64, bool)]) -> Predictions {
    let probabilities = digits.iter().flat_map(|(p, _)| [*p, 1.0 - p]).collect();
    let labels = digits
        .iter()
        .map(|(_, correct)| u8::from(!correct))
        .collect();
    Predictions::from_probabilities(2, probabilities, labels).unwrap()
}

/// `n` digits of falling confidence, wrong at the given ranks (from 0).
fn ranked(n: usize, wrong: &[usize]) -> Predictions {
    let digit = |i: usize| (1.0 - 0.4 * (i + 1) as f64 / n as f64, !wrong.contains(&i));
    two_classes(&(0..n).map(digit).collect::<Vec<_>>())
}

fn fit(predictions: &Predictions) -> Deferral {
    Deferral::fit(predictions, |_| true, &RiskTarget::default()).unwrap()
}

/// Three classes, well separated, one digit in ten wrong.
fn validation() -> Logits {
    let rows = (0..300).flat_map(|i| {
        let mut row = [0.1, 0.2, 0.3];
        row[i % 3] += 2.0 + (i % 17) as f64 / 4.0;
        row
    });
    let labels = (0..300).map(|i| ((i + usize::from(i % 10 == 9)) % 3) as u8);
    Logits::new(3, rows.collect(), labels.collect()).unwrap()
}

fn calibration() -> Calibration {
    Calibration::fit(&validation(), &CalibrationConfig::default()).unwrap()
}

#[test]
fn bad_input_is_refused_with_what_to_do() {
    let logits = |values: &[f64], labels: &[u8]| {
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
        "no digits: give at least one row with its label"
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
        Logits::new(257, vec![0.0; 257], vec![0]),
        Err(Error::Classes { classes: 257 })
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
    let fit = |values: &[f64], labels: &[u8]| {
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

#[test]
fn without_errors_every_digit_is_accepted_from_the_smallest_certifiable_number_on() {
    let enough = fit(&ranked(2_996, &[]));
    assert!(enough.certified && enough.risk_upper_bound <= 0.001);
    assert_eq!((enough.accepted, enough.coverage), (2_996, 1.0));
    assert!(!fit(&ranked(2_995, &[])).certified);
}

#[test]
fn the_search_for_a_threshold_ends_at_the_first_set_that_fails() {
    let early = fit(&ranked(5_000, &[4_000]));
    assert!(early.certified);
    assert_eq!((early.accepted, early.errors), (4_000, 0));

    let late = fit(&ranked(5_000, &[4_800, 4_900]));
    assert_eq!(
        (late.accepted, late.errors, late.certified),
        (4_900, 1, true)
    );
}

#[test]
fn an_error_among_the_most_confident_leaves_the_strictest_threshold_uncertified() {
    let deferral = fit(&ranked(5_000, &[10]));
    assert!(!deferral.certified);
    assert_eq!(
        (deferral.accepted, deferral.errors, deferral.coverage),
        (2_996, 1, 0.5992)
    );
    assert!(deferral.risk_upper_bound > 0.001);
}

#[test]
fn too_few_digits_accept_only_the_most_confident() {
    let deferral = fit(&two_classes(&[(0.99, true), (0.9, true), (0.8, true)]));
    assert_eq!(
        (deferral.threshold, deferral.accepted, deferral.certified),
        (0.99, 1, false)
    );
}

#[test]
fn digits_of_equal_confidence_are_accepted_together() {
    let digits: Vec<_> = (0..5_000)
        .map(|i| (if i < 4_000 { 0.9 } else { 0.8 }, i != 4_500))
        .collect();
    let deferral = fit(&two_classes(&digits));
    assert_eq!((deferral.threshold, deferral.accepted), (0.8, 5_000));
    assert!(deferral.certified, "one error in 5,000 passes");
}

#[test]
fn ineligible_digits_are_never_accepted() {
    let predictions = ranked(5_000, &[10]);
    let deferral = Deferral::fit(&predictions, |row| row != 10, &RiskTarget::default()).unwrap();
    assert_eq!(
        (deferral.accepted, deferral.errors, deferral.n),
        (4_999, 0, 5_000)
    );
    assert!(deferral.certified);
    let none = Deferral::fit(&predictions, |_| false, &RiskTarget::default());
    assert_eq!(none, Err(Error::Empty));
}

#[test]
fn a_level_beyond_the_validation_digits_gives_all_classes() {
    let predictions = validation().predictions(Temperature::ONE);
    assert_eq!(rank(300, 0.999), 301);
    for method in [Method::Lac, Method::Aps] {
        let rule = Conformal::fit(&predictions, method, 0.999).unwrap();
        assert!(!rule.is_attainable());
        assert_eq!(rule.set(&[1.0, 0.0, 0.0], 0).classes, [0, 1, 2]);
        let report = rule.report(&predictions);
        assert_eq!((report.coverage.value, report.mean_size), (1.0, 3.0));
    }
    assert_eq!(
        (rank(99, 0.99), rank(999, 0.999), rank(4_999, 0.999)),
        (99, 999, 4_995)
    );
}

#[test]
fn an_empty_set_says_so_and_offers_the_likeliest_class() {
    let rule = Conformal {
        method: Method::Lac,
        level: 0.9,
        cutoff: 0.4,
        n: 100,
    };
    let set = rule.set(&[0.3, 0.5, 0.2], 0);
    assert!(set.is_empty() && !set.contains(1));
    assert_eq!((set.top, set.or_top()), (1, &[1][..]));
    let set = rule.set(&[0.1, 0.7, 0.2], 0);
    assert_eq!((set.classes.as_slice(), set.or_top()), (&[1][..], &[1][..]));
}

#[test]
fn adaptive_scores_add_up_the_likelier_classes() {
    assert_eq!(aps_scores(&[0.25, 0.5, 0.25], 0.0), [0.5, 0.0, 0.75]);
    assert_eq!(aps_scores(&[0.25, 0.5, 0.25], 1.0), [0.75, 0.5, 1.0]);
}

#[test]
fn coverage_of_a_class_without_digits_is_unknown() {
    let predictions = two_classes(&[(0.9, true), (0.8, true)]);
    let rule = Conformal {
        method: Method::Aps,
        level: 0.9,
        cutoff: 0.0,
        n: 10,
    };
    let report = rule.report(&predictions);
    assert_eq!(report.class_coverage, [Some(1.0), None]);
    assert_eq!((report.single, report.empty), (1.0, 0.0));
}

#[test]
fn energy_keeps_the_share_asked_for() {
    let limit = EnergyLimit::fit(&validation(), 0.9).unwrap();
    let kept = validation().rows().filter(|row| limit.holds(row)).count();
    assert!((270..300).contains(&kept), "{kept}");
    let all = EnergyLimit::fit(&validation(), 1.0).unwrap();
    assert!(validation().rows().all(|row| all.holds(row)));
    assert!(!all.holds(&[0.0, 0.0, 0.0]));
}

#[test]
fn a_decision_is_made_by_energy_first_and_confidence_second() {
    let mut calibration = calibration();
    calibration.deferral.threshold = 0.8;
    let decide = |logits: &[f64]| calibration.decide(logits).unwrap();

    let sure = decide(&[0.0, 9.0, 1.0]);
    assert_eq!((sure.digit, sure.decision), (1, Decision::Accept));
    assert!((sure.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert_eq!(sure.confidence, sure.probabilities[1]);
    assert_eq!(sure.sets.len(), 4);

    let review = |runner_up, reason| Decision::Review { runner_up, reason };
    let torn = decide(&[4.9, 0.0, 5.0]);
    assert_eq!(
        (torn.digit, torn.decision),
        (2, review(0, ReviewReason::LowConfidence))
    );
    let strange = decide(&[-50.0, -70.0, -60.0]);
    assert!(strange.confidence > 0.8);
    assert_eq!(strange.decision, review(2, ReviewReason::OutOfDistribution));
}

#[test]
fn digits_beyond_the_energy_limit_do_not_count_against_the_threshold() {
    let rows = (0..4_000).flat_map(|i| match i % 400 {
        0 => [-40.0, -60.0],
        _ => [5.0 + f64::from(i) / 1_000.0, 0.0],
    });
    let labels = (0..4_000).map(|i| u8::from(i % 400 == 0));
    let validation = Logits::new(2, rows.collect(), labels.collect()).unwrap();
    let fit = |in_distribution_share| {
        let config = CalibrationConfig {
            in_distribution_share,
            ..CalibrationConfig::default()
        };
        Calibration::fit(&validation, &config).unwrap().deferral
    };
    let found = fit(0.995);
    assert_eq!(
        (found.certified, found.errors, found.accepted),
        (true, 0, 3_980)
    );
    assert!(
        !fit(1.0).certified,
        "ten confident errors are among the accepted"
    );
}

#[test]
fn a_caller_may_set_the_threshold() {
    let calibration = calibration();
    let at = |threshold| {
        calibration
            .decide_at(&[4.9, 0.0, 5.0], threshold)
            .unwrap()
            .decision
    };
    assert_eq!(at(0.0), Decision::Accept);
    let review = Decision::Review {
        runner_up: 0,
        reason: ReviewReason::LowConfidence,
    };
    assert_eq!((at(1.5), at(f64::NAN)), (review, review));
}

#[test]
fn logits_that_do_not_fit_are_refused() {
    let error = calibration().decide(&[0.0; 4]).unwrap_err();
    assert_eq!(
        error,
        Error::ClassMismatch {
            expected: 3,
            found: 4
        }
    );
    assert!(calibration().decide(&[0.0, f64::INFINITY, 0.0]).is_err());
    let other = Logits::new(2, vec![0.0; 2], vec![0]).unwrap();
    assert!(calibration().evaluate(&other).is_err());
}

#[test]
fn evaluation_counts_what_the_decisions_do() {
    let (calibration, digits) = (calibration(), validation());
    let evaluation = calibration.evaluate(&digits).unwrap();
    let decisions: Vec<_> = digits
        .rows()
        .map(|row| calibration.decide(row).unwrap())
        .collect();
    let count = |wanted: fn(&Decision) -> bool| {
        decisions.iter().filter(|c| wanted(&c.decision)).count() as u64
    };
    let found = evaluation.selective;
    assert_eq!(found.accepted, count(|d| *d == Decision::Accept));
    assert_eq!(
        found.out_of_distribution,
        count(|d| matches!(
            d,
            Decision::Review {
                reason: ReviewReason::OutOfDistribution,
                ..
            }
        ))
    );
    assert_eq!(
        found.accepted + found.low_confidence + found.out_of_distribution,
        found.n
    );
    assert_eq!(found.accepted, calibration.deferral.accepted);
    assert_eq!(evaluation.before.errors, evaluation.after.errors);
    assert!(evaluation.after.nll <= evaluation.before.nll);
    assert_eq!(evaluation.conformal.len(), calibration.conformal.len());
    assert_eq!(calibration.evaluate_at(&digits, 2.0).unwrap().risk, None);
}

#[test]
fn a_calibration_survives_its_file_to_the_last_bit() {
    let text = serde_json::to_string(&calibration()).unwrap();
    assert_eq!(
        serde_json::from_str::<Calibration>(&text).unwrap(),
        calibration()
    );
}

#[test]
fn a_calibration_with_a_wrong_value_is_refused_when_read() {
    let read = |path: &str, value: serde_json::Value| {
        let mut json = serde_json::to_value(calibration()).unwrap();
        *json.pointer_mut(path).unwrap() = value;
        serde_json::from_value::<Calibration>(json)
            .unwrap_err()
            .to_string()
    };
    assert!(read("/temperature", 0.0.into()).contains("`temperature` is 0"));
    assert!(read("/deferral/threshold", 1.5.into()).contains("`deferral.threshold` is 1.5"));
    assert!(read("/deferral/accepted", 999.into()).contains("`deferral.accepted` is 999"));
    assert!(read("/conformal/0/cutoff", (-1).into()).contains("`conformal.cutoff` is -1"));
    assert!(read("/classes", 1.into()).starts_with("1 classes"));
    let randomized = serde_json::json!({ "randomized_aps": { "seed": 1 } });
    assert!(read("/conformal/0/method", randomized).contains("randomized"));

    let mut json = serde_json::to_value(calibration()).unwrap();
    json["surplus"] = 1.into();
    let error = serde_json::from_value::<Calibration>(json)
        .unwrap_err()
        .to_string();
    assert!(error.contains("unknown field `surplus`"), "{error}");
}

#[test]
fn a_person_corrects_what_was_deferred() {
    let verdict = |digit, accepted| Verdict { digit, accepted };
    let verdicts = [
        verdict(1, true),
        verdict(2, true),
        verdict(3, false),
        verdict(4, false),
        verdict(5, false),
    ];
    let labels = [1, 7, 8, 4, 5];
    let merge = |answers: &[Option<u8>]| merge_review(10, &verdicts, &labels, answers);

    let found = merge(&[None, None, Some(8), Some(9), None]).unwrap();
    assert_eq!((found.accepted, found.machine_errors), (2, 1));
    assert_eq!(
        (found.answered, found.person_errors, found.pending),
        (2, 1, 1)
    );
    assert_eq!(found.machine_errors_on_answered, 1);
    assert_eq!(found.accuracy.unwrap().value, 0.5);
    assert_eq!(found.machine_accuracy.value, 0.6);

    assert_eq!(
        merge(&[Some(1), None, None, None, None]),
        Err(Error::UnaskedAnswer { row: 0 })
    );
    assert!(matches!(
        merge(&[None, None, Some(10), None, None]),
        Err(Error::Label {
            row: 2,
            label: 10,
            ..
        })
    ));
    assert!(
        merge(&[None])
            .unwrap_err()
            .to_string()
            .starts_with("1 answers for 5 digits")
    );
}

fn any_logits() -> impl Strategy<Value = Logits> {
    (2_usize..6, 1_usize..40).prop_flat_map(|(classes, n)| {
        let values =
            prop::collection::vec((-40_i32..40).prop_map(|v| f64::from(v) / 4.0), n * classes);
        let labels = prop::collection::vec(0..classes as u8, n);
        (values, labels).prop_map(move |(v, l)| Logits::new(classes, v, l).unwrap())
    })
}

proptest! {
    #[test]
    fn no_temperature_changes_the_digit(logits in any_logits(), temperature in 0.01..100.0_f64) {
        let scaled = logits.predictions(Temperature::new(temperature).unwrap());
        let plain = logits.predictions(Temperature::ONE);
        prop_assert_eq!(scaled.digits(), plain.digits());
    }

    #[test]
    fn a_fitted_temperature_never_raises_the_likelihood_loss(logits in any_logits()) {
        let loss = |t| Report::new(&logits.predictions(t)).nll;
        prop_assert!(loss(Temperature::fit(&logits)) <= loss(Temperature::ONE) + 1e-12);
    }

    #[test]
    fn no_figure_depends_on_the_order_of_the_digits(
        digits in prop::collection::vec((10_u8..=20, any::<bool>()), 1..60)
    ) {
        let mut digits: Vec<_> =
            digits.into_iter().map(|(p, right)| (f64::from(p) / 20.0, right)).collect();
        let there = Report::new(&two_classes(&digits));
        digits.reverse();
        let back = Report::new(&two_classes(&digits));
        prop_assert_eq!(&there.risk_coverage, &back.risk_coverage);
        prop_assert_eq!(&there.coverage_at_risk, &back.coverage_at_risk);
        prop_assert_eq!((there.aurc, there.e_aurc), (back.aurc, back.e_aurc));
        prop_assert_eq!(there.adaptive_ece, back.adaptive_ece);
        prop_assert!((there.ece - back.ece).abs() < 1e-12);
    }

    #[test]
    fn sets_of_the_validation_digits_hold_the_promised_share(
        logits in any_logits(), level in 0.05..0.99_f64
    ) {
        let predictions = logits.predictions(Temperature::ONE);
        for method in [Method::Lac, Method::Aps] {
            let rule = Conformal::fit(&predictions, method, level).unwrap();
            let report = rule.report(&predictions);
            prop_assert!(report.coverage.value >= level);
            prop_assert!(method == Method::Lac || report.empty == 0.0);
        }
    }
}
