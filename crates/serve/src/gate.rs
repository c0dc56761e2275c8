//! Whether another model may take the place of the one in service: if it is shown to be not worse, on what
//! people answered here and on the test images that the one in service was trained beside.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context, ensure};
use evaluation::{Estimate, Paired};
use model::Classifier;
use queue::{Part, Queue};
use rayon::ThreadPool;
use report::TestImagesError;

use crate::{
    answered::examples,
    args::Args,
    models::{Loaded, Models},
};

/// Two-sided coverage of the intervals: as that of `digits compare`.
const LEVEL: f64 = 0.95;
/// The greatest margin, however few images there are: with fewer than can show so much, only a gain passes.
const GREATEST: f64 = 0.05;
/// Images that are computed at a time.
const CHUNK: usize = 250;

/// What comparing two models came to, in a sentence each.
#[derive(Debug)]
pub enum Verdict {
    /// The new one may answer.
    NotWorse(String),
    /// It may not, and isn't let in by a start of the server either.
    Refused(String),
    /// There is nothing to compare on yet.
    Open(String),
}

/// Compares the model in service with one that may follow it.
#[derive(Debug)]
pub struct Gate {
    /// Every model passes.
    unchecked: bool,
    /// A loss of accuracy that is still taken for not worse, where there are images enough to tell.
    margin: f64,
    /// Folders of test images, by the name of the model.
    tests: BTreeMap<String, PathBuf>,
    queue: Queue,
    /// A thread of its own, so that requests keep the others.
    pool: ThreadPool,
}

/// The folders of test images that the command line names, `NAME=FOLDER` or, for the first model, `FOLDER`.
///
/// # Errors
/// If no model is called so.
pub fn tests(given: &[String], models: &Models) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let folder = |given: &String| {
        let (name, folder) = given.split_once('=').unwrap_or((models.first(), given));
        ensure!(
            models.get(Some(name)).is_some(),
            "--test-data {given}: no model is called {name}"
        );
        Ok((name.to_owned(), PathBuf::from(folder)))
    };
    given.iter().map(folder).collect()
}

impl Gate {
    /// What the command line says of it, with folders of test images by the name of the model.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn new(
        args: &Args,
        tests: BTreeMap<String, PathBuf>,
        queue: Queue,
    ) -> anyhow::Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        Ok(Gate {
            unchecked: args.swap_unchecked,
            margin: args.margin,
            tests,
            queue,
            pool: pool.context("can't start a thread to compare models on")?,
        })
    }

    /// Why `loaded` may not answer from the start, if it was refused before, as a server that is started
    /// again finds it still in its folder.
    ///
    /// # Errors
    /// If the database can't tell.
    pub async fn start(&self, name: &str, loaded: &Loaded) -> Result<Option<String>, queue::Error> {
        let version = &loaded.version;
        let Some(why) = self.queue.refused(name, version).await? else {
            return Ok(None);
        };
        if self.unchecked {
            self.queue.admit(name, version).await?;
            return Ok(None);
        }
        Ok(Some(format!(
            "{name}: its version {version} was refused in place of another, and lies in the folder still: put the \
             old one back and start the server anew, or start it with --swap-unchecked ({why})"
        )))
    }

    /// Whether `new` may take the place of `old`; what was found is in the database when this returns. Takes
    /// seconds; within a thread of a runtime that may block.
    ///
    /// # Errors
    /// If nothing could be found, as the database or the test images can't be read.
    pub fn pass(&self, name: &str, old: &Loaded, new: &Loaded) -> anyhow::Result<Verdict> {
        let found = match self.unchecked {
            true => Verdict::NotWorse("not compared, as --swap-unchecked says".to_owned()),
            false => self.compared(name, &old.classifier, &new.classifier)?,
        };
        let version = &new.version;
        let noted = async {
            match &found {
                Verdict::NotWorse(_) => self.queue.admit(name, version).await,
                Verdict::Refused(why) => self.queue.refuse(name, version, why).await,
                Verdict::Open(_) => Ok(()),
            }
        };
        tokio::runtime::Handle::current().block_on(noted)?;
        Ok(found)
    }

    fn compared(&self, name: &str, old: &Classifier, new: &Classifier) -> anyhow::Result<Verdict> {
        let Some((judge, judged)) = self.judge(name, old, new)? else {
            return Ok(Verdict::Open(format!(
                "nobody has answered an image of {name} that judges yet, so that nothing tells whether it is worse \
                 here: answer some on /review and send SIGHUP, or start with --swap-unchecked"
            )));
        };
        let (test, tested) = self.test(name, old, new)?;
        if !(judge && test) {
            return Ok(Verdict::Refused(format!(
                "{judged}; {tested}. On SIGHUP it is compared again; --swap-unchecked would take it as it is"
            )));
        }
        let keeps = |classifier: &Classifier| classifier.calibration().deferral.is_reliable();
        if keeps(old) && !keeps(new) {
            return Ok(Verdict::Refused(format!(
                "{judged}; {tested}; but it accepts nothing, so that all would go to people ({}): calibrate it on \
                 more images, or --swap-unchecked would take it as it is",
                new.calibration().deferral.promise()
            )));
        }
        Ok(Verdict::NotWorse(format!("{judged}; {tested}")))
    }

    /// On what people answered and nothing learned from; none if there is nothing.
    fn judge(
        &self,
        name: &str,
        old: &Classifier,
        new: &Classifier,
    ) -> anyhow::Result<Option<(bool, String)>> {
        let shape = old.shape();
        let asked = examples(&self.queue, Part::Judge, Some(name));
        let mut examples = tokio::runtime::Handle::current().block_on(asked)?;
        examples.retain(|example| {
            example.input.len() == shape.len() && example.classes == old.classes()
        });
        if examples.is_empty() {
            return Ok(None);
        }
        let pixels: Vec<u8> = examples
            .iter()
            .flat_map(|example| &example.input)
            .copied()
            .collect();
        let labels: Vec<usize> = examples
            .iter()
            .map(|example| example.class as usize)
            .collect();
        let paired = self.paired(old, new, &pixels, &labels)?;
        told("images that judge", &paired, self.margin).map(Some)
    }

    /// On the test images of what the one in service was trained on.
    fn test(
        &self,
        name: &str,
        old: &Classifier,
        new: &Classifier,
    ) -> anyhow::Result<(bool, String)> {
        let folder = self.tests.get(name).map(PathBuf::as_path);
        let (images, _) =
            report::test_images(old.manifest(), folder, &()).map_err(|error| match error {
                TestImagesError::Data(error) => error.into(),
                error => anyhow::anyhow!("{error} with --test-data {name}=FOLDER"),
            })?;
        let labels: Vec<usize> = images.labels().iter().copied().map(usize::from).collect();
        let paired = self.paired(old, new, images.pixels(), &labels)?;
        told("test images", &paired, self.margin)
    }

    fn paired(
        &self,
        old: &Classifier,
        new: &Classifier,
        pixels: &[u8],
        labels: &[usize],
    ) -> anyhow::Result<Paired> {
        let right = |classifier: &Classifier| -> anyhow::Result<Vec<bool>> {
            let mut right = Vec::with_capacity(labels.len());
            let chunks = pixels.chunks(CHUNK * classifier.shape().len());
            for (pixels, labels) in chunks.zip(labels.chunks(CHUNK)) {
                let answers = self.pool.install(|| classifier.classify_all(pixels))?;
                let pairs = answers.iter().zip(labels);
                right.extend(pairs.map(|(answer, label)| usize::from(answer.class) == *label));
            }
            Ok(right)
        };
        Ok(Paired::of(right(old)?.into_iter().zip(right(new)?)))
    }
}

