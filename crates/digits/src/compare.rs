//! `digits compare`: two checkpoints on the same labelled images.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Args;
use data::LabelledImages;
use evaluation::{Estimate, Paired, SelectiveReport, Verdict};
use model::{Classification, Classifier, InferencePrecision};
use report::{Examination, Origin};
use serde::Serialize;

use crate::{BackendArg, test_images::test_images};

/// Two-sided coverage of the intervals, and 1 less the level of the test.
const LEVEL: f64 = 0.95;

#[derive(Args)]
#[command(
    after_help = "Example: digits compare artifacts/pretrained artifacts/latest/model

Both look at the same images: those of --data-dir, else the test images of what A was trained on. The difference
of their accuracies has Tango's score interval for paired proportions (1998), and the test of equal accuracy is
McNemar's exact one with mid-p (Fagerland and others 2013). B is called better or worse only where both show it.
That no difference is shown doesn't say that there is none: B is called not worse where the interval lies above
-MARGIN, which has to be chosen before looking.

With --json the result is an object: a and b (each checkpoint, precision, accuracy, accepted with n, coverage and risk, the
errors among the accepted), paired (both, only_a, only_b, neither: images that are right), difference (B less A:
value, lower, upper), mid_p, verdict (better, worse or no_difference_shown), not_worse (margin, shown), images, changed
(answered otherwise: classes, decisions) and origin (source, trained_on, same, calibrated: of A). Shares are fractions."
)]
pub struct Compare {
    /// Checkpoint folder of A, the one in use
    a: PathBuf,
    /// Checkpoint folder of B, the one that may take its place
    b: PathBuf,
    /// Folder with the images: the test images of IDX files or pictures by class
    /// [default: the test images of what A was trained on]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A loss of accuracy that is still taken for not worse
    #[arg(long, value_name = "SHARE", default_value_t = 0.005, value_parser = margin)]
    margin: f64,
    /// What B computes in: f32, or int8, which needs a processor with AVX-512 VNNI; A computes in f32
    #[arg(long, value_name = "NAME", default_value_t)]
    precision: InferencePrecision,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: BackendArg,
}

fn margin(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("give a share between 0 and 1, such as 0.005".to_owned()),
    }
}

/// What was found.
#[derive(Serialize)]
struct Comparison {
    a: Side,
    b: Side,
    images: u64,
    origin: Origin,
    changed: Changed,
    paired: Paired,
    difference: Estimate,
    mid_p: f64,
    verdict: Verdict,
    not_worse: NotWorse,
}

#[derive(Serialize)]
struct Side {
    checkpoint: String,
    precision: &'static str,
    accuracy: Estimate,
    accepted: SelectiveReport,
}

/// Images that are answered otherwise.
#[derive(Serialize)]
struct Changed {
    /// With another class.
    classes: usize,
    /// Accepted by one, and left to a person by the other, or for another reason.
    decisions: usize,
}

#[derive(Serialize)]
struct NotWorse {
    margin: f64,
    shown: bool,
}

