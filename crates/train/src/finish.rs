//! The end of a run: the best epoch is calibrated, published, examined and presented.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use anyhow::Context;
use data::{InkLimits, LabelledImages};
use evaluation::{Calibration, Logits};
use model::{
    Classifier,
    checkpoint::{self, Checkpoint, MANIFEST, MODEL},
};
use report::{Examination, History, Page};

use crate::{
    Args, Failure,
    outcome::{Outcome, Stop},
    plan::Plan,
    progress::human,
    restore,
    summary::{Summary, TrainResult, ValidationResult},
};

impl Plan {
    /// Publishes the best epoch, examines it on the test images and says so.
    pub(crate) fn finish(
        &self,
        args: &Args,
        outcome: &Outcome,
        began: Instant,
    ) -> Result<(), Failure> {
        let (epoch, checkpoint) = restore::best(&self.run, &outcome.state)?;
        let mut manifest = checkpoint.manifest().clone();
        manifest.training = None;
        manifest.calibration = self.calibrate(&checkpoint)?;
        manifest.ink = InkLimits::of(
            self.split
                .validation
                .iter()
                .map(|&index| self.images.image(index as usize)),
        );
        let weights = checkpoint.file(MODEL).unwrap_or_default();
        let published = [(MANIFEST, &manifest.to_json()[..]), (MODEL, weights)];
        self.run.check()?;
        checkpoint::write(&self.run.model(), &published)?;
        // The examination goes the way that every other crate goes: it loads what was published.
        let classifier = Classifier::load(self.run.model(), &self.device)?;
        let images = self.source.test()?;
        let test = Examination::new(&classifier, &images)?;
        let record = outcome.state.history[epoch - 1];
        let summary = Summary {
            test,
            validation: ValidationResult {
                accuracy: record.validation_accuracy,
                loss: record.validation_loss,
                epoch,
            },
            train: TrainResult {
                images_per_second: outcome.train_images as f64 / outcome.train_seconds.max(1e-9),
                seconds: outcome.train_seconds,
            },
            seconds: began.elapsed().as_secs_f64(),
            epochs: outcome.state.epoch,
            stopped: match outcome.stop {
                Stop::Plateau => "plateau",
                Stop::TimeBudget => "time budget",
                Stop::Finished | Stop::Interrupted => "finished",
            },
            seed: self.config.seed,
            backend: self.backend.name().to_owned(),
            parameters: self.config.network.summary().parameters(),
        };
        let mut json = serde_json::to_vec_pretty(&summary)?;
        json.push(b'\n');
        // The result is told even if it can't be written down.
        let written = self.write_result(&json, &classifier, &images, &summary.test);
        if args.json {
            io::stdout().write_all(&json)
        } else {
            self.print(&summary)
        }
        .context("can't write to standard output")?;
        written
    }

    /// `summary.json` and `report.html`.
    fn write_result(
        &self,
        json: &[u8],
        classifier: &Classifier,
        images: &LabelledImages,
        test: &Examination,
    ) -> Result<(), Failure> {
        self.run.write(&self.run.summary(), json)?;
        let history = History::read(&self.run.metrics()).ok();
        let page = Page {
            classifier,
            images,
            examination: test,
            history: history.as_ref(),
            stress: None,
        };
        self.run
            .write(&self.run.report(), page.html()?.as_bytes())?;
        Ok(())
    }

    /// Fits the calibration on the validation images; without any there is none.
    fn calibrate(&self, checkpoint: &Checkpoint) -> Result<Option<Calibration>, Failure> {
        let (pixels, labels): (Vec<&[u8]>, Vec<u8>) = self
            .split
            .validation
            .iter()
            .map(|&index| {
                (
                    self.images.image(index as usize),
                    self.images.label(index as usize),
                )
            })
            .unzip();
        if labels.is_empty() {
            return Ok(None);
        }
        let classifier = Classifier::from_checkpoint(checkpoint, &self.device)?;
        let (logits, features): (Vec<_>, Vec<_>) = classifier
            .outputs(&pixels.concat())
            .into_iter()
            .map(|output| (output.logits, output.features))
            .unzip();
        let logits = Logits::new(data::CLASSES, logits.into_flattened(), labels)?;
        let config = &self.config.calibration;
        Ok(Some(Calibration::fit_with_features(
            &logits, &features, config,
        )?))
    }

    fn print(&self, summary: &Summary) -> io::Result<()> {
        let run = self.run.path().display();
        let mut out = io::stdout().lock();
        writeln!(out, "\n{}", summary.test)?;
        writeln!(
            out,
            "{} after {} epochs in {} ({:.0} images/s); best epoch {} with {:.2} % of the validation images right",
            summary.stopped,
            summary.epochs,
            human(Duration::from_secs_f64(summary.seconds)),
            summary.train.images_per_second,
            summary.validation.epoch,
            100.0 * summary.validation.accuracy,
        )?;
        writeln!(out, "model:   {run}/model")?;
        writeln!(out, "summary: {run}/summary.json")?;
        writeln!(out, "metrics: {run}/metrics.jsonl")?;
        writeln!(out, "report:  {run}/report.html")
    }
}
