//! The certified threshold.

use evaluation::{
    Calibration, CalibrationConfig, Deferral, Logits, Predictions, RiskTarget, SelectiveReport,
    interval, smallest_certifiable,
};

use crate::{ranked, two_classes};

fn fit(predictions: &Predictions) -> Deferral {
    Deferral::fit(predictions, |_| true, &RiskTarget::default()).unwrap()
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
fn a_floor_raises_the_threshold_to_another_that_was_certified_too() {
    let predictions = ranked(5_000, &[4_000]);
    let above = |floor: f64| {
        Deferral::fit_above(&predictions, |_| true, &RiskTarget::default(), floor).unwrap()
    };
    let lowest = fit(&predictions);
    let confidence = |rank: usize| {
        let mut all: Vec<f64> = predictions.confidences().collect();
        all.sort_by(|a, b| b.total_cmp(a));
        all[rank - 1]
    };
    assert_eq!(above(0.0), lowest);
    let raised = above(confidence(3_500));
    assert!(raised.certified && raised.threshold > lowest.threshold);
    assert_eq!(
        (raised.accepted, raised.threshold),
        (3_500, confidence(3_500))
    );
    // None so high was tested: the highest that was.
    let highest = above(1.0);
    assert!(highest.certified);
    assert_eq!(highest.accepted, 2_996);
    // It certifies nothing that isn't.
    let wrong = ranked(5_000, &[10]);
    let target = RiskTarget::default();
    let floored = Deferral::fit_above(&wrong, |_| true, &target, confidence(4_000)).unwrap();
    assert_eq!(floored, fit(&wrong));
}

#[test]
fn augmented_images_that_are_wrong_raise_the_threshold_and_leave_its_certificate() {
    let config = CalibrationConfig {
        in_distribution_share: 1.0,
        ..CalibrationConfig::default()
    };
    // The last 500 are unsure, and a tenth of them wrong.
    let margin = |rank: u16| {
        if rank < 4_000 {
            8.0 - f64::from(rank) / 1_000.0
        } else {
            3.0
        }
    };
    let scores: Vec<f64> = (0..4_500).flat_map(|rank| [margin(rank), 0.0]).collect();
    let none = vec![Vec::new(); 4_500];
    let wrong_from = |first: u16| -> Vec<u16> {
        let wrong = |rank| u16::from(rank >= first && rank % 10 == 0);
        (0..4_500).map(wrong).collect()
    };
    let right = Logits::new(2, scores.clone(), wrong_from(4_000)).unwrap();
    let augmented = Logits::new(2, scores, wrong_from(3_500)).unwrap();
    let fit = |others| {
        Calibration::fit_with_augmented((&right, &none), (others, &none), 1, &config).unwrap()
    };
    let (easy, hard) = (fit(&right), fit(&augmented));
    assert_eq!(easy.deferral.accepted, 4_000);
    assert!(hard.deferral.certified && hard.deferral.threshold > easy.deferral.threshold);
    // Three errors are within a thousandth of what comes before the fourth, at 3,530.
    assert_eq!(hard.deferral.accepted, 3_530);
    let fared = hard.augmented.unwrap();
    assert_eq!((fared.n, fared.accepted, fared.errors), (4_500, 3_530, 3));
}

#[test]
fn few_images_that_judge_are_within_the_limits_and_the_others_keep_to_the_risk_that_was_asked_for()
{
    let config = CalibrationConfig {
        in_distribution_share: 0.99,
        ..CalibrationConfig::default()
    };
    // From rank 3,500 on a tenth of the others is wrong, so that 3,530 of them keep to a thousandth.
    let margin = |rank: u16| 8.0 - f64::from(rank) / 1_000.0;
    let scores = (0..4_500).flat_map(|rank| [margin(rank), 0.0]).collect();
    let wrong = |rank: u16| u16::from(rank >= 3_500 && rank.is_multiple_of(10));
    let others = Logits::new(2, scores, (0..4_500).map(wrong).collect()).unwrap();
    // As sure, all right, but of an energy that none of the others has.
    let scores = (0..375).flat_map(|rank| [margin(12 * rank) - 10.0, -10.0]);
    let judging = Logits::new(2, scores.collect(), vec![0; 375]).unwrap();
    let none = |count| vec![Vec::new(); count];
    let fitted = Calibration::fit_with_others(
        (&judging, &none(375)),
        (&others, &none(4_500)),
        1,
        &config,
        0.05,
    );
    let deferral = fitted.unwrap().deferral;
    // Those above the margin of the 3,530th.
    assert_eq!((deferral.accepted, deferral.n), (295, 375));
    assert!(deferral.certified);
    assert_eq!(deferral.target_risk, 0.05);
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
fn the_promise_says_whether_there_is_one() {
    let promise = |wrong: &[usize]| fit(&ranked(5_000, wrong)).promise();
    assert_eq!(
        promise(&[]),
        "certified on 5000 held-out images: with 95 % certainty, at most 0.1 % of what is accepted \
         is wrong"
    );
    assert!(promise(&[10]).starts_with("not certified: too many"));
    let few = fit(&ranked(1_000, &[])).promise();
    assert!(
        few.starts_with("not certified: 1000 held-out images are too few")
            && few.ends_with("nothing is accepted"),
        "{few}"
    );
    let bad = promise(&[10, 20, 30]);
    assert!(
        bad.starts_with(
            "not certified, and nothing is accepted: 3 of the 2996 surest of 5000 held-out images \
             were wrong, where 0.1 % may be"
        ),
        "{bad}"
    );
}

#[test]
fn without_a_certificate_the_threshold_is_used_while_the_digits_do_not_speak_against_it() {
    let reliable = |wrong: &[usize]| {
        let deferral = fit(&ranked(5_000, wrong));
        assert!(!deferral.certified);
        deferral.is_reliable()
    };
    assert!(reliable(&[10]) && reliable(&[10, 20]), "2 of 2,996");
    assert!(!reliable(&[10, 20, 30]), "3 of 2,996 are more than 0.1 %");
    let most: Vec<usize> = (0..5_000).filter(|row| row % 7 != 0).collect();
    assert!(!reliable(&most), "a network that learned nothing");
}

#[test]
fn so_few_digits_that_an_error_could_not_show_prove_nothing() {
    let deferral = fit(&two_classes(&[(0.99, true), (0.9, true), (0.8, true)]));
    assert_eq!(
        (deferral.threshold, deferral.accepted, deferral.certified),
        (0.99, 1, false)
    );
    assert!(!deferral.is_reliable(), "the surest is right by luck, too");
    let alike: Vec<_> = (0..2_000).map(|_| (0.99, true)).collect();
    let deferral = fit(&two_classes(&alike));
    assert!(!deferral.certified && deferral.is_reliable());
}

/// What labelled images showed.
fn found(errors: u64, accepted: u64) -> SelectiveReport {
    SelectiveReport {
        threshold: 0.5,
        n: 10_000,
        accepted,
        errors,
        coverage: interval::wilson(accepted, 10_000, 0.95).unwrap(),
        risk: None,
        low_confidence: 10_000 - accepted,
        out_of_distribution: 0,
        unreliable: 0,
    }
}

#[test]
fn a_promise_is_withdrawn_where_labelled_digits_contradict_it() {
    let certified = fit(&ranked(5_000, &[]));
    let kept = certified.held_against(&found(15, 9_609));
    assert!(kept.deferral.certified && !kept.contradicted);
    assert_eq!(kept.statement, certified.promise());

    let withdrawn = certified.held_against(&found(1_797, 2_812));
    assert!(!withdrawn.deferral.certified && withdrawn.contradicted);
    assert!(withdrawn.certified_on_validation);
    assert!(
        withdrawn
            .statement
            .starts_with("not certified: 1797 of 2812 accepted are wrong here"),
        "{}",
        withdrawn.statement
    );
    let json = serde_json::to_value(&withdrawn).unwrap();
    assert_eq!(
        (&json["certified"], &json["n"]),
        (&false.into(), &5_000.into())
    );

    let never = fit(&ranked(5_000, &[10])).held_against(&found(1_797, 2_812));
    assert!(!never.contradicted && !never.certified_on_validation);
}

#[test]
fn a_target_is_contradicted_where_its_lower_bound_is_above() {
    let target = RiskTarget::default();
    for accepted in [1, 10, 2_812, 9_609, 1_000_000] {
        for errors in (0..=accepted.min(40)).chain([accepted / 3, accepted]) {
            // Both ends of an interval at 90 % are missed with probability 5 % each.
            let lower = interval::clopper_pearson(errors, accepted, 0.9)
                .unwrap()
                .lower;
            assert_eq!(
                target.is_contradicted(errors, accepted),
                lower >= target.target_risk,
                "{errors} of {accepted}"
            );
        }
    }
}

#[test]
fn a_target_that_no_data_could_certify_is_refused() {
    for target_risk in [1e-20, 0.9e-9, 0.0, 1.0, f64::NAN] {
        let config = CalibrationConfig {
            target_risk,
            ..CalibrationConfig::default()
        };
        let logits = Logits::new(2, vec![1.0, 0.0], vec![0]).unwrap();
        let error = Calibration::fit(&logits, &config).unwrap_err().to_string();
        assert!(error.starts_with("`target_risk` is"), "{error}");
    }
    let least = smallest_certifiable(&RiskTarget {
        target_risk: 1e-20,
        ..RiskTarget::default()
    });
    assert_eq!(least, u64::MAX, "more than can be counted");
}

#[test]
fn digits_of_equal_confidence_are_accepted_together() {
    let images: Vec<_> = (0..5_000)
        .map(|i| (if i < 4_000 { 0.9 } else { 0.8 }, i != 4_500))
        .collect();
    let deferral = fit(&two_classes(&images));
    assert_eq!((deferral.threshold, deferral.accepted), (0.8, 5_000));
    assert!(deferral.certified, "one error in 5,000 passes");
}

#[test]
fn the_first_set_is_chosen_by_the_eligible_digits() {
    // Of 10,000 three errors would be forgiven, of 6,000 one.
    let predictions = ranked(10_000, &[10]);
    let target = RiskTarget::default();
    let deferral = Deferral::fit(&predictions, |row| row < 6_000, &target).unwrap();
    assert!(deferral.certified);
    assert_eq!((deferral.accepted, deferral.errors), (6_000, 1));
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
    let none = Deferral::fit(&predictions, |_| false, &RiskTarget::default()).unwrap();
    assert_eq!(
        (none.accepted, none.threshold, none.risk_upper_bound),
        (0, 1.0, 1.0)
    );
    assert!(!none.certified && none.promise().contains("none of 5000"));
}
