//! Two classifiers on the same images: how far apart they are, and whether that could be chance.

use crate::Error;
use crate::interval::{Estimate, binomial_cdf, normal_quantile_two_sided};
use serde::{Deserialize, Serialize};

/// How often two classifiers, A and B, were right on the same images. Only the images on which one of
/// them alone is right tell them apart.
///
/// ```
/// use evaluation::{Paired, Verdict};
///
/// // Of 10,000 images B gets 30 right that A gets wrong, and loses 12.
/// let paired = Paired { both: 9_940, only_a: 12, only_b: 30, neither: 18 };
/// let difference = paired.difference(0.95)?;
/// assert_eq!(format!("{:.4}", difference.value), "0.0018");
/// assert!(paired.mid_p()? < 0.01);
/// assert_eq!(paired.verdict(0.95)?, Verdict::Better);
/// assert!(paired.is_not_worse(0.001, 0.95)?);
/// # Ok::<(), evaluation::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paired {
    /// Images that both get right.
    pub both: u64,
    /// Images that A alone gets right.
    pub only_a: u64,
    /// Images that B alone gets right.
    pub only_b: u64,
    /// Images that both get wrong.
    pub neither: u64,
}

/// What a comparison shows of B.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// B is right more often than A.
    Better,
    /// B is right less often than A.
    Worse,
    /// Either may be the better one.
    NoDifferenceShown,
}

impl Paired {
    /// Counts pairs of (A is right, B is right), one for each image.
    pub fn of(pairs: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut paired = Self::default();
        for pair in pairs {
            *match pair {
                (true, true) => &mut paired.both,
                (true, false) => &mut paired.only_a,
                (false, true) => &mut paired.only_b,
                (false, false) => &mut paired.neither,
            } += 1;
        }
        paired
    }

    /// Images.
    pub fn n(&self) -> u64 {
        self.both + self.only_a + self.only_b + self.neither
    }

    /// The accuracy of B less that of A, with Tango's score interval of two-sided coverage `level`
    /// (Tango 1998, "Equivalence test and confidence interval for the difference in proportions for the
    /// paired-sample design", *Statistics in Medicine* 17): the differences that a score test doesn't
    /// reject. It keeps its level where hardly any image tells the two apart, and has a width where none
    /// does.
    ///
    /// # Errors
    /// If there is no image, or `level` is not between 0 and 1.
    pub fn difference(&self, level: f64) -> Result<Estimate, Error> {
        self.check()?;
        Error::check_open_unit("level", level)?;
        let z = normal_quantile_two_sided(level);
        let value = (self.only_b as f64 - self.only_a as f64) / self.n() as f64;
        let swapped = Self {
            only_a: self.only_b,
            only_b: self.only_a,
            ..*self
        };
        Ok(Estimate {
            value,
            lower: -swapped.greatest(z, -value),
            upper: self.greatest(z, value),
        })
    }

    /// The two-sided mid-p value of McNemar's exact conditional test of equal accuracy: the probability,
    /// were both equally often right, of a division of the images that one alone gets right at least as
    /// uneven as this, of which divisions as uneven as this count half (Fagerland, Lydersen and Laake 2013,
    /// "The McNemar test for binary matched-pairs data", *BMC Medical Research Methodology* 13:91, who
    /// recommend it over the exact test, which is needlessly conservative).
    ///
    /// # Errors
    /// If there is no image.
    pub fn mid_p(&self) -> Result<f64, Error> {
        self.check()?;
        let (fewer, discordant) = (
            self.only_a.min(self.only_b),
            self.only_a.saturating_add(self.only_b),
        );
        if 2 * fewer == discordant {
            return Ok(1.0);
        }
        // Twice the tail, less the probability of its last term.
        let below = match fewer.checked_sub(1) {
            Some(below) => binomial_cdf(below, discordant, 0.5),
            None => 0.0,
        };
        Ok(binomial_cdf(fewer, discordant, 0.5) + below)
    }

    /// Whether B is shown to be better or worse: only where the test by [`mid_p`](Self::mid_p) at `1 -
    /// level` and the interval of [`difference`](Self::difference) at `level` agree.
    ///
    /// # Errors
    /// As [`difference`](Self::difference).
    pub fn verdict(&self, level: f64) -> Result<Verdict, Error> {
        let difference = self.difference(level)?;
        if self.mid_p()? > 1.0 - level {
            return Ok(Verdict::NoDifferenceShown);
        }
        Ok(match difference {
            Estimate { lower, .. } if lower > 0.0 => Verdict::Better,
            Estimate { upper, .. } if upper < 0.0 => Verdict::Worse,
            _ => Verdict::NoDifferenceShown,
        })
    }

    /// Whether B is shown to be not worse than A by `margin` (a difference of accuracy, such as 0.005) or
    /// more: the interval of [`difference`](Self::difference) at `level` lies above `-margin`. This is
    /// Tango's score test of non-inferiority at the one-sided level `(1 - level) / 2`, the convention of
    /// clinical trials. That no difference is shown doesn't imply it: few images show nothing.
    ///
    /// # Errors
    /// As [`difference`](Self::difference), and if `margin` is not between 0 and 1. It has to be chosen
    /// before the outcomes are seen.
    pub fn is_not_worse(&self, margin: f64, level: f64) -> Result<bool, Error> {
        Error::check_open_unit("margin", margin)?;
        Ok(self.difference(level)?.lower > -margin)
    }

    /// The greatest difference that the score test doesn't reject, at or above the one measured.
    fn greatest(&self, z: f64, measured: f64) -> f64 {
        let (mut low, mut high) = (measured, 1.0);
        if self.admits(high, z) {
            return high;
        }
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                break;
            }
            if self.admits(middle, z) {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }

    /// Whether the score of what was measured, were `difference` the true one, is at least `-z`.
    fn admits(&self, difference: f64, z: f64) -> bool {
        let (n, gained, lost) = (self.n() as f64, self.only_b as f64, self.only_a as f64);
        // The likeliest share of images that A alone gets right, given the difference: Tango's (7).
        let linear = (2.0 * n - gained + lost) * difference - gained - lost;
        let constant = -lost * difference * (1.0 - difference);
        let root = (linear * linear - 8.0 * n * constant).max(0.0).sqrt();
        let share = (root - linear) / (4.0 * n);
        let variance = n * (2.0 * share + difference * (1.0 - difference));
        gained - lost - n * difference >= -z * variance.max(0.0).sqrt()
    }

    fn check(&self) -> Result<(), Error> {
        match self.n() {
            0 => Err(Error::Empty),
            _ => Ok(()),
        }
    }
}
