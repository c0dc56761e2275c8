//! What holds for any logits.

use evaluation::{Conformal, Logits, Method, Report, Temperature};
use proptest::prelude::*;

use crate::two_classes;

fn any_logits() -> impl Strategy<Value = Logits> {
    (2_usize..6, 1_usize..40).prop_flat_map(|(classes, n)| {
        let values =
            prop::collection::vec((-40_i32..40).prop_map(|v| f64::from(v) / 4.0), n * classes);
        let labels = prop::collection::vec(0..classes as u16, n);
        (values, labels).prop_map(move |(v, l)| Logits::new(classes, v, l).unwrap())
    })
}

proptest! {
    #[test]
    fn no_temperature_changes_the_digit(logits in any_logits(), temperature in 0.01..100.0_f64) {
        let scaled = logits.predictions(Temperature::new(temperature).unwrap());
        let plain = logits.predictions(Temperature::ONE);
        prop_assert_eq!(scaled.predicted(), plain.predicted());
    }

    #[test]
    fn a_fitted_temperature_never_raises_the_likelihood_loss(logits in any_logits()) {
        let loss = |t| Report::new(&logits.predictions(t)).nll;
        prop_assert!(loss(Temperature::fit(&logits)) <= loss(Temperature::ONE) + 1e-12);
    }

    #[test]
    fn no_figure_depends_on_the_order_of_the_digits(
        images in prop::collection::vec((10_u8..=20, any::<bool>()), 1..60)
    ) {
        let mut images: Vec<_> =
            images.into_iter().map(|(p, right)| (f64::from(p) / 20.0, right)).collect();
        let there = Report::new(&two_classes(&images));
        images.reverse();
        let back = Report::new(&two_classes(&images));
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
