//! What the answers of a person say, in words.

use evaluation::review::{AnswersReport, ReviewReport};
use serde::Serialize;

/// What the answers say.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// For the test set, whose labels are known: machine and person together.
    Test(ReviewReport),
    /// For pictures of one's own: how often the machine's guess was right, by the person.
    Pictures(AnswersReport),
}

impl Outcome {
    /// As text for a terminal.
    pub fn text(&self) -> String {
        match self {
            Outcome::Test(report) => {
                let together = report
                    .accuracy
                    .map_or("none handled yet".to_owned(), |accuracy| {
                        format!(
                            "{:.2} % right of the {} handled (95 % interval {:.2} to {:.2} %)",
                            100.0 * accuracy.value,
                            report.accepted + report.answered,
                            100.0 * accuracy.lower,
                            100.0 * accuracy.upper,
                        )
                    });
                format!(
                    "machine and person: {together}\n  accepted by the machine: {}, {} of them wrong\n  answered by the person: {}, {} of them wrong; the machine alone would have had {} of them wrong\n  still to answer: {}\nmachine alone: {:.2} % right of all {}\n",
                    report.accepted,
                    report.machine_errors,
                    report.answered,
                    report.person_errors,
                    report.machine_errors_on_answered,
                    report.pending,
                    100.0 * report.machine_accuracy.value,
                    report.n,
                )
            }
            Outcome::Pictures(report) => {
                let right = report.accuracy.map_or(String::new(), |share| {
                    format!(
                        " ({:.1} %; 95 % interval {:.1} to {:.1} %)",
                        100.0 * share.value,
                        100.0 * share.lower,
                        100.0 * share.upper
                    )
                });
                format!(
                    "{} pictures went to a person: {} answered, {} still to answer\n  the machine's guess was right for {} of the {} for which it had one and the person a class{right}\n  {} show none of the classes, or several, by the person\n",
                    report.deferred,
                    report.answered,
                    report.pending,
                    report.agreed,
                    report.guessed,
                    report.no_class,
                )
            }
        }
    }
}
