//! Rows of scores: the greatest, softmax, and which are refused.

use crate::{Error, Temperature};

/// The logarithms of `softmax(logits / temperature)`. The largest logit is left out of the sum and
/// brought in by `log1p`, so that a probability near 1 keeps a logarithm that differs from 0.
pub(crate) fn log_softmax(
    logits: &[f64],
    temperature: Temperature,
) -> impl Iterator<Item = f64> + '_ {
    let top = usize::from(argmax(logits));
    let scaled = move |logit: f64| (logit - logits[top]) / temperature.value();
    let others: f64 = logits
        .iter()
        .enumerate()
        .filter(|(class, _)| *class != top)
        .map(|(_, logit)| libm::exp(scaled(*logit)))
        .sum();
    let log_sum = libm::log1p(others);
    logits.iter().map(move |logit| scaled(*logit) - log_sum)
}

/// The class with the largest value, the lowest of them where several tie.
pub(crate) fn argmax(row: &[f64]) -> u16 {
    let mut best = 0;
    for (class, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = class;
        }
    }
    best as u16
}

/// Refuses logits that no softmax can be trusted with.
pub(crate) fn check_logits(row: usize, logits: &[f64]) -> Result<(), Error> {
    let valid = |value: &f64| value.abs() <= f64::from(f32::MAX);
    match logits.iter().position(|value| !valid(value)) {
        Some(class) => Err(Error::Logit {
            row,
            class,
            value: logits[class],
        }),
        None => Ok(()),
    }
}
