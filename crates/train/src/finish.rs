//! The end of a run: the best epoch is calibrated, published, examined and presented.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use anyhow::Context;
use data::LabelledImages;
use evaluation::{Fared, Temperature, metrics};
use model::{
    Classifier, Seen,
    checkpoint::{self, Checkpoint, MANIFEST, MODEL, model_file},
};
use report::{Examination, Page};
use runs::History;

use crate::{
    Args, Failure,
    config::CalibrateOn,
    outcome::Outcome,
    plan::Plan,
    progress::human,
    restore,
    summary::{FINISHED, JudgeResult, MemberResult, Summary, TrainResult, ValidationResult},
};

impl Plan {
    /// Publishes the best epoch of each member, examines it on the test images and says so.
    pub(crate) fn finish(
        &self,
        args: &Args,
        outcomes: &mut [Outcome],
        augmented: Option<LabelledImages>,
        began: Instant,
    ) -> Result<(), Failure> {
        let mut members = Vec::with_capacity(outcomes.len());
        let mut checkpoints = Vec::with_capacity(outcomes.len());
        let mut latest = 0;
        for (member, outcome) in self.members.iter().zip(&*outcomes) {
            let (epoch, checkpoint) = restore::best(&member.run, &outcome.state)?;
            members.push(MemberResult::new(member, outcome, epoch));
            checkpoints.push(checkpoint);
            latest = epoch;
        }
        let (first, others) = checkpoints.split_first().context("a run has a member")?;
        // Before anything is replaced: only what can be loaded is published.
        let classifier = Classifier::committee(first, others, &self.device)?;
        let mut manifest = classifier.manifest().clone();
        manifest.training = None;
        let held_out = self.held_out((&classifier, latest), outcomes)?;
        let judged = self.judged(&classifier)?;
        manifest.calibration =
            self.calibrate(&classifier, held_out.as_ref(), judged.as_ref(), augmented)?;
        let validation = together(&members, held_out.as_ref());
        if !others.is_empty() {
            manifest.metrics.clear();
            manifest.provenance.config = serde_json::to_value(&self.config)?;
        }
        manifest.metrics.extend([
            ("validation.accuracy".to_owned(), validation.accuracy),
            ("validation.loss".to_owned(), validation.loss),
        ]);
        let judge = judged.map(|judged| self.judge_result(&judged));
        if let Some(judge) = &judge {
            let measured = ("judge.accuracy".to_owned(), judge.accuracy.value);
            manifest.metrics.extend([measured]);
        }
        let json = manifest.to_json()?;
        let weights: Vec<(String, &[u8])> = checkpoints
            .iter()
            .enumerate()
            .map(|(member, checkpoint)| {
                (
                    model_file(member),
                    checkpoint.file(MODEL).unwrap_or_default(),
                )
            })
            .collect();
        let mut published = vec![(MANIFEST, &json[..])];
        published.extend(weights.iter().map(|(name, bytes)| (&name[..], *bytes)));
        let known = Checkpoint::open(self.run.model()).is_ok_and(|known| {
            let same = |(name, bytes): &(String, &[u8])| known.file(name) == Some(bytes);
            known.manifest().members == weights.len() && weights.iter().all(same)
        });
        self.run.check()?;
        checkpoint::write(&self.run.model(), &published)?;
        // From here on they speak of another model.
        let outdated = match known {
            true => Ok(()),
            false => self.run.remove(&self.run.summary()).and_then(|()| {
                // The page of this run says itself that it waits for the report.
                match outcomes.iter().any(|outcome| outcome.watchers.shows()) {
                    true => Ok(()),
                    false => self.run.remove(&self.run.report()),
                }
            }),
        };
        // The examination goes the way that every other crate goes: it loads what was published.
        let classifier = Classifier::load(self.run.model(), &self.device)?;
        let test = Examination::new(&classifier, &self.test)?;
        let histories = self.members.iter();
        let histories: Vec<History> = histories
            .filter_map(|member| History::of(&member.run).ok())
            .collect();
        let summary = Summary {
            test,
            validation,
            judge,
            train: self.cost(&histories),
            seconds: began.elapsed().as_secs_f64(),
            epochs: members.iter().map(|member| member.epochs).sum(),
            stopped: members
                .iter()
                .map(|member| member.stopped)
                .find(|stopped| *stopped != FINISHED)
                .unwrap_or(FINISHED),
            members,
            seed: self.config.seed,
            backend: self.backend.name().to_owned(),
            devices: self
                .lenders
                .iter()
                .flat_map(|lenders| lenders.addresses())
                .collect(),
            precision: self.config.training.precision,
            parameters: classifier.manifest().parameters(),
            classes: classifier.classes().to_vec(),
        };
        let mut json = serde_json::to_vec_pretty(&summary)?;
        json.push(b'\n');
        // The result is told even if it can't be written down.
        let written = self.write_result(&json, &classifier, &summary.test, histories.first());
        if args.json {
            io::stdout().write_all(&json)
        } else {
            self.print(&summary, classifier.calibration().augmented)
        }
        .context("can't write to standard output")?;
        written.and(outdated.map_err(Failure::from))
    }

