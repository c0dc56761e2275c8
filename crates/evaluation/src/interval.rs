//! How far a measured share can be from the true one.

use crate::Error;
use serde::{Deserialize, Serialize};

/// A measured share with its confidence interval, all fractions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The measured share.
    pub value: f64,
    /// Lower end of the interval.
    pub lower: f64,
    /// Upper end of the interval.
    pub upper: f64,
}

/// Wilson's score interval for `successes` in `n` trials (Wilson 1927, *Journal of the American
/// Statistical Association* 22, without continuity correction). `level` is the two-sided coverage,
/// for instance 0.95.
///
/// ```
/// let accuracy = evaluation::interval::wilson(9_950, 10_000, 0.95)?;
/// assert_eq!(format!("{:.4} to {:.4}", accuracy.lower, accuracy.upper), "0.9934 to 0.9962");
/// # Ok::<(), evaluation::Error>(())
/// ```
///
/// # Errors
/// If `n` is 0, there are more successes than trials, or `level` is not between 0 and 1.
pub fn wilson(successes: u64, n: u64, level: f64) -> Result<Estimate, Error> {
    check(successes, n, level)?;
    Ok(wilson_of(successes, n, normal_quantile_two_sided(level)))
}

/// The exact interval of Clopper and Pearson for `successes` in `n` trials (Clopper & Pearson 1934,
/// *Biometrika* 26). `level` is the two-sided coverage: each end is missed with probability at most
/// `(1 - level) / 2`.
///
/// # Errors
/// If `n` is 0, there are more successes than trials, or `level` is not between 0 and 1.
pub fn clopper_pearson(successes: u64, n: u64, level: f64) -> Result<Estimate, Error> {
    check(successes, n, level)?;
    let tail = (1.0 - level) / 2.0;
    Ok(Estimate {
        value: successes as f64 / n as f64,
        lower: 1.0 - upper_bound(n - successes, n, tail),
        upper: upper_bound(successes, n, tail),
    })
}

/// The exact one-sided upper bound of Clopper and Pearson: the largest rate at which `successes` or
/// fewer in `n` trials still happen with probability `1 - level`. The true rate is above it with
/// probability at most `1 - level`.
///
/// ```
/// let bound = evaluation::interval::clopper_pearson_upper(0, 2_995, 0.95)?;
/// assert!(bound <= 0.001);
/// # Ok::<(), evaluation::Error>(())
/// ```
///
/// # Errors
/// If `n` is 0, there are more successes than trials, or `level` is not between 0 and 1.
pub fn clopper_pearson_upper(successes: u64, n: u64, level: f64) -> Result<f64, Error> {
    check(successes, n, level)?;
    Ok(upper_bound(successes, n, 1.0 - level))
}

/// Wilson's interval at 95 % for counts that are known to be valid.
pub(crate) fn wilson_95(successes: u64, n: u64) -> Estimate {
    wilson_of(successes, n, 1.959_963_984_540_054)
}

/// Probability of at most `k` successes in `n` trials at rate `p`, for `k <= n` and `p` from 0 to
/// 1.
///
/// The terms are summed from the one next to `k` outwards, on the side where they fall; they shrink
/// geometrically there, so a few times the standard deviation of them suffice.
pub(crate) fn binomial_cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n || p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    if k as f64 <= n as f64 * p {
        binomial_tail(k, n, p)
    } else {
        1.0 - binomial_tail(n - k - 1, n, 1.0 - p)
    }
}

/// Sum of the binomial probabilities of `k`, `k - 1`, … 0, for `k` not above the mean.
fn binomial_tail(k: u64, n: u64, p: f64) -> f64 {
    let (count, trials) = (k as f64, n as f64);
    let log_choose =
        libm::lgamma(trials + 1.0) - libm::lgamma(count + 1.0) - libm::lgamma(trials - count + 1.0);
    let first = libm::exp(log_choose + count * libm::log(p) + (trials - count) * libm::log1p(-p));
    let odds = (1.0 - p) / p;
    let (mut term, mut sum) = (1.0, 1.0);
    for i in (1..=k).rev() {
        term *= i as f64 / (trials - i as f64 + 1.0) * odds;
        sum += term;
        if term < sum * 1e-18 {
            break;
        }
    }
    first * sum
}

/// The rate at which `k` or fewer successes have probability `tail`, by bisection: the probability
/// falls with the rate.
fn upper_bound(k: u64, n: u64, tail: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    if k == 0 {
        return -libm::expm1(libm::log(tail) / n as f64);
    }
    let (mut low, mut high) = (k as f64 / n as f64, 1.0);
    while high - low > 1e-15 * high {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if binomial_cdf(k, n, middle) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

fn wilson_of(successes: u64, n: u64, z: f64) -> Estimate {
    let (n, share) = (n as f64, successes as f64 / n as f64);
    let z2 = z * z;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    Estimate {
        value: share,
        lower: if share == 0.0 {
            0.0
        } else {
            (centre - half).max(0.0)
        },
        upper: if share == 1.0 {
            1.0
        } else {
            (centre + half).min(1.0)
        },
    }
}

/// The `z` for which a standard normal value lies within ±z with probability `level`.
pub(crate) fn normal_quantile_two_sided(level: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if libm::erfc(middle / std::f64::consts::SQRT_2) > 1.0 - level {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

fn check(successes: u64, n: u64, level: f64) -> Result<(), Error> {
    Error::check(n > 0, "n", n as f64, "at least 1")?;
    Error::check(
        successes <= n,
        "successes",
        successes as f64,
        "at most the number of trials",
    )?;
    Error::check_open_unit("level", level)
}
