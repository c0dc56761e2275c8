use std::collections::HashSet;

use data::{DataError, split};

fn labels(counts: &[usize]) -> Vec<u16> {
    counts
        .iter()
        .enumerate()
        .flat_map(|(label, &count)| std::iter::repeat_n(label as u16, count))
        .collect()
}

fn count(labels: &[u16], indices: &[u32], label: u16) -> usize {
    indices
        .iter()
        .filter(|&&index| labels[index as usize] == label)
        .count()
}

#[test]
fn every_image_is_in_exactly_one_part_and_each_label_keeps_its_proportion() {
    let labels = labels(&[5, 17, 100, 1, 0, 33, 250, 4, 9, 81]);
    for validation in [0, 1, 7, 50, 250, 499] {
        let parts = split(&labels, validation, 3).unwrap();
        assert_eq!(parts.validation.len(), validation);
        let all: HashSet<u32> = parts
            .train
            .iter()
            .chain(&parts.validation)
            .copied()
            .collect();
        assert_eq!(all.len(), labels.len());
        assert_eq!(parts.train.len() + validation, labels.len());
        for label in 0..10 {
            let total = labels.iter().filter(|&&other| other == label).count();
            let exact = total as f64 * validation as f64 / labels.len() as f64;
            let share = count(&labels, &parts.validation, label) as f64;
            assert!((share - exact).abs() < 1.0, "{label}: {share} for {exact}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_split_and_another_seed_another() {
    let labels = labels(&[50; 10]);
    assert_eq!(
        split(&labels, 100, 1).unwrap(),
        split(&labels, 100, 1).unwrap()
    );
    assert_ne!(
        split(&labels, 100, 1).unwrap(),
        split(&labels, 100, 2).unwrap()
    );
}

#[test]
fn a_split_that_leaves_nothing_to_train_on_is_an_error() {
    let labels = labels(&[1; 10]);
    for validation in [10, 11, usize::MAX] {
        let error = split(&labels, validation, 0).unwrap_err();
        assert!(
            matches!(error, DataError::Split { total: 10, .. }),
            "{error}"
        );
    }
    assert!(matches!(split(&[], 0, 0), Err(DataError::Split { .. })));
}

#[test]
fn a_limit_keeps_the_proportions_of_the_labels_even_if_they_are_sorted() {
    let labels = labels(&[400, 100, 100, 100, 50, 50, 50, 50, 50, 50]);
    let whole = split(&labels, 100, 3).unwrap();
    let limited = |limit, seed| {
        let mut parts = whole.clone();
        parts.limit_training(&labels, limit, seed);
        assert_eq!(parts.validation, whole.validation);
        parts.train
    };
    for limit in [1, 9, 10, 90, 333, 899] {
        let train = limited(limit, 3);
        assert_eq!(train.len(), limit);
        assert!(train.is_sorted() && train.iter().all(|index| whole.train.contains(index)));
        for label in 0..10 {
            let exact = count(&labels, &whole.train, label) as f64 * limit as f64 / 900.0;
            let share = count(&labels, &train, label) as f64;
            assert!((share - exact).abs() < 1.0, "{label}: {share} for {exact}");
        }
    }
    assert_eq!(limited(90, 3), limited(90, 3));
    assert_ne!(limited(90, 3), limited(90, 4));
    for limit in [900, 901, usize::MAX] {
        assert_eq!(limited(limit, 3), whole.train);
    }
}
