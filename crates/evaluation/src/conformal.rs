//! Sets of classes that hold the true one with a stated probability, whatever the classifier (split
//! conformal prediction; Vovk, Gammerman & Shafer 2005).
//!
//! Each class of an image gets a score, low where it fits. The cutoff is the `⌈(n + 1) level⌉`-th
//! smallest score of the labels of `n` validation images, and a set holds the classes whose score
//! is not above it. For images drawn like those of the validation split the set then holds the
//! label with probability at least `level`.
//!
//! With fewer images than the level needs, the rank is beyond `n`: the only honest set is that of
//! all classes, the cutoff is 1 and [`Conformal::is_attainable`] is false.

use crate::interval::{Estimate, wilson_95};
use crate::random::SplitMix64;
use crate::{Error, Predictions};
use serde::{Deserialize, Serialize};

/// How a class is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Least ambiguous set-valued classifier: the score is `1 - p` (Sadinle, Lei & Wasserman 2019,
    /// "Least Ambiguous Set-Valued Classifiers With Bounded Error Levels"). The smallest sets on
    /// average. A set is empty where no class is as likely as true labels usually are; a classifier
    /// that is right more often than the level asks for must leave sets empty to be exact.
    Lac,
    /// Adaptive prediction sets without randomization: the score is the probability of all classes
    /// that are likelier (Romano, Sesia & Candès 2020, "Classification with Valid and Adaptive
    /// Coverage", section 2, with the smallest set that reaches the mass). Never empty, for the
    /// likeliest class scores 0; the coverage is therefore at least the accuracy.
    Aps,
    /// Adaptive prediction sets with randomization: a uniform share of the probability of the class
    /// itself is added (Romano et al. 2020, eq. 7). Exact coverage; the set may be empty. The share
    /// depends on the seed and the number of the row only.
    RandomizedAps {
        /// Seed of the uniform shares.
        seed: u64,
    },
}

impl Method {
    /// The name for people, such as `randomized APS`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lac => "LAC",
            Self::Aps => "APS",
            Self::RandomizedAps { .. } => "randomized APS",
        }
    }

    /// The score of each class of the image in row number `row`, shapes `[classes]` to `[classes]`.
    pub fn scores(self, probabilities: &[f64], row: usize) -> Vec<f64> {
        match self {
            Self::Lac => probabilities.iter().map(|p| 1.0 - p).collect(),
            Self::Aps => aps_scores(probabilities, 0.0),
            Self::RandomizedAps { seed } => {
                aps_scores(probabilities, SplitMix64::at(seed, row).uniform())
            }
        }
    }
}

/// Adaptive scores: the probability of all likelier classes and the share `u` of a class's own. Of
/// equally likely classes the lower comes first. At most 1, which rounding could exceed.
pub fn aps_scores(probabilities: &[f64], u: f64) -> Vec<f64> {
    let mut scores = vec![0.0; probabilities.len()];
    let mut above = 0.0;
    for class in by_probability(probabilities) {
        scores[class] = f64::min(above + u * probabilities[class], 1.0);
        above += probabilities[class];
    }
    scores
}

/// The rank `⌈(n + 1) level⌉` of the score that becomes the cutoff. A product within 1e-9 above an
/// integer is taken for that integer, since levels such as 0.99 have no exact binary form.
pub fn rank(n: usize, level: f64) -> usize {
    ((n as f64 + 1.0) * level - 1e-9).ceil().max(1.0) as usize
}

/// A fitted rule that turns probabilities into a set of classes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conformal {
    /// How a class is scored.
    pub method: Method,
    /// Probability that the set holds the true class, a fraction.
    pub level: f64,
    /// Greatest score of a class in the set, from 0 to 1.
    pub cutoff: f64,
    /// Number of validation images behind the cutoff.
    pub n: u64,
}

impl Conformal {
    /// Fits the cutoff on `validation`.
    ///
    /// # Errors
    /// If `level` is not between 0 and 1.
    pub fn fit(validation: &Predictions, method: Method, level: f64) -> Result<Self, Error> {
        Error::check_open_unit("conformal.level", level)?;
        let mut scores: Vec<f64> = validation
            .rows()
            .zip(validation.labels())
            .enumerate()
            .map(|(row, (probabilities, label))| {
                method.scores(probabilities, row)[usize::from(*label)]
            })
            .collect();
        let cutoff = cutoff(&mut scores, level);
        Ok(Self {
            method,
            level,
            cutoff,
            n: validation.len() as u64,
        })
    }

