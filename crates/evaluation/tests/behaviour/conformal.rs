//! Sets of classes.

use evaluation::conformal::{aps_scores, rank};
use evaluation::{Conformal, Method, Temperature};

use crate::{two_classes, validation};

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
