//! What goes to a person, and what the person makes of it.

use evaluation::review::{Verdict, merge_review};
use evaluation::{
    Calibration, CalibrationConfig, Decision, EnergyLimit, Error, Logits, ReviewReason,
};

use crate::{calibration, validation};

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
    calibration.deferral.certified = true;
    let decide = |logits: &[f64]| calibration.decide(logits).unwrap();

    let sure = decide(&[0.0, 9.0, 1.0]);
    assert_eq!((sure.class, sure.decision), (1, Decision::Accept));
    assert!((sure.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert_eq!(sure.confidence, sure.probabilities[1]);
    assert_eq!(sure.sets.len(), 4);

    let review = |runner_up, reason| Decision::Review { runner_up, reason };
    let torn = decide(&[4.9, 0.0, 5.0]);
    assert_eq!(
        (torn.class, torn.decision),
        (2, review(0, ReviewReason::LowConfidence))
    );
    let strange = decide(&[-50.0, -70.0, -60.0]);
    assert!(strange.confidence > 0.8);
    assert_eq!(strange.decision, review(2, ReviewReason::OutOfDistribution));
}

#[test]
fn a_calibration_that_cannot_be_believed_accepts_nothing() {
    // One in ten of these is wrong, whatever the confidence.
    let calibration = calibration();
    assert!(!calibration.deferral.is_reliable());
    for logits in validation().rows() {
        let answer = calibration.decide(logits).unwrap();
        let Decision::Review { reason, .. } = answer.decision else {
            panic!("accepted: {answer:?}");
        };
        assert_ne!(reason, ReviewReason::LowConfidence);
    }
    let found = calibration.evaluate(&validation()).unwrap().selective;
    assert_eq!((found.accepted, found.low_confidence), (0, 0));
    assert_eq!(found.unreliable + found.out_of_distribution, found.n);
}

#[test]
fn digits_beyond_the_energy_limit_do_not_count_against_the_threshold() {
    let rows = (0..4_000).flat_map(|i| match i % 400 {
        0 => [-40.0, -60.0],
        _ => [5.0 + f64::from(i) / 1_000.0, 0.0],
    });
    let labels = (0..4_000).map(|i| u16::from(i % 400 == 0));
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
    let (mut calibration, images) = (calibration(), validation());
    calibration.deferral.certified = true;
    let evaluation = calibration.evaluate(&images).unwrap();
    let decisions: Vec<_> = images
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
    assert_eq!(calibration.evaluate_at(&images, 2.0).unwrap().risk, None);
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
    let verdict = |class, accepted| Verdict { class, accepted };
    let verdicts = [
        verdict(1, true),
        verdict(2, true),
        verdict(3, false),
        verdict(4, false),
        verdict(5, false),
    ];
    let labels = [1, 7, 8, 4, 5];
    let merge = |answers: &[Option<u16>]| merge_review(10, &verdicts, &labels, answers);

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
            .starts_with("1 answers for 5 images")
    );
}
