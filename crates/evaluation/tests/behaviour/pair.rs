//! Two pictures of the same thing.

use evaluation::{Calibration, Classification, Decision, Error, ReviewReason, pool};

use crate::calibration;

fn strict() -> Calibration {
    let mut calibration = calibration();
    calibration.deferral.threshold = 0.8;
    calibration.deferral.certified = true;
    calibration
}

fn said(calibration: &Calibration, logits: &[f64]) -> Classification {
    calibration.decide(logits).unwrap()
}

#[test]
fn two_that_are_not_sure_enough_are_never_surer_together() {
    let calibration = strict();
    let torn = said(&calibration, &[4.9, 0.0, 5.0]);
    let once_more = calibration
        .decide_pair(Some(&torn.probabilities), &torn)
        .unwrap();
    assert!((once_more.confidence - torn.confidence).abs() < 1e-12);
    let Decision::Review { runner_up, reason } = once_more.decision else {
        panic!("accepted: {once_more:?}");
    };
    assert_eq!((runner_up, reason), (0, ReviewReason::LowConfidence));
}

#[test]
fn a_clear_second_picture_settles_a_doubt_in_its_favour_only() {
    let calibration = strict();
    let doubt = [0.15, 0.75, 0.1];
    let clear = said(&calibration, &[0.0, 9.0, 1.0]);
    let pair = calibration.decide_pair(Some(&doubt), &clear).unwrap();
    assert_eq!((pair.class, pair.decision), (1, Decision::Accept));
    assert_eq!(pair.probabilities, pool(&doubt, &clear.probabilities));
    assert!((pair.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert!(doubt[1] < pair.confidence && pair.confidence < clear.confidence);
    assert_eq!(pair.sets.len(), clear.sets.len());
    // However sure the second is, the first said something else.
    let against = calibration
        .decide_pair(Some(&[0.5, 0.4, 0.1]), &clear)
        .unwrap();
    assert!(against.confidence > 0.8, "{against:?}");
    assert_ne!(against.decision, Decision::Accept);
}

#[test]
fn what_a_second_picture_is_refused_for_stays_the_reason() {
    let calibration = strict();
    let strange = said(&calibration, &[-50.0, -70.0, -60.0]);
    let pair = calibration
        .decide_pair(Some(&[0.9, 0.05, 0.05]), &strange)
        .unwrap();
    let reason = ReviewReason::OutOfDistribution;
    assert!(matches!(pair.decision, Decision::Review { reason: found, .. } if found == reason));
    let unreliable = crate::calibration();
    let clear = said(&unreliable, &[0.0, 9.0, 1.0]);
    let pair = unreliable
        .decide_pair(Some(&[0.1, 0.8, 0.1]), &clear)
        .unwrap();
    let reason = ReviewReason::Unreliable;
    assert!(matches!(pair.decision, Decision::Review { reason: found, .. } if found == reason));
    assert_eq!(
        calibration.decide_pair(Some(&[0.5, 0.5]), &clear),
        Err(Error::ClassMismatch {
            expected: 3,
            found: 2
        })
    );
}

#[test]
fn a_first_without_probabilities_leaves_any_second_to_people() {
    let calibration = strict();
    for logits in [[0.0, 9.0, 1.0], [4.9, 0.0, 5.0], [-50.0, -70.0, -60.0]] {
        let alone = said(&calibration, &logits);
        let pair = calibration.decide_pair(None, &alone).unwrap();
        assert_eq!(
            (pair.class, &pair.probabilities),
            (alone.class, &alone.probabilities)
        );
        match (alone.decision, pair.decision) {
            (Decision::Accept, Decision::Review { runner_up, reason }) => {
                assert_eq!((runner_up, reason), (2, ReviewReason::LowConfidence));
            }
            (alone, pair) => assert_eq!(alone, pair),
        }
        assert_ne!(pair.decision, Decision::Accept);
    }
}

#[test]
fn a_class_of_no_probability_leaves_numbers() {
    let together = pool(&[1.0, 0.0], &[0.0, 1.0]);
    assert_eq!(together, [0.5, 0.5]);
    assert!(pool(&[], &[]).is_empty());
}
