//! What several networks say together.

use evaluation::{Calibration, Temperature, combine, energy};

fn softmax(logits: &[f64]) -> Vec<f64> {
    Temperature::ONE.apply(logits)
}

const MEMBERS: [[f64; 3]; 4] = [
    [8.0, 1.0, -3.0],
    [-2.0, 5.5, 0.25],
    [0.0, 0.0, 0.0],
    [30.0, -40.0, 29.0],
];

#[test]
fn one_member_is_returned_to_the_bit() {
    let odd = vec![0.1, -0.0, f64::NAN];
    let same = combine(std::slice::from_ref(&odd));
    let bits = |row: &[f64]| row.iter().map(|logit| logit.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&odd), bits(&same));
}

#[test]
fn probabilities_and_energy_are_the_means() {
    for count in 2..=MEMBERS.len() {
        let members: Vec<Vec<f64>> = MEMBERS[..count].iter().map(|row| row.to_vec()).collect();
        let mean =
            |of: &dyn Fn(&Vec<f64>) -> f64| members.iter().map(of).sum::<f64>() / count as f64;
        let together = combine(&members);
        for (class, probability) in softmax(&together).into_iter().enumerate() {
            let expected = mean(&|row| softmax(row)[class]);
            assert!(
                (probability - expected).abs() < 1e-12,
                "{probability} {expected}"
            );
        }
        assert!((energy(&together) - mean(&|row| energy(row))).abs() < 1e-12);
    }
}

#[test]
fn what_all_members_exclude_stays_finite() {
    let far = vec![1e4, -1e4];
    let together = combine(&[far.clone(), far]);
    assert!((together[0] - 1e4).abs() < 1e-6 && (together[1] + 1e4).abs() < 1e-6);
    let most = f64::from(f32::MAX);
    let together = combine(&[vec![most, -most], vec![-most, most]]);
    assert!(together.iter().all(|logit| logit.abs() <= most));
}

#[test]
fn a_member_beyond_the_numbers_is_not_outvoted() {
    for wild in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e39] {
        let together = combine(&[vec![3.0, 0.0], vec![1.0, wild], vec![3.0, 0.0]]);
        assert!(Calibration::unfitted(2).decide(&together[..]).is_err());
    }
}

#[test]
fn nobody_says_nothing() {
    assert!(combine(&[]).is_empty());
}
