//! What a classifier says of a picture: one object for programs, one line for people. Whoever takes pictures,
//! from files or over a network, answers by this.

#![forbid(unsafe_code)]

use std::{
    fmt::{self, Display, Formatter},
    path::Path,
};

use model::{Answer as Class, Classification, Classifier, Decision, PictureInput, ReviewReason};
use pictures::{Budget, FrameError, Framing, Region};
use serde_json::{Value, json};

/// The reason in a table for a file that is no picture that can be read.
pub const UNREADABLE: &str = "unreadable";

/// The reason for an image of which the network isn't sure enough.
pub const LOW_CONFIDENCE: &str = "low_confidence";

/// The reason for an image that is unlike those that the network knows.
pub const OUT_OF_DISTRIBUTION: &str = "out_of_distribution";

/// A picture and what was found in it.
pub struct Answer<'a> {
    /// Its path as given.
    pub file: &'a Path,
    /// What was found in it.
    pub finding: Finding,
}

/// What was found in a picture.
pub enum Finding {
    /// What the network sees, where in the picture that is if it is a part of it, and what it makes of it.
    Classified {
        /// `[channels, height, width]`
        pixels: Vec<u8>,
        /// In pixels of the picture.
        region: Option<Region>,
        /// What the classifier makes of it.
        class: Class,
    },
    /// Nothing that the network could look at.
    Undecided(Cause),
    /// No picture that can be read.
    Unreadable(FrameError),
}

/// What of a picture is there to classify.
pub enum Input {
    /// `[channels, height, width]`, and where in the picture it is.
    Image(Vec<u8>, Option<Region>),
    /// Nothing.
    Undecided(Cause),
}

impl Input {
    /// What there is to classify in the bytes of a picture, which errors call `name`; threads that read
    /// pictures at the same time share a budget for their memory.
    ///
    /// # Errors
    /// If it can't be read as a picture.
    pub fn read(
        bytes: &[u8],
        name: &str,
        classifier: &Classifier,
        budget: &Budget,
    ) -> Result<Self, FrameError> {
        match classifier.manifest().picture {
            PictureInput::Framed => pictures::decode_within(bytes, name, budget).map(Input::from),
            PictureInput::Whole => {
                let shape = classifier.shape();
                let sides = [shape.channels, shape.height, shape.width];
                let whole = pictures::decode_whole(bytes, name, sides, budget)?;
                Ok(Input::Image(whole, None))
            }
        }
    }
}

impl From<Framing> for Input {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::Digit(framed) => Input::Image(framed.pixels.to_vec(), Some(framed.region)),
            Framing::Marked(_) => Input::Undecided(Cause::Marked),
            Framing::Nothing => Input::Undecided(Cause::Nothing),
            Framing::Several(regions) => Input::Undecided(Cause::Several(regions.len())),
            Framing::OrientationUnclear => Input::Undecided(Cause::OrientationUnclear),
        }
    }
}

/// Why there is nothing to classify.
pub enum Cause {
    /// A circle around it, a line under it or through it.
    Marked,
    /// No digit.
    Nothing,
    /// So many.
    Several(usize),
    /// Programs disagree on what the file says of it.
    OrientationUnclear,
}

impl Cause {
    /// As one word.
    pub fn reason(&self) -> &'static str {
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
    /// The answer for a picture; what is there to classify takes the next classification.
    pub fn new(
        file: &'a Path,
        input: Result<Input, FrameError>,
        classified: &mut impl Iterator<Item = Class>,
    ) -> Self {
        let finding = match input {
            Ok(Input::Image(pixels, region)) => match classified.next() {
                Some(class) => Finding::Classified {
                    pixels,
                    region,
                    class,
                },
                None => Finding::Undecided(Cause::Nothing),
            },
            Ok(Input::Undecided(cause)) => Finding::Undecided(cause),
            Err(error) => Finding::Unreadable(error),
        };
        Answer { file, finding }
    }

    /// Whether the class may be kept without a person.
    pub fn accepted(&self) -> bool {
        self.class()
            .is_some_and(|class| class.decision == Decision::Accept)
    }

