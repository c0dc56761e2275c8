//! The result of a run: `summary.json`, and the text for people.

use data::{CLASSES, LabelledImages};
use model::Classifier;
use serde::Serialize;

/// What a run achieved. Shares are fractions, times are seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The examination on images that the network has never seen.
    pub test: TestResult,
    /// The split that epochs are chosen on.
    pub validation: ValidationResult,
    /// The training itself.
    pub train: TrainResult,
    /// The whole process.
    pub seconds: f64,
    /// Finished epochs.
    pub epochs: usize,
    /// Why training ended: `finished`, `plateau` or `time budget`.
    pub stopped: &'static str,
    /// The seed of all randomness.
    pub seed: u64,
    /// The backend that computed.
    pub backend: String,
    /// Learned parameters.
    pub parameters: usize,
}

/// Accuracy on the test images.
#[derive(Clone, Debug, Serialize)]
pub struct TestResult {
    /// Share of right images.
    pub accuracy: f64,
    /// Wrong images.
    pub errors: usize,
    /// All images.
    pub images: usize,
    /// Mean negative log-probability of the label, in nats.
    pub loss: f64,
    /// Per class: of the images that were called so, the share that is.
    pub precision: Vec<f64>,
    /// Per class: of the images that are so, the share that was called so.
    pub recall: Vec<f64>,
    /// Counts by label (row) and answer (column).
    pub confusion: Vec<Vec<usize>>,
}

/// The chosen epoch.
#[derive(Clone, Debug, Serialize)]
pub struct ValidationResult {
    /// Share of right images.
    pub accuracy: f64,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// The epoch whose weights were kept, from 1.
    pub epoch: usize,
}

/// The cost of training.
#[derive(Clone, Debug, Serialize)]
pub struct TrainResult {
    /// Images per second of training steps, loader included, validation not.
    pub images_per_second: f64,
    /// Seconds of training steps.
    pub seconds: f64,
}

impl TestResult {
    /// Classifies every image through the same call that other crates use.
    pub fn measure(classifier: &Classifier, images: &LabelledImages) -> Self {
        let (pixels, _) = images.pixels().as_chunks();
        let answers = classifier.classify_all(pixels);
        let mut confusion = vec![vec![0; CLASSES]; CLASSES];
        let mut loss = 0.0;
        for (answer, &label) in answers.iter().zip(images.labels()) {
            confusion[usize::from(label)][usize::from(answer.digit)] += 1;
            loss -= answer.probabilities[usize::from(label)].max(f64::MIN_POSITIVE).ln();
        }
        let right: usize = (0..CLASSES).map(|class| confusion[class][class]).sum();
        let share = |class: usize, total: usize| confusion[class][class] as f64 / total.max(1) as f64;
        TestResult {
            accuracy: right as f64 / images.len().max(1) as f64,
            errors: images.len() - right,
            images: images.len(),
            loss: loss / images.len().max(1) as f64,
            precision: (0..CLASSES)
                .map(|class| share(class, confusion.iter().map(|row| row[class]).sum()))
                .collect(),
            recall: (0..CLASSES)
                .map(|class| share(class, confusion[class].iter().sum()))
                .collect(),
            confusion,
        }
    }

    /// The result as a table for people.
    pub fn table(&self) -> String {
        let mut out = format!(
            "test accuracy {:.2} %: {} of {} images wrong, loss {:.4}\n\n",
            100.0 * self.accuracy,
            self.errors,
            self.images,
            self.loss,
        );
        out += "label  precision   recall   answered as   0     1     2     3     4     5     6     7     8     9\n";
        for (class, row) in self.confusion.iter().enumerate() {
            let cells: Vec<_> = row.iter().map(|count| format!("{count:>5}")).collect();
            out += &format!(
                "{class:>5}  {:>7.2} %  {:>6.2} %            {}\n",
                100.0 * self.precision[class],
                100.0 * self.recall[class],
                cells.join(" "),
            );
        }
        out
    }
}
