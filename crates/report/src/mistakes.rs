//! What of many classes is worth showing.

use evaluation::Report;

/// Most classes that are all shown, and most rows of what is shown of more.
pub const SHOWN: usize = 20;

/// One class taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// How often.
    pub times: u64,
    /// The class as labelled.
    pub label: u16,
    /// The class as answered.
    pub answer: u16,
}

/// All mistakes in a confusion matrix, the most frequent first.
pub fn mistakes(confusion: &[Vec<u64>]) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for (label, row) in (0..).zip(confusion) {
        for (answer, &times) in (0..).zip(row) {
            if answer != label && times > 0 {
                mistakes.push(Mistake {
                    times,
                    label,
                    answer,
                });
            }
        }
    }
    mistakes.sort_by_key(|mistake| (u64::MAX - mistake.times, mistake.label, mistake.answer));
    mistakes
}

/// The classes that there are images of, those of the lowest F1 first, at most [`SHOWN`].
pub fn worst_classes(report: &Report) -> Vec<u16> {
    let mut classes: Vec<u16> = (0..)
        .zip(&report.per_class)
        .filter_map(|(class, figures)| (figures.support > 0).then_some(class))
        .collect();
    let f1 = |class: &u16| report.per_class[usize::from(*class)].f1;
    classes.sort_by(|a, b| f1(a).total_cmp(&f1(b)));
    classes.truncate(SHOWN);
    classes
}
