//! What the classifier says of a picture.

use std::{
    fmt::{self, Display, Formatter},
    path::Path,
};

use model::{Classification, Decision, PIXELS, ReviewReason};
use pictures::{FrameError, Framing, Region};
use serde_json::{Value, json};

use crate::{files, table};

/// The reason in a table for a file that is no picture that can be read.
pub const UNREADABLE: &str = "unreadable";

/// A picture and what was found in it.
pub struct Answer<'a> {
    /// Its path as given.
    pub file: &'a Path,
    pub finding: Finding,
}

/// What was found in a picture.
pub enum Finding {
    /// One digit, as the network sees it and as it was classified.
    Digit {
        pixels: Box<[u8; PIXELS]>,
        region: Region,
        class: Classification,
    },
    /// No digit that the network could look at.
    Undecided(Cause),
    Unreadable(FrameError),
}

/// Why there is no digit to look at.
pub enum Cause {
    /// A circle around it, a line under it or through it.
    Marked,
    Nothing,
    Several(usize),
    OrientationUnclear,
}

impl Cause {
    /// As one word.
    fn reason(&self) -> &'static str {
        match self {
            Cause::Marked => "mark",
            Cause::Nothing => "no_digit",
            Cause::Several(_) => "several_digits",
            Cause::OrientationUnclear => "orientation_unclear",
        }
    }
}

impl Display for Cause {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Marked => write!(f, "a mark around, under or through the digit"),
            Cause::Nothing => write!(f, "no digit found"),
            Cause::Several(count) => write!(f, "more than one digit ({count} found)"),
            Cause::OrientationUnclear => write!(
                f,
                "unclear which way is up: programs disagree on this file's note of it"
            ),
        }
    }
}

impl<'a> Answer<'a> {
    /// The answer for a framed picture; a digit takes the next classification.
    pub fn new(
        file: &'a Path,
        framing: Result<Framing, FrameError>,
        classified: &mut impl Iterator<Item = Classification>,
    ) -> Self {
        let finding = match framing {
            Ok(Framing::Digit(framed)) => match classified.next() {
                Some(class) => Finding::Digit {
                    pixels: Box::new(framed.pixels),
                    region: framed.region,
                    class,
                },
                None => Finding::Undecided(Cause::Nothing),
            },
            Ok(Framing::Marked(_)) => Finding::Undecided(Cause::Marked),
            Ok(Framing::Nothing) => Finding::Undecided(Cause::Nothing),
            Ok(Framing::Several(regions)) => Finding::Undecided(Cause::Several(regions.len())),
            Ok(Framing::OrientationUnclear) => Finding::Undecided(Cause::OrientationUnclear),
            Err(error) => Finding::Unreadable(error),
        };
        Answer { file, finding }
    }

    /// Whether the digit may be kept without a person.
    pub fn accepted(&self) -> bool {
        self.class()
            .is_some_and(|class| class.decision == Decision::Accept)
    }

    /// What the network saw.
    pub fn pixels(&self) -> Option<&[u8; PIXELS]> {
        match &self.finding {
            Finding::Digit { pixels, .. } => Some(pixels),
            _ => None,
        }
    }

    /// Why a person has to look, as one word; none if the digit is accepted.
    pub fn reason(&self) -> Option<&'static str> {
        match &self.finding {
            Finding::Digit { class, .. } => reason(class),
            Finding::Undecided(cause) => Some(cause.reason()),
            Finding::Unreadable(_) => Some(UNREADABLE),
        }
    }

    /// File, digit, confidence, runner-up, accepted, reason; what there is none of is empty.
    pub fn row(&self) -> [String; 6] {
        let [digit, confidence, runner_up] = self.class().map(guess).unwrap_or_default();
        [
            table::text(&files::name(self.file)),
            digit,
            confidence,
            runner_up,
            self.accepted().to_string(),
            self.reason().unwrap_or_default().to_owned(),
        ]
    }

    /// As `digits predict --help` describes it.
    pub fn json(&self) -> Value {
        let file = files::name(self.file);
        if let Finding::Unreadable(error) = &self.finding {
            return json!({ "file": file, "error": error.to_string() });
        }
        let class = self.class();
        let region = match &self.finding {
            Finding::Digit { region, .. } => Some(json!({
                "left": region.left, "top": region.top, "width": region.width, "height": region.height,
            })),
            _ => None,
        };
        json!({
            "file": file,
            "digit": class.map(|class| class.digit),
            "confidence": class.map(|class| class.confidence),
            "probabilities": class.map(|class| &class.probabilities),
            "runner_up": class.map(|class| ranked(class)[1]),
            "accepted": self.accepted(),
            "reason": self.reason(),
            "region": region,
        })
    }

    fn class(&self) -> Option<&Classification> {
        match &self.finding {
            Finding::Digit { class, .. } => Some(class),
            _ => None,
        }
    }
}

impl Display for Answer<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", pictures::shown(self.file))?;
        match &self.finding {
            Finding::Digit { class, .. } => {
                let order = ranked(class);
                let percent = |class: &Classification, digit: usize| {
                    format!("{digit} {:.1} %", 100.0 * class.probabilities[digit])
                };
                write!(
                    f,
                    "{}  (then {}, {})",
                    percent(class, order[0]),
                    percent(class, order[1]),
                    percent(class, order[2])
                )?;
                match class.decision {
                    Decision::Accept => Ok(()),
                    Decision::Review {
                        reason: ReviewReason::LowConfidence,
                        ..
                    } => {
                        write!(f, "  → review: not sure enough")
                    }
                    Decision::Review {
                        reason: ReviewReason::OutOfDistribution,
                        ..
                    } => {
                        write!(f, "  → review: unlike the digits that the network knows")
                    }
                    Decision::Review {
                        reason: ReviewReason::Unreliable,
                        ..
                    } => {
                        write!(
                            f,
                            "  → review: this network's confidence is not to be relied on"
                        )
                    }
                }
            }
            Finding::Undecided(cause) => write!(f, "{cause}  → review"),
            Finding::Unreadable(error) => write!(f, "{error}"),
        }
    }
}

/// Why a person has to look at a digit, as one word.
pub fn reason(class: &Classification) -> Option<&'static str> {
    match class.decision {
        Decision::Accept => None,
        Decision::Review {
            reason: ReviewReason::LowConfidence,
            ..
        } => Some("low_confidence"),
        Decision::Review {
            reason: ReviewReason::OutOfDistribution,
            ..
        } => Some("out_of_distribution"),
        Decision::Review {
            reason: ReviewReason::Unreliable,
            ..
        } => Some("unreliable"),
    }
}

/// Digit, confidence and runner-up as they stand in a table.
pub fn guess(class: &Classification) -> [String; 3] {
    [
        class.digit.to_string(),
        class.confidence.to_string(),
        ranked(class)[1].to_string(),
    ]
}

/// The digits, the likeliest first.
fn ranked(class: &Classification) -> Vec<usize> {
    let mut order: Vec<_> = (0..class.probabilities.len()).collect();
    order.sort_by(|&a, &b| class.probabilities[b].total_cmp(&class.probabilities[a]));
    // Where two tie, the digit that was answered goes first.
    order.sort_by_key(|&digit| digit != usize::from(class.digit));
    order
}