    /// What the network saw.
    pub fn pixels(&self) -> Option<&[u8]> {
        match &self.finding {
            Finding::Classified { pixels, .. } => Some(pixels),
            _ => None,
        }
    }

    /// Why a person has to look, as one word; none if the class is accepted.
    pub fn reason(&self) -> Option<&'static str> {
        match &self.finding {
            Finding::Classified { class, .. } => reason(class),
            Finding::Undecided(cause) => Some(cause.reason()),
            Finding::Unreadable(_) => Some(UNREADABLE),
        }
    }

    /// As `digits predict --help` describes it.
    pub fn json(&self, names: &[String]) -> Value {
        let file = name(self.file);
        if let Finding::Unreadable(error) = &self.finding {
            return json!({ "file": file, "error": error.to_string() });
        }
        let class = self.class();
        let region = match &self.finding {
            Finding::Classified {
                region: Some(region),
                ..
            } => Some(json!({
                "left": region.left, "top": region.top, "width": region.width, "height": region.height,
            })),
            _ => None,
        };
        json!({
            "file": file,
            "digit": class.map(|class| class.class),
            "class": class.map(|class| &*class.name),
            "confidence": class.map(|class| class.confidence),
            "probabilities": class.map(|class| &class.probabilities),
            "runner_up": class.map(|class| class.runner_up()),
            "runner_up_class": class.and_then(|class| names.get(usize::from(class.runner_up()))),
            "accepted": self.accepted(),
            "reason": self.reason(),
            "region": region,
        })
    }

    /// What the classifier makes of it.
    pub fn class(&self) -> Option<&Class> {
        match &self.finding {
            Finding::Classified { class, .. } => Some(class),
            _ => None,
        }
    }
}

impl Answer<'_> {
    /// A line for people.
    pub fn line(&self, names: &[String]) -> String {
        let file = pictures::shown(self.file);
        match &self.finding {
            Finding::Classified { class, .. } => {
                let shares: Vec<String> = ranked(class)
                    .into_iter()
                    .take(3)
                    .map(|index| {
                        let name = names.get(index).map_or("", String::as_str);
                        format!("{name} {:.1} %", 100.0 * class.probabilities[index])
                    })
                    .collect();
                let others = shares[1..].join(", ");
                let verdict = match class.decision {
                    Decision::Accept => "",
                    Decision::Review { reason, .. } => match reason {
                        ReviewReason::LowConfidence => "  → review: not sure enough",
                        ReviewReason::OutOfDistribution => {
                            "  → review: unlike the images that the network knows"
                        }
                        ReviewReason::Unreliable => {
                            "  → review: this network's confidence is not to be relied on"
                        }
                    },
                };
                format!("{file}: {}  (then {others}){verdict}", shares[0])
            }
            Finding::Undecided(cause) => format!("{file}: {cause}  → review"),
            Finding::Unreadable(error) => format!("{file}: {error}"),
        }
    }
}

/// Why a person has to look, as one word.
pub fn reason(class: &Classification) -> Option<&'static str> {
    match class.decision {
        Decision::Accept => None,
        Decision::Review {
            reason: ReviewReason::LowConfidence,
            ..
        } => Some(LOW_CONFIDENCE),
        Decision::Review {
            reason: ReviewReason::OutOfDistribution,
            ..
        } => Some(OUT_OF_DISTRIBUTION),
        Decision::Review {
            reason: ReviewReason::Unreliable,
            ..
        } => Some("unreliable"),
    }
}

/// The path as results name it: bytes that are no UTF-8 stand as escapes, so that two names are never
/// written alike.
pub fn name(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let mut name = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        name.push_str(chunk.valid());
        for byte in chunk.invalid() {
            name.push_str(&format!("\\x{byte:02X}"));
        }
    }
    name
}

/// The classes, the likeliest first.
fn ranked(class: &Classification) -> Vec<usize> {
    let mut order: Vec<_> = (0..class.probabilities.len()).collect();
    order.sort_by(|&a, &b| class.probabilities[b].total_cmp(&class.probabilities[a]));
    // Where two tie, the class that was answered goes first.
    order.sort_by_key(|&index| index != usize::from(class.class));
    order
}
