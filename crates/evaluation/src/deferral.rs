//! Which images the machine may keep: a confidence threshold with a guarantee on the errors among
//! the accepted.

use crate::interval::clopper_pearson_upper;
use crate::selective::{Tie, group_ties};
use crate::{Error, Predictions, RiskTarget};
use serde::{Deserialize, Serialize};

/// A confidence threshold, and what it did on the validation images.
///
/// # The guarantee
/// Over the draw of the validation images, the probability that a threshold is certified although
/// the true error rate among the images it accepts is above the target is at most `1 -
/// confidence_level`.
///
/// A bound that holds for one threshold doesn't hold for the best of thousands. Therefore the
/// thresholds are tested in a fixed order and the search ends at the first failure, so that no
/// level needs to be divided among them (fixed-sequence testing, section 4 of Angelopoulos et al.
/// 2021, "Learn then Test"; the bound and the aim are those of Geifman & El-Yaniv 2017, "Selective
/// Classification for Deep Neural Networks", whose binary search pays with a level divided by the
/// number of its steps):
///
/// 1. The order is declared before the data are seen: the sets of the `m` most confident images, from
///    [`first_tested`] up to all of them. Images of equal confidence enter together.
/// 2. A set with `k` errors passes if the Clopper–Pearson upper bound for `k` of `m` is at most the
///    target.
/// 3. The threshold is the least confidence in the last set that passed before the first that
///    failed.
///
/// *Why this holds.* Call the images above the confidence at which the true risk reaches the target
/// *safe*, and let `N` be how many validation images are safe. Given `N`, the errors among them are
/// binomial at the target rate, so their set passes with probability at most `1 -
/// confidence_level`. A threshold beyond the safe images is reached only through that set, if it is
/// among the tested ones. If it isn't, because `N` is below the smallest set, the first set tested
/// already reaches beyond them: given its least confidence, the other images in it are a sample of
/// all images above, at a risk beyond the target, and again pass with probability at most `1 -
/// confidence_level`. One image more than the bound needs is demanded of the first set, because its
/// least confident image is no part of that sample.
///
/// *What it assumes.* Validation images and later ones are drawn alike; and the true risk crosses
/// the target only once as the threshold falls, as it does for any useful confidence. A temperature
/// or an epoch chosen on the same images bends the first assumption a little, and so does a
/// [`DistanceLimit`](crate::DistanceLimit), whose means are those of the labels of the same images:
/// one that is misjudged lies a little further from its predicted class than it would have from means
/// fitted without it. The simulations in `tests/guarantees.rs` keep to the level with a temperature
/// fitted so.
///
/// # Without a certificate
/// If the first set fails, nothing is certified: `certified` is false and the threshold is that of
/// this strictest set. With fewer eligible images than [`first_tested`] asks for, it is the confidence
/// of the most confident; without any, 1. Such a threshold is used as long as the validation images
/// don't speak against it, else nothing is accepted: see [`Self::is_reliable`].
///
/// *What limits it.* Of 5,000 images the first 2,996 must be right for any certificate, and the first
/// 4,741 for one that reaches further: a single image that is misjudged with confidence, or labelled
/// wrongly, costs the certificate of all that follow. Of 10,000 images any three of the first 7,753
/// may be wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deferral {
    /// Least confidence that is accepted.
    pub threshold: f64,
    /// The error rate asked for among accepted images, a fraction.
    pub target_risk: f64,
    /// The probability asked for that the target holds.
    pub confidence_level: f64,
    /// Whether the target is guaranteed. If not, `threshold` is the strictest candidate.
    pub certified: bool,
    /// One-sided Clopper–Pearson upper bound on the error rate among the accepted, at
    /// `confidence_level`.
    pub risk_upper_bound: f64,
    /// Share of the validation images that reach the threshold.
    pub coverage: f64,
    /// Errors among the validation images that reach the threshold.
    pub errors: u64,
    /// Number of validation images that reach the threshold.
    pub accepted: u64,
    /// Number of validation images.
    pub n: u64,
}

impl Deferral {
    /// Chooses the threshold on `validation`. Images for which `eligible` (given the row) is false
    /// go to a person whatever their confidence; they count in `n` but never as accepted.
    ///
    /// # Errors
    /// If a value of `target` is out of range.
    pub fn fit(
        validation: &Predictions,
        eligible: impl Fn(usize) -> bool,
        target: &RiskTarget,
    ) -> Result<Self, Error> {
        Self::fit_above(validation, eligible, target, 0.0)
    }

