//! What machine and person reach together.

use crate::interval::{Estimate, wilson_95};
use crate::{Classification, Decision, Error};
use serde::{Deserialize, Serialize};

/// What the machine said of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The predicted class.
    pub class: u16,
    /// Whether the machine keeps it.
    pub accepted: bool,
}

impl From<&Classification> for Verdict {
    fn from(classification: &Classification) -> Self {
        Self {
            class: classification.class,
            accepted: classification.decision == Decision::Accept,
        }
    }
}

/// What machine and person reach together; shares are fractions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReviewReport {
    /// Number of images.
    pub n: u64,
    /// Images that the machine accepted.
    pub accepted: u64,
    /// Errors among those.
    pub machine_errors: u64,
    /// Deferred images that the person answered.
    pub answered: u64,
    /// Errors among those answers.
    pub person_errors: u64,
    /// Errors that the machine alone would have made on the answered images.
    pub machine_errors_on_answered: u64,
    /// Deferred images without an answer. They count in no accuracy.
    pub pending: u64,
    /// Share of right images among the accepted and the answered, with Wilson's 95 % interval; none
    /// if there are none.
    pub accuracy: Option<Estimate>,
    /// Share of all images that the machine alone has right, with Wilson's 95 % interval.
    pub machine_accuracy: Estimate,
}

/// Takes a person's answers for the deferred images into account. `answers` holds one entry for
/// each image, none where the person wasn't asked or hasn't answered.
///
/// ```
/// use evaluation::review::{Verdict, merge_review};
///
/// let verdicts = [Verdict { class: 7, accepted: true }, Verdict { class: 0, accepted: false }];
/// let together = merge_review(10, &verdicts, &[7, 6], &[None, Some(6)])?;
/// assert_eq!((together.machine_accuracy.value, together.accuracy.unwrap().value), (0.5, 1.0));
/// # Ok::<(), evaluation::Error>(())
/// ```
///
/// # Errors
/// If there are no images, the lists differ in length, a label or an answer names no class, or
/// there is an answer for an accepted image.
pub fn merge_review(
    classes: usize,
    verdicts: &[Verdict],
    labels: &[u16],
    answers: &[Option<u16>],
) -> Result<ReviewReport, Error> {
    let n = verdicts.len();
    if n == 0 {
        return Err(Error::Empty);
    }
    for (what, found) in [("labels", labels.len()), ("answers", answers.len())] {
        if found != n {
            return Err(Error::Length {
                what,
                found,
                expected: n,
            });
        }
    }
    let (mut accepted, mut machine_errors, mut answered, mut person_errors) = (0, 0, 0, 0);
    let (mut machine_errors_on_answered, mut machine_hits) = (0, 0);
    for (row, ((verdict, label), answer)) in verdicts.iter().zip(labels).zip(answers).enumerate() {
        for class in std::iter::once(label).chain(answer) {
            if usize::from(*class) >= classes {
                return Err(Error::Label {
                    row,
                    label: *class,
                    classes,
                });
            }
        }
        let machine_wrong = u64::from(verdict.class != *label);
        machine_hits += 1 - machine_wrong;
        match (verdict.accepted, answer) {
            (true, None) => {
                accepted += 1;
                machine_errors += machine_wrong;
            }
            (true, Some(_)) => return Err(Error::UnaskedAnswer { row }),
            (false, Some(answer)) => {
                answered += 1;
                person_errors += u64::from(answer != label);
                machine_errors_on_answered += machine_wrong;
            }
            (false, None) => {}
        }
    }
    let (n, handled) = (n as u64, accepted + answered);
    let right = handled - machine_errors - person_errors;
    Ok(ReviewReport {
        n,
        accepted,
        machine_errors,
        answered,
        person_errors,
        machine_errors_on_answered,
        pending: n - handled,
        accuracy: (handled > 0).then(|| wilson_95(right, handled)),
        machine_accuracy: wilson_95(machine_hits, n),
    })
}

/// A person's answer to a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It shows this class.
    Class(u16),
    /// It shows none of the classes, or several.
    None,
}

/// A picture that went to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deferred {
    /// What the machine had guessed; none if it found nothing to classify.
    pub machine: Option<u16>,
    /// The person's answer; none while there isn't any.
    pub reply: Option<Reply>,
}

/// What a person's answers say of pictures whose labels nobody else knows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswersReport {
    /// Pictures that went to the person.
    pub deferred: u64,
    /// Those with an answer.
    pub answered: u64,
    /// Those to which the answer is a class and for which the machine had a guess.
    pub guessed: u64,
    /// Those of them whose guess is the answer.
    pub agreed: u64,
    /// The share of `agreed` in `guessed`, with Wilson's 95 % interval; none if there are none.
    pub accuracy: Option<Estimate>,
    /// Those that show none of the classes, or several, by the answer.
    #[serde(rename = "no_digit")]
    pub no_class: u64,
    /// Those without an answer.
    pub pending: u64,
}

/// Counts a person's answers to the pictures that went to them.
///
/// ```
/// use evaluation::review::{Deferred, Reply, count};
///
/// let deferred = |machine, reply| Deferred { machine, reply };
/// let report = count([
///     deferred(Some(7), Some(Reply::Class(7))),
///     deferred(Some(1), Some(Reply::Class(7))),
///     deferred(None, Some(Reply::None)),
///     deferred(None, None),
/// ]);
/// assert_eq!((report.guessed, report.agreed, report.no_class, report.pending), (2, 1, 1, 1));
/// ```
pub fn count(pictures: impl IntoIterator<Item = Deferred>) -> AnswersReport {
    let (mut deferred, mut answered, mut guessed, mut agreed, mut no_class) = (0, 0, 0, 0, 0);
    for picture in pictures {
        deferred += 1;
        answered += u64::from(picture.reply.is_some());
        match (picture.machine, picture.reply) {
            (Some(machine), Some(Reply::Class(class))) => {
                guessed += 1;
                agreed += u64::from(machine == class);
            }
            (_, Some(Reply::None)) => no_class += 1,
            _ => {}
        }
    }
    AnswersReport {
        deferred,
        answered,
        guessed,
        agreed,
        accuracy: (guessed > 0).then(|| wilson_95(agreed, guessed)),
        no_class,
        pending: deferred - answered,
    }
}
