//! `digits evaluate --resplits`: whether conformal sets keep to their level.

use std::fmt::Write as _;

use anyhow::ensure;
use evaluation::{Calibration, Method, Predictions, Resplit, resplit};
use rayon::prelude::*;

/// Seed of the halvings and of the shares that randomized APS draws: the same images give the same
/// figures.
const SEED: u64 = 0;

/// LAC and randomized APS at the levels of a calibration, over `splits` random halvings.
///
/// Plain APS is left out: the likeliest class is in every one of its sets, so it can't cover less
/// than the accuracy, and no halving tells whether it keeps to a level below that.
pub fn resplits(
    calibration: &Calibration,
    predictions: &Predictions,
    splits: u32,
) -> anyhow::Result<Vec<Resplit>> {
    let mut levels: Vec<f64> = calibration
        .conformal
        .iter()
        .map(|rule| rule.level)
        .collect();
    levels.dedup();
    ensure!(
        !levels.is_empty(),
        "this checkpoint has no conformal levels, so --resplits has nothing to show; name the model/ folder of a finished run"
    );
    let methods = [Method::Lac, Method::RandomizedAps { seed: SEED }];
    let rules: Vec<(f64, Method)> = levels
        .into_iter()
        .flat_map(|level| methods.map(|method| (level, method)))
        .collect();
    let found: Result<Vec<_>, _> = rules
        .into_par_iter()
        .map(|(level, method)| resplit(predictions, method, level, splits, SEED))
        .collect();
    Ok(found?)
}

/// As text for a terminal.
pub fn text(found: &[Resplit]) -> String {
    let splits = found.first().map_or(0, |found| found.splits);
    let mut text = format!(
        "\nthe same fitted on one random half of the images and measured on the other, mean of {splits}\n                       level   hold the label       sd   classes    empty\n"
    );
    for found in found {
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "{:<20}{:>6.2} %{:>15.3} %{:>7.3} %{:>10.4}{:>7.2} %",
            found.method.name(),
            100.0 * found.level,
            100.0 * found.coverage,
            100.0 * found.coverage_sd,
            found.mean_size,
            100.0 * found.empty,
        );
    }
    text
}
