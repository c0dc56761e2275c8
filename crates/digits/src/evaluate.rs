//! `digits evaluate`: examines a checkpoint on the test images.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use data::LabelledImages;
use model::{Classifier, InferencePrecision};
use report::{Examination, Page};
use runs::{History, Layout};
use serde_json::json;

use crate::{
    Computing,
    output::Output,
    resplits::{self, resplits},
    review::{Folder, Names, Review},
    test_images::test_images,
};

#[derive(Args)]
#[command(
    after_help = "Example: digits evaluate artifacts/latest/model --dump probabilities.csv

Without --data-dir a checkpoint is examined on the test images of what it was trained on: MNIST's, or
those in the folder that it records. Images of another data set are examined, too, and it is said.

With --json the result is an object: checkpoint (path), classes (their names),
precision (f32 or int8), test.accuracy and test.errors, and
test.evaluation with every figure before and after calibration; shares are fractions. test.deferral is
the threshold and its promise: certified, which validation decided on
(test.deferral.certified_on_validation) unless these images contradict it (test.deferral.contradicted:
the errors among the accepted are surely more, with the certainty of the certificate).
test.origin has source, trained_on, same (null: unknown) and calibrated (these images are those that `digits calibrate`
fitted it on); test.misread, where hardly anything is
read, a view of the images that is. With --resplits it has resplits: for each method and level splits,
coverage and its standard deviation between halvings (coverage_sd), mean_size and empty. With --review
it has review, too.

Conformal sets promise to hold the label with a stated probability. How they fared on the test images
is in the result anyhow, but depends on the luck of one validation split; --resplits fits them on
random halves of the test images and measures them on the others. LAC and randomized APS then come
out at their level. APS without randomization, which a checkpoint keeps beside LAC because it never
leaves a set empty, can't: the likeliest class is always in the set, so it covers at least the
accuracy, which is more than most levels ask for.

What machine and person reach together: --review-dir writes the test images that are not accepted
into a folder, with review.csv; a person writes the class under answer (none for an image that is
of no class); --review takes the table back. Of a table that `digits predict --review-dir` wrote it says
how often the machine's guess was right, and nothing of the test images; --json then has checkpoint
and review alone."
)]
pub struct Evaluate {
    /// Checkpoint folder
    checkpoint: PathBuf,
    /// Folder with the test images: IDX files (t10k-images-idx3-ubyte …, plain or .gz) or pictures by class
    /// [default: that of the training images]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Write label and calibrated probabilities of every image, in the order of the file
    #[arg(long, value_name = "FILE.csv")]
    dump: Option<PathBuf>,
    /// Write everything as one HTML file, with learning curves where the run folder is there
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Measure conformal sets over N random halvings of the test images (100 are enough)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    resplits: Option<u32>,
    /// Write the test images that are not accepted here, with review.csv for a person to fill in
    #[arg(long, value_name = "DIR")]
    review_dir: Option<PathBuf>,
    /// Take a person's answers into account: a filled-in review.csv
    #[arg(long, value_name = "review.csv", conflicts_with = "review_dir")]
    review: Option<PathBuf>,
    #[command(flatten)]
    computing: Computing,
}

impl Evaluate {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let classifier = self.computing.classifier(&self.checkpoint)?;
        let answers = self.review.as_deref().map(Review::read).transpose()?;
        // Pictures of one's own say nothing of the test images, nor those of them.
        if let Some(answers) = answers.as_ref().filter(|answers| !answers.is_test()) {
            let counted = answers.count(classifier.classes())?;
            if self.json {
                let checkpoint = self.checkpoint.display().to_string();
                let json = json!({ "checkpoint": checkpoint, "review": counted });
                outln!("{}", serde_json::to_string_pretty(&json)?);
            } else {
                out!("{}", counted.text());
            }
            return Ok(ExitCode::SUCCESS);
        }
        let (images, origin) = test_images(classifier.manifest(), self.data_dir.as_deref())?;
        let dump_to = self.dump.as_deref().map(Output::open).transpose()?;
        let report_to = self.report.as_deref().map(Output::open).transpose()?;
        let review_to = self
            .review_dir
            .as_deref()
            .map(|folder| Folder::of_test(folder, Names::of(classifier.classes())))
            .transpose()?;
        let mut examination = Examination::new(&classifier, &images)?;
        examination.origin = Some(origin);
        // The result is told even if it can't be written down.
        let written = [
            dump_to.map(|file| file.write(dump(&classifier, &examination)?.as_bytes())),
            report_to.map(|file| self.write_report(file, &classifier, &images, &examination)),
            review_to.map(|folder| write_review(folder, &classifier, &images, &examination)),
        ];
        let resplits = self
            .resplits
            .map(|splits| {
                let calibration = classifier.calibration();
                let predictions = examination.logits().predictions(calibration.temperature);
                resplits(calibration, &predictions, splits)
            })
            .transpose()?;
        let answers = answers
            .map(|answers| answers.merge_test(&images, examination.answers(), classifier.classes()))
            .transpose()?;
        if self.json {
            let mut json = json!({
                "checkpoint": self.checkpoint.display().to_string(),
                "classes": classifier.classes(),
                "precision": classifier.precision().name(),
                "test": examination,
            });
            if let Some(found) = &resplits {
                json["resplits"] = json!(found);
            }
            if let Some(answers) = &answers {
                json["review"] = json!(answers);
            }
            outln!("{}", serde_json::to_string_pretty(&json)?);
        } else {
            if classifier.precision() != InferencePrecision::F32 {
                outln!("computed in {}, calibrated in f32", classifier.precision());
            }
            out!("{examination}");
            if let Some(found) = &resplits {
                out!("{}", resplits::text(found));
            }
            if let Some(answers) = &answers {
                out!("\n{}", answers.text());
            }
        }
        written.into_iter().flatten().collect::<Result<(), _>>()?;
        Ok(ExitCode::SUCCESS)
    }

    fn write_report(
        &self,
        file: Output,
        classifier: &Classifier,
        images: &LabelledImages,
        examination: &Examination,
    ) -> anyhow::Result<()> {
        let history = history(&self.checkpoint);
        let page = Page {
            classifier,
            images,
            examination,
            history: history.as_ref(),
            stress: None,
        };
        file.write(page.html()?.as_bytes())
    }
}

fn write_review(
    mut folder: Folder,
    classifier: &Classifier,
    images: &LabelledImages,
    examination: &Examination,
) -> anyhow::Result<()> {
    folder.write_test(images, examination.answers(), classifier.classes())?;
    errln!("{}", folder.finish());
    Ok(())
}

/// How the run went that a checkpoint lies in.
pub fn history(checkpoint: &Path) -> Option<History> {
    let checkpoint = fs::canonicalize(checkpoint).ok()?;
    Layout::around(&checkpoint).find_map(|run| History::of(&run).ok())
}

/// One row per image: the index of its class and the probability of each, with all digits that an `f64`
/// has.
fn dump(classifier: &Classifier, examination: &Examination) -> anyhow::Result<String> {
    let mut csv = String::from("label");
    for class in 0..classifier.classes().len() {
        write!(csv, ",p{class}")?;
    }
    csv.push('\n');
    let predictions = examination
        .logits()
        .predictions(classifier.calibration().temperature);
    for (label, row) in predictions.labels().iter().zip(predictions.rows()) {
        write!(csv, "{label}")?;
        for probability in row {
            write!(csv, ",{probability:e}")?;
        }
        csv.push('\n');
    }
    Ok(csv)
}