    /// The same with a threshold of at least `floor`, as far as one so high was tested: every threshold
    /// before the first failure is certified, with the same certainty for all of them together, so that
    /// any may be chosen, by whatever rule. If all of them are lower it is the highest.
    ///
    /// # Errors
    /// As [`Self::fit`].
    pub fn fit_above(
        validation: &Predictions,
        eligible: impl Fn(usize) -> bool,
        target: &RiskTarget,
        floor: f64,
    ) -> Result<Self, Error> {
        target.validate()?;
        let sets = most_confident(validation, eligible);
        let n = validation.len() as u64;
        // Who is eligible depends on who is right by the means of a distance at most, and hardly so;
        // their number may decide.
        let first = first_tested(target, sets.last().map_or(0, |all| all.count));
        let start = sets.iter().position(|set| set.count >= first);
        let mut passing = sets[start.unwrap_or(sets.len())..]
            .iter()
            .take_while(|set| target.passes(set.errors, set.count));
        let highest = passing.next();
        let passing = passing
            .take_while(|set| set.confidence >= floor)
            .last()
            .or(highest);
        // With nothing eligible there is nothing to accept.
        let nothing = Tie {
            confidence: 1.0,
            count: 0,
            errors: 0,
        };
        let strictest = sets.get(start.unwrap_or(0)).unwrap_or(&nothing);
        let chosen = passing.unwrap_or(strictest);
        Ok(Self {
            threshold: chosen.confidence,
            target_risk: target.target_risk,
            confidence_level: target.confidence_level,
            certified: passing.is_some(),
            risk_upper_bound: match chosen.count {
                0 => 1.0,
                count => clopper_pearson_upper(chosen.errors, count, target.confidence_level)?,
            },
            coverage: chosen.count as f64 / n as f64,
            errors: chosen.errors,
            accepted: chosen.count,
            n,
        })
    }

    /// Whether the threshold may be used. A certified one may. Another one may as long as no more of
    /// the validation images that reach it are wrong than the target allows, and they are so many
    /// (`1 / target_risk`) that a single error would have been allowed: fewer prove nothing. Where it
    /// may not, nothing is accepted.
    pub fn is_reliable(&self) -> bool {
        let allowed = self.target_risk * self.accepted as f64;
        self.certified || (allowed >= 1.0 && self.errors as f64 <= allowed)
    }

    pub(crate) fn target(&self) -> RiskTarget {
        RiskTarget {
            target_risk: self.target_risk,
            confidence_level: self.confidence_level,
        }
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        Error::check_unit("deferral.threshold", self.threshold)?;
        Error::check_open_unit("deferral.target_risk", self.target_risk)?;
        Error::check_open_unit("deferral.confidence_level", self.confidence_level)?;
        Error::check_unit("deferral.risk_upper_bound", self.risk_upper_bound)?;
        Error::check_unit("deferral.coverage", self.coverage)?;
        let counts = self.errors <= self.accepted && self.accepted <= self.n;
        let expected = "at least `errors` and at most `n`";
        Error::check(counts, "deferral.accepted", self.accepted as f64, expected)
    }
}

/// The smallest number of accepted images that can certify `target`, which takes them all to be
/// right: one more than the least `m` with `(1 - target_risk)^m <= 1 - confidence_level`.
///
/// ```
/// use evaluation::{RiskTarget, smallest_certifiable};
/// assert_eq!(smallest_certifiable(&RiskTarget::default()), 2_996);
/// ```
pub fn smallest_certifiable(target: &RiskTarget) -> u64 {
    let images = libm::log(1.0 - target.confidence_level) / libm::log1p(-target.target_risk);
    (images.ceil() as u64).saturating_add(1)
}

/// The most errors that the first tested set may hold. More would keep small sets from being tested
/// at all, to the loss of classifiers that are good on those alone.
const MOST_FORGIVEN: u64 = 3;

/// The number of images in the first set that [`Deferral::fit`] tests, for `n` eligible validation
/// images.
///
/// A set may hold the more errors, the larger it is. Beginning with a larger one therefore forgives
/// errors that a smaller one would fail by; but then nothing smaller can be certified. The rule
/// between the two: the smallest set that passes with three errors, or with fewer if that set is more
/// than four fifths of the images, and one image more, as in [`smallest_certifiable`].
///
/// ```
/// use evaluation::{RiskTarget, first_tested};
/// let target = RiskTarget::default();
/// assert_eq!(first_tested(&target, 5_000), 2_996); // all must be right
/// assert_eq!(first_tested(&target, 10_000), 7_753); // three may be wrong
/// ```
pub fn first_tested(target: &RiskTarget, n: u64) -> u64 {
    let most = n / 5 * 4;
    (1..=MOST_FORGIVEN)
        .rev()
        .find(|&errors| target.passes(errors, most))
        .map_or(smallest_certifiable(target), |errors| {
            let (mut fails, mut passes) = (errors, most);
            while passes.saturating_sub(fails) > 1 {
                let middle = fails + (passes - fails) / 2;
                if target.passes(errors, middle) {
                    passes = middle;
                } else {
                    fails = middle;
                }
            }
            passes + 1
        })
}

/// The least confidence from which on no more than `risk` of the eligible images are wrong, without any
/// certainty about others; infinity if there is none.
pub(crate) fn least_confidence(
    predictions: &Predictions,
    eligible: impl Fn(usize) -> bool,
    risk: f64,
) -> f64 {
    let sets = most_confident(predictions, eligible);
    let keeps = |set: &&Tie| set.errors as f64 <= risk * set.count as f64;
    sets.iter()
        .rev()
        .find(keeps)
        .map_or(f64::INFINITY, |set| set.confidence)
}

/// The sets of most confident of the eligible images: each tie with all those before it.
fn most_confident(predictions: &Predictions, eligible: impl Fn(usize) -> bool) -> Vec<Tie> {
    let images = predictions
        .confidences()
        .zip(predictions.correct())
        .enumerate();
    let images = images.filter(|(row, _)| eligible(*row));
    let mut ties = group_ties(images.map(|(_, image)| image));
    let (mut count, mut errors) = (0, 0);
    for tie in &mut ties {
        count += tie.count;
        errors += tie.errors;
        (tie.count, tie.errors) = (count, errors);
    }
    ties
}
