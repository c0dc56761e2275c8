//! Whether conformal sets keep to their level, free of the luck of one split.

use crate::conformal::cutoff;
use crate::random::SplitMix64;
use crate::{Error, Method, Predictions};
use serde::{Deserialize, Serialize};

/// Coverage over many random halvings of the same images; shares are fractions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resplit {
    /// How the classes were scored.
    pub method: Method,
    /// The level asked for.
    pub level: f64,
    /// Number of halvings.
    pub splits: u32,
    /// Mean coverage of the second halves.
    pub coverage: f64,
    /// Standard deviation of the coverage between halvings.
    pub coverage_sd: f64,
    /// Mean number of classes in a set.
    pub mean_size: f64,
    /// Mean share of empty sets.
    pub empty: f64,
}

/// Halves `predictions` at random `splits` times; each time the cutoff is fitted on the first half
/// (the larger one of an odd number) and measured on the second. The mean coverage shows whether
/// the method keeps to its level, free of the luck of one split.
///
/// # Errors
/// If `level` is not between 0 and 1, `splits` is 0, or there are fewer than 2 images.
pub fn resplit(
    predictions: &Predictions,
    method: Method,
    level: f64,
    splits: u32,
    seed: u64,
) -> Result<Resplit, Error> {
    Error::check_open_unit("level", level)?;
    Error::check(splits > 0, "splits", f64::from(splits), "at least 1")?;
    let n = predictions.len();
    Error::check(n > 1, "images", n as f64, "at least 2")?;

    let scores: Vec<Vec<f64>> = predictions
        .rows()
        .enumerate()
        .map(|(row, p)| method.scores(p, row))
        .collect();
    let label_score = |row: usize| scores[row][usize::from(predictions.labels()[row])];
    let mut random = SplitMix64::new(seed);
    let mut order: Vec<usize> = (0..n).collect();
    let (mut coverages, mut size, mut empty) = (Vec::new(), 0.0, 0.0);
    for _ in 0..splits {
        random.shuffle(&mut order);
        let (fitted, measured) = order.split_at(n.div_ceil(2));
        let mut fitted: Vec<f64> = fitted.iter().map(|row| label_score(*row)).collect();
        let cutoff = cutoff(&mut fitted, level);
        let count = measured.len() as f64;
        let hits = measured
            .iter()
            .filter(|row| label_score(**row) <= cutoff)
            .count();
        coverages.push(hits as f64 / count);
        for row in measured {
            let members = scores[*row]
                .iter()
                .filter(|score| **score <= cutoff)
                .count();
            size += members as f64 / count;
            empty += f64::from(members == 0) / count;
        }
    }
    let splits_f = f64::from(splits);
    let coverage = coverages.iter().sum::<f64>() / splits_f;
    let squares: f64 = coverages
        .iter()
        .map(|value| (value - coverage).powi(2))
        .sum();
    Ok(Resplit {
        method,
        level,
        splits,
        coverage,
        coverage_sd: (squares / (splits_f - 1.0).max(1.0)).sqrt(),
        mean_size: size / splits_f,
        empty: empty / splits_f,
    })
}
