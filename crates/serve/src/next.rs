//! What a caller should do with an answer: keep it, wait for a person, or take another picture.

use answers::{Answer, Cause, Finding};
use model::{Decision, ReviewReason};
use serde_json::{Value, json};

use crate::second::Together;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Do {
    /// The answer can be used.
    Keep,
    /// A person decides.
    Wait,
    /// Another picture would help.
    Retake,
}

/// What to do, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// What to do.
    pub what: Do,
    /// For people.
    say: &'static str,
}

impl Next {
    /// What follows from an answer, by the way in which it was judged.
    pub fn of(answer: &Answer<'_>, together: Together) -> Self {
        match together {
            Together::Disagree => {
                let say = "The two pictures don't show the same. A person will look at them.";
                return Next {
                    what: Do::Wait,
                    say,
                };
            }
            Together::Person => {
                let say =
                    "What the first picture shows is for a person to say, who will look at both.";
                return Next {
                    what: Do::Wait,
                    say,
                };
            }
            Together::Alone | Together::Agree => {}
        }
        let (what, say) = match &answer.finding {
            Finding::Unreadable(_) => (
                Do::Retake,
                "This is no picture that can be read. Send it as PNG, JPEG, WebP or BMP.",
            ),
            Finding::Undecided(Cause::Nothing) => (
                Do::Retake,
                "Nothing was found in this picture. Come closer, with more light, and with all of it in view.",
            ),
            Finding::Undecided(Cause::Several(_)) => (
                Do::Retake,
                "There is more than one thing in this picture. Take one at a time.",
            ),
            Finding::Undecided(Cause::OrientationUnclear) => (
                Do::Retake,
                "It is unclear which way up this picture is. Take it again, or save it upright.",
            ),
            Finding::Undecided(Cause::Marked) => (
                Do::Wait,
                "There is a mark around, under or through it: a person will look at what is meant.",
            ),
            Finding::Classified { class, .. } => match class.decision {
                Decision::Accept if together == Together::Agree => (
                    Do::Keep,
                    "Both pictures together are clear: this answer can be used as it is.",
                ),
                Decision::Accept => (Do::Keep, "This answer can be used as it is."),
                Decision::Review { reason, .. } => match reason {
                    ReviewReason::LowConfidence if together == Together::Agree => (
                        Do::Wait,
                        "The machine isn't sure enough of both pictures together. A person will look at them.",
                    ),
                    ReviewReason::LowConfidence => (
                        Do::Wait,
                        "The machine isn't sure enough. A person will look at it; another picture of it may settle it sooner.",
                    ),
                    ReviewReason::OutOfDistribution => (
                        Do::Wait,
                        "This is unlike what the machine has learned. A person will look at it; a clearer picture may help.",
                    ),
                    ReviewReason::Unreliable => (
                        Do::Wait,
                        "This machine's confidence can't be relied on. A person looks at everything.",
                    ),
                },
            },
        };
        Next { what, say }
    }

    /// For programs and people.
    pub fn json(self, why: Option<&str>) -> Value {
        let what = match self.what {
            Do::Keep => "keep",
            Do::Wait => "wait",
            Do::Retake => "retake",
        };
        json!({ "do": what, "why": why, "say": self.say })
    }
}