    /// `summary.json` and `report.html`.
    fn write_result(
        &self,
        json: &[u8],
        classifier: &Classifier,
        test: &Examination,
        history: Option<&History>,
    ) -> Result<(), Failure> {
        let page = Page {
            classifier,
            images: &self.test,
            examination: test,
            history,
            stress: None,
        };
        // Drawn before the summary is there, by which others know that the run is done.
        let page = page.html();
        self.run.write(&self.run.summary(), json)?;
        self.run.write(&self.run.report(), page?.as_bytes())?;
        Ok(())
    }

    /// What the epochs in every `metrics.jsonl` cost.
    fn cost(&self, histories: &[History]) -> Option<TrainResult> {
        let speeds: Vec<f64> = histories.iter().flat_map(History::speeds).collect();
        let images = self.shown() as f64;
        let seconds: f64 = speeds.iter().map(|speed| images / speed).sum();
        (seconds.is_finite() && seconds > 0.0).then(|| TrainResult {
            images_per_second: images * speeds.len() as f64 / seconds,
            seconds,
        })
    }

    /// How the images of `data.also` fared that judge.
    fn judge_result(&self, judged: &Seen) -> JudgeResult {
        let predictions = judged.logits().predictions(Temperature::ONE);
        JudgeResult {
            images: judged.logits().len(),
            accuracy: metrics::accuracy(&predictions),
            calibrated_on: self.config.data.calibrate_on == CalibrateOn::Also,
        }
    }

    fn print(&self, summary: &Summary, augmented: Option<Fared>) -> io::Result<()> {
        let run = self.run.path().display();
        let mut out = io::stdout().lock();
        writeln!(out, "\n{}", summary.test)?;
        writeln!(
            out,
            "{} after {} epochs in {}{}; {} with {:.2} % of the validation images right",
            summary.stopped,
            summary.epochs,
            human(Duration::from_secs_f64(summary.seconds)),
            match &summary.train {
                Some(train) => format!(" ({:.0} images/s)", train.images_per_second),
                None => String::new(),
            },
            match summary.validation.epoch {
                Some(epoch) => format!("best epoch {epoch}"),
                None => format!("{} networks together", summary.members.len()),
            },
            100.0 * summary.validation.accuracy,
        )?;
        for (number, member) in (1..)
            .zip(&summary.members)
            .skip_while(|_| summary.members.len() == 1)
        {
            let ValidationResult {
                accuracy, epoch, ..
            } = member.validation;
            let epoch = epoch.unwrap_or_default();
            writeln!(
                out,
                "  member {number}: best epoch {epoch} with {:.2} %",
                100.0 * accuracy
            )?;
        }
        if let Some(JudgeResult {
            images,
            accuracy,
            calibrated_on,
        }) = summary.judge
        {
            let [right, lower, upper] =
                [accuracy.value, accuracy.lower, accuracy.upper].map(|share| 100.0 * share);
            let calibrated = match calibrated_on {
                true => "; the threshold is certified on them",
                false => "",
            };
            writeln!(
                out,
                "of {images} images of data.also that judge: {right:.2} % right (95 % interval {lower:.2} to \
                 {upper:.2} %){calibrated}"
            )?;
        }
        if let Some(fared) = augmented {
            writeln!(out, "in other hands: {fared}")?;
        }
        writeln!(out, "model:   {run}/model")?;
        writeln!(out, "summary: {run}/summary.json")?;
        match self.members.len() {
            1 => writeln!(out, "metrics: {run}/metrics.jsonl")?,
            _ => writeln!(out, "members: {run}/members")?,
        }
        writeln!(out, "report:  {run}/report.html")
    }
}

/// What the published classifier achieves on the validation images, all its members and views together;
/// where there are none, what its members achieve by themselves on average.
fn together(members: &[MemberResult], held_out: Option<&Seen>) -> ValidationResult {
    let epoch = match members {
        [only] => only.validation.epoch,
        _ => None,
    };
    if let Some(held_out) = held_out {
        let predictions = held_out.logits().predictions(Temperature::ONE);
        return ValidationResult {
            accuracy: metrics::accuracy(&predictions).value,
            loss: metrics::negative_log_likelihood(&predictions),
            epoch,
        };
    }
    let mean = |of: fn(&ValidationResult) -> f64| {
        let values = members.iter().map(|member| of(&member.validation));
        values.sum::<f64>() / members.len() as f64
    };
    ValidationResult {
        accuracy: mean(|validation| validation.accuracy),
        loss: mean(|validation| validation.loss),
        epoch,
    }
}
