//! The certified threshold.

use evaluation::{Deferral, Predictions, RiskTarget};

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
        "certified on 5000 validation images: with 95 % certainty, at most 0.1 % of what is accepted \
         is wrong"
    );
    assert!(promise(&[10]).starts_with("not certified: too many"));
    let few = fit(&ranked(1_000, &[])).promise();
    assert!(
        few.starts_with("not certified: 1000 validation images are too few"),
        "{few}"
    );
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
