use evaluation::{Error, Paired, Verdict};

fn paired(both: u64, only_a: u64, only_b: u64, neither: u64) -> Paired {
    Paired {
        both,
        only_a,
        only_b,
        neither,
    }
}

#[test]
fn pairs_are_counted_by_who_is_right() {
    let pairs = [
        (true, true),
        (false, true),
        (true, false),
        (false, true),
        (false, false),
    ];
    assert_eq!(Paired::of(pairs), paired(1, 1, 2, 1));
    assert_eq!(Paired::of(pairs).n(), 5);
}

/// Airway responsiveness of 21 children before and after a transplantation, the example of Fagerland,
/// Lydersen and Laake 2014, "Recommended tests and confidence intervals for paired binomial proportions",
/// *Statistics in Medicine* 33: Tango's interval is −0.517 to −0.026, McNemar's mid-p value 0.0391.
#[test]
fn the_published_example_comes_out() {
    let children = paired(1, 7, 1, 12);
    let difference = children.difference(0.95).unwrap();
    assert!((difference.value + 6.0 / 21.0).abs() < 1e-12);
    assert!((difference.lower + 0.517).abs() < 5e-4, "{difference:?}");
    assert!((difference.upper + 0.026).abs() < 5e-4, "{difference:?}");
    // Of 8 one or none: 2 (1 + 8) / 256, less 8 / 256.
    assert!((children.mid_p().unwrap() - 10.0 / 256.0).abs() < 1e-12);
    assert_eq!(children.verdict(0.95).unwrap(), Verdict::Worse);
}

#[test]
fn a_and_b_exchanged_are_the_mirror_image() {
    let (one, other) = (paired(900, 8, 30, 62), paired(900, 30, 8, 62));
    let (ahead, behind) = (
        one.difference(0.95).unwrap(),
        other.difference(0.95).unwrap(),
    );
    assert!((ahead.lower + behind.upper).abs() < 1e-12 && ahead.value == -behind.value);
    assert_eq!(one.mid_p().unwrap(), other.mid_p().unwrap());
    assert_eq!(one.verdict(0.95).unwrap(), Verdict::Better);
    assert_eq!(other.verdict(0.95).unwrap(), Verdict::Worse);
}

/// With no image that tells them apart the score test leaves z² / (n + z²) on each side.
#[test]
fn twins_are_not_different_and_the_interval_still_has_a_width() {
    let twins = paired(96, 0, 0, 4);
    let difference = twins.difference(0.95).unwrap();
    let z = 1.959_963_984_540_054_f64;
    let width = z * z / (100.0 + z * z);
    assert!((difference.upper - width).abs() < 1e-9 && (difference.lower + width).abs() < 1e-9);
    assert_eq!(twins.mid_p().unwrap(), 1.0);
    assert_eq!(twins.verdict(0.95).unwrap(), Verdict::NoDifferenceShown);
}

#[test]
fn few_images_show_neither_a_difference_nor_that_there_is_none() {
    let few = paired(190, 2, 4, 4);
    assert_eq!(few.verdict(0.95).unwrap(), Verdict::NoDifferenceShown);
    // 2 (1 + 6 + 15) / 64, less 15 / 64.
    assert!((few.mid_p().unwrap() - 29.0 / 64.0).abs() < 1e-12);
    // At worst 1.83 % worse.
    assert!(!few.is_not_worse(0.018, 0.95).unwrap());
    assert!(few.is_not_worse(0.019, 0.95).unwrap());
    // Fifty times as many in the same proportions.
    assert!(
        paired(9_500, 100, 200, 200)
            .is_not_worse(0.001, 0.95)
            .unwrap()
    );
}

#[test]
fn what_is_worse_beyond_the_margin_is_never_called_not_worse() {
    assert!(!paired(900, 80, 10, 10).is_not_worse(0.05, 0.95).unwrap());
    assert!(!paired(0, 5, 0, 0).is_not_worse(0.5, 0.95).unwrap());
}

#[test]
fn without_images_or_with_a_margin_of_none_there_is_no_answer() {
    let none = Paired::default();
    assert_eq!(none.difference(0.95), Err(Error::Empty));
    assert_eq!(none.mid_p(), Err(Error::Empty));
    for margin in [0.0, 1.0, f64::NAN] {
        assert!(matches!(
            paired(9, 0, 0, 1).is_not_worse(margin, 0.95),
            Err(Error::Parameter { key: "margin", .. })
        ));
    }
    assert!(paired(9, 0, 0, 1).difference(1.0).is_err());
}