/// The loss of accuracy that is taken for not worse on `n` images: the one that is `asked` for, or where they
/// are too few, so much that for a model of the same answers half of them would show it. Only their number
/// decides, never how they fare.
fn margin(asked: f64, n: u64) -> anyhow::Result<f64> {
    let half = Paired {
        both: n / 2,
        ..Paired::default()
    };
    let attainable = match half.n() {
        0 => GREATEST,
        _ => -half.difference(LEVEL)?.lower,
    };
    Ok(asked.max(attainable.min(GREATEST)))
}

/// Whether it is shown that the second is not worse, and a sentence of it.
fn told(what: &str, paired: &Paired, asked: f64) -> anyhow::Result<(bool, String)> {
    let margin = margin(asked, paired.n())?;
    let share = |right: u64| 100.0 * right as f64 / paired.n() as f64;
    let Estimate {
        value,
        lower,
        upper,
    } = paired.difference(LEVEL)?;
    let [value, lower, upper] = [value, lower, upper].map(|share| 100.0 * share);
    let shown = paired.is_not_worse(margin, LEVEL)?;
    let mut told = format!(
        "{:.2} % of {} {what} right, {:.2} % before ({value:+.2} points, 95 % interval {lower:+.2} to {upper:+.2})",
        share(paired.both + paired.only_b),
        paired.n(),
        share(paired.both + paired.only_a),
    );
    if !shown {
        told += &format!(
            ": that it is not worse by {:.2} points or more isn't shown",
            100.0 * margin
        );
        if let Some(enough) = enough(margin).filter(|enough| *enough > paired.n()) {
            told += &format!(
                "; with fewer than {enough} images only a clear gain shows it: have more answered"
            );
        }
    }
    Ok((shown, told))
}

/// The fewest images that show a model of the same answers to be not worse.
fn enough(margin: f64) -> Option<u64> {
    let shown = |both: &u64| {
        let same = Paired {
            both: *both,
            ..Paired::default()
        };
        same.is_not_worse(margin, LEVEL).unwrap_or(false)
    };
    (1..100_000).find(shown)
}