impl Compare {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let device = self.backend.device()?;
        let load = |path: &Path| Classifier::load(path, &device);
        let (a, b) = (
            load(&self.a)?,
            load(&self.b)?.with_precision(self.precision)?,
        );
        self.check(&a, &b)?;
        let (images, origin) = test_images(a.manifest(), self.data_dir.as_deref())?;
        let (a, answers_a, right_a) = side(&self.a, &a, &images)?;
        let (b, answers_b, right_b) = side(&self.b, &b, &images)?;
        let pairs = || answers_a.iter().zip(&answers_b);
        let changed = Changed {
            classes: pairs().filter(|(a, b)| a.class != b.class).count(),
            decisions: pairs().filter(|(a, b)| a.decision != b.decision).count(),
        };
        let paired = Paired::of(right_a.into_iter().zip(right_b));
        let comparison = Comparison {
            a,
            b,
            images: paired.n(),
            origin,
            changed,
            paired,
            difference: paired.difference(LEVEL)?,
            mid_p: paired.mid_p()?,
            verdict: paired.verdict(LEVEL)?,
            not_worse: NotWorse {
                margin: self.margin,
                shown: paired.is_not_worse(self.margin, LEVEL)?,
            },
        };
        if self.json {
            outln!("{}", serde_json::to_string_pretty(&comparison)?);
        } else {
            out!("{}", comparison.text()?);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Whether both take the same images and give the same answers.
    fn check(&self, a: &Classifier, b: &Classifier) -> anyhow::Result<()> {
        let (of_a, of_b) = (self.a.display(), self.b.display());
        if a.shape() != b.shape() {
            bail!(
                "{of_a} takes images of {}, {of_b} of {}: they can't be compared on the same images",
                a.shape(),
                b.shape()
            );
        }
        if a.classes() == b.classes() {
            return Ok(());
        }
        let only = |these: &[String], those: &[String]| {
            let only = these.iter().filter(|name| !those.contains(name));
            only.cloned().collect::<Vec<_>>().join(", ")
        };
        let (only_a, only_b) = (
            only(a.classes(), b.classes()),
            only(b.classes(), a.classes()),
        );
        let mut differ = Vec::new();
        if !only_a.is_empty() {
            differ.push(format!("only {of_a} has {only_a}"));
        }
        if !only_b.is_empty() {
            differ.push(format!("only {of_b} has {only_b}"));
        }
        if differ.is_empty() {
            let mut names = (1..).zip(a.classes().iter().zip(b.classes()));
            let other = names.find(|(_, (a, b))| a != b);
            let (place, (a, b)) = other.context("the classes differ")?;
            differ.push(format!(
                "they stand in another order, number {place} is {a} in {of_a} and {b} in {of_b}"
            ));
        }
        bail!(
            "the classes differ: {}; compare checkpoints of the same classes",
            differ.join(", ")
        )
    }
}

/// How a checkpoint fares, and which images it gets right.
fn side(
    path: &Path,
    classifier: &Classifier,
    images: &LabelledImages,
) -> anyhow::Result<(Side, Vec<Classification>, Vec<bool>)> {
    let examination = Examination::new(classifier, images)?;
    let answers = examination.answers().iter();
    let right = answers.zip(images.labels());
    let right = right.map(|(answer, label)| answer.class == *label);
    let side = Side {
        checkpoint: path.display().to_string(),
        precision: classifier.precision().name(),
        accuracy: examination.evaluation.after.accuracy,
        accepted: examination.evaluation.selective,
    };
    let right = right.collect();
    Ok((side, examination.answers().to_vec(), right))
}

impl Comparison {
    fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        let Paired {
            both,
            only_a,
            only_b,
            neither,
        } = self.paired;
        writeln!(text, "{} images, {}", self.images, self.origin.source)?;
        for (name, side) in [("A", &self.a), ("B", &self.b)] {
            let SelectiveReport {
                accepted,
                errors,
                coverage,
                risk,
                ..
            } = side.accepted;
            match side.precision {
                "f32" => writeln!(text, "{name}: {}", side.checkpoint)?,
                other => writeln!(text, "{name}: {}, computed in {other}", side.checkpoint)?,
            }
            writeln!(text, "  right     {}", percent(&side.accuracy))?;
            writeln!(text, "  accepted  {}", percent(&coverage))?;
            match risk {
                Some(risk) => writeln!(
                    text,
                    "  wrong     {} of the accepted ({errors} of {accepted})",
                    percent(&risk)
                )?,
                None => writeln!(text, "  wrong     nothing is accepted")?,
            }
        }
        writeln!(
            text,
            "both right {both}, only A {only_a}, only B {only_b}, neither {neither}"
        )?;
        let Changed { classes, decisions } = self.changed;
        writeln!(
            text,
            "answered otherwise: {classes} with another class, {decisions} with another decision"
        )?;
        let Estimate {
            value,
            lower,
            upper,
        } = self.difference;
        let [value, lower, upper] = [value, lower, upper].map(|share| 100.0 * share);
        writeln!(
            text,
            "B less A: {value:+.2} points (95 % interval {lower:+.2} to {upper:+.2}, Tango); McNemar's exact test, \
             mid-p: {}",
            match self.mid_p {
                p if p < 1e-4 => "below 0.0001".to_owned(),
                p => format!("{p:.4}"),
            }
        )?;
        let percent = 100.0 * self.not_worse.margin;
        let margin = match self.not_worse.shown {
            true => format!("not worse by {percent:.2} points or more"),
            false => format!("that it is not worse by {percent:.2} points or more isn't shown"),
        };
        match self.verdict {
            Verdict::Better => writeln!(text, "B is better; {margin}"),
            Verdict::Worse => writeln!(text, "B is worse; {margin}"),
            Verdict::NoDifferenceShown => writeln!(text, "no difference shown; {margin}"),
        }?;
        Ok(text)
    }
}

fn percent(share: &Estimate) -> String {
    let Estimate {
        value,
        lower,
        upper,
    } = share;
    let [value, lower, upper] = [value, lower, upper].map(|share| 100.0 * share);
    format!("{value:.2} % (95 % interval {lower:.2} to {upper:.2} %)")
}
