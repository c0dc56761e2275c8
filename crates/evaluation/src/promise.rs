//! What a threshold promises, and what is left of that where labels are at hand.

use crate::{Deferral, SelectiveReport, smallest_certifiable};
use serde::{Deserialize, Serialize};

impl Deferral {
    /// What can be counted on, as a sentence for people.
    pub fn promise(&self) -> String {
        let Self {
            n,
            errors,
            accepted,
            ..
        } = *self;
        let least = smallest_certifiable(&self.target());
        let [target, level] = self.percentages();
        let surest = match self.is_reliable() {
            true => "only the surest answers are accepted",
            false => "nothing is accepted",
        };
        match (self.certified, n) {
            (true, _) => format!(
                "certified on {n} held-out images: with {level} % certainty, at most {target} % of \
                 what is accepted is wrong",
            ),
            (false, 0) => "not certified: without held-out images nothing is accepted".to_owned(),
            (false, _) if accepted == 0 => format!(
                "not certified: none of {n} held-out images may be accepted, whatever its confidence \
                 (raise in_distribution_share)",
            ),
            (false, _) if n < least => format!(
                "not certified: {n} held-out images are too few to promise {target} %, which takes \
                 {least} at least; {surest}",
            ),
            (false, _) if !self.is_reliable() => format!(
                "not certified, and nothing is accepted: {errors} of the {accepted} surest of {n} \
                 held-out images {} wrong, where {target} % may be (train a better network or raise \
                 target_risk)",
                if errors == 1 { "was" } else { "were" },
            ),
            (false, _) => format!(
                "not certified: too many of the surest of {n} held-out images were wrong to promise \
                 {target} %; the strictest threshold is used (more held-out images may forgive them)",
            ),
        }
    }

    /// What is left of the promise after images with labels were decided by it: where they contradict
    /// it, it is withdrawn.
    pub fn held_against(&self, found: &SelectiveReport) -> Promise {
        let target = self.target();
        let contradicted = self.certified && target.is_contradicted(found.errors, found.accepted);
        let [percent, level] = self.percentages();
        Promise {
            deferral: Self {
                certified: self.certified && !contradicted,
                ..self.clone()
            },
            certified_on_validation: self.certified,
            contradicted,
            statement: match contradicted {
                false => self.promise(),
                true => format!(
                    "not certified: {} of {} accepted are wrong here, which contradicts the {percent} % \
                     that {} held-out images certified (with {level} % certainty); these images are \
                     unlike those",
                    found.errors, found.accepted, self.n,
                ),
            },
        }
    }

    /// Target and level in percent, rounded to what was meant: 100 times 0.007 is 0.7.
    fn percentages(&self) -> [f32; 2] {
        [self.target_risk, self.confidence_level].map(|share| (100.0 * share) as f32)
    }
}

/// A threshold and its promise, held against labelled images by [`Deferral::held_against`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Promise {
    /// The threshold; `certified` only if validation certified it and these images don't contradict it.
    #[serde(flatten)]
    pub deferral: Deferral,
    /// Whether the validation images certified it.
    pub certified_on_validation: bool,
    /// Whether the errors among the accepted of these images contradict the certificate, by
    /// [`RiskTarget::is_contradicted`](crate::RiskTarget::is_contradicted).
    pub contradicted: bool,
    /// What can be counted on, as a sentence for people.
    pub statement: String,
}