    /// Whether there were enough validation images for the level. If not, each set holds all
    /// classes.
    pub fn is_attainable(&self) -> bool {
        rank(self.n as usize, self.level) as u64 <= self.n
    }

    /// The set of the image in row number `row` (it matters for randomized methods only), from its
    /// probabilities of shape `[classes]`. Rows count on from those of the validation images, so
    /// that no two share a random number.
    pub fn set(&self, probabilities: &[f64], row: usize) -> PredictionSet {
        let scores = self.scores(probabilities, row);
        let order = by_probability(probabilities);
        let classes = order.iter().filter(|class| scores[**class] <= self.cutoff);
        PredictionSet {
            method: self.method,
            level: self.level,
            classes: classes.map(|class| *class as u16).collect(),
            top: order.first().map_or(0, |class| *class as u16),
        }
    }

    /// How the sets fare on `predictions`.
    pub fn report(&self, predictions: &Predictions) -> ConformalReport {
        let mut hits = vec![0_u64; predictions.classes()];
        let mut support = vec![0_u64; predictions.classes()];
        let (mut size, mut empty, mut single) = (0, 0, 0);
        for (row, (probabilities, label)) in
            predictions.rows().zip(predictions.labels()).enumerate()
        {
            let scores = self.scores(probabilities, row);
            let members = scores.iter().filter(|score| **score <= self.cutoff).count();
            support[usize::from(*label)] += 1;
            hits[usize::from(*label)] += u64::from(scores[usize::from(*label)] <= self.cutoff);
            size += members;
            empty += usize::from(members == 0);
            single += usize::from(members == 1);
        }
        let n = predictions.len() as f64;
        ConformalReport {
            method: self.method,
            level: self.level,
            attainable: self.is_attainable(),
            coverage: wilson_95(hits.iter().sum(), predictions.len() as u64),
            class_coverage: hits
                .iter()
                .zip(&support)
                .map(|(hits, support)| (*support > 0).then(|| *hits as f64 / *support as f64))
                .collect(),
            mean_size: size as f64 / n,
            empty: empty as f64 / n,
            single: single as f64 / n,
        }
    }

    fn scores(&self, probabilities: &[f64], row: usize) -> Vec<f64> {
        self.method
            .scores(probabilities, row.wrapping_add(self.n as usize))
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        Error::check_open_unit("conformal.level", self.level)?;
        Error::check_unit("conformal.cutoff", self.cutoff)
    }
}

/// The classes that can't be excluded for one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionSet {
    /// How the classes were scored.
    pub method: Method,
    /// Probability that such a set holds the true class, a fraction.
    pub level: f64,
    /// The classes, likeliest first. It may be empty: then no class is as likely as true ones
    /// usually are.
    pub classes: Vec<u16>,
    /// The likeliest class, whether it is in the set or not.
    pub top: u16,
}

impl PredictionSet {
    /// Whether no class fits.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// Whether the set holds `class`.
    pub fn contains(&self, class: u16) -> bool {
        self.classes.contains(&class)
    }

    /// The classes, or the likeliest one if no class fits. The coverage of these sets is at least
    /// the level, but no longer close to it.
    pub fn or_top(&self) -> &[u16] {
        if self.is_empty() {
            std::slice::from_ref(&self.top)
        } else {
            &self.classes
        }
    }
}

/// How the sets of a [`Conformal`] rule fare on labelled images; shares are fractions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConformalReport {
    /// How the classes were scored.
    pub method: Method,
    /// The level asked for.
    pub level: f64,
    /// Whether there were enough validation images for the level; if not, each set holds all
    /// classes.
    pub attainable: bool,
    /// Share of the sets that hold the label, with Wilson's 95 % interval.
    pub coverage: Estimate,
    /// The same for the images of each class, shape `[classes]`; none where a class has no images.
    pub class_coverage: Vec<Option<f64>>,
    /// Mean number of classes in a set.
    pub mean_size: f64,
    /// Share of empty sets.
    pub empty: f64,
    /// Share of sets of one class.
    pub single: f64,
}

/// The score of the [`rank`], or 1 if the rank is beyond the scores.
pub(crate) fn cutoff(scores: &mut [f64], level: f64) -> f64 {
    let rank = rank(scores.len(), level);
    if rank > scores.len() {
        return 1.0;
    }
    *scores.select_nth_unstable_by(rank - 1, f64::total_cmp).1
}

/// The classes by falling probability, equally likely ones by number.
fn by_probability(probabilities: &[f64]) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..probabilities.len()).collect();
    classes.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));
    classes
}
