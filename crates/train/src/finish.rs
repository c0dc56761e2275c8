//! The end of a run: the best epoch is calibrated, published, examined and presented.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use anyhow::Context;
use data::{Augmentation, Draw, Scratch};
use evaluation::{Calibration, Logits, PixelLimits, Pixels};
use model::{
    Classifier,
    checkpoint::{self, Checkpoint, MANIFEST, MODEL},
};
use report::{Examination, Page};
use runs::History;

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
        // Before anything is replaced: only what can be loaded is published.
        let classifier = Classifier::from_checkpoint(&checkpoint, &self.device)?;
        let mut manifest = checkpoint.manifest().clone();
        manifest.training = None;
        manifest.calibration = self.calibrate(&classifier)?;
        let weights = checkpoint.file(MODEL).unwrap_or_default();
        let json = manifest.to_json()?;
        let published = [(MANIFEST, &json[..]), (MODEL, weights)];
        let known = Checkpoint::open(self.run.model())
            .is_ok_and(|known| known.file(MODEL) == Some(weights));
        self.run.check()?;
        checkpoint::write(&self.run.model(), &published)?;
        // From here on they speak of another model.
        let outdated = match known {
            true => Ok(()),
            false => self
                .run
                .remove(&self.run.summary())
                .and(self.run.remove(&self.run.report())),
        };
        // The examination goes the way that every other crate goes: it loads what was published.
        let classifier = Classifier::load(self.run.model(), &self.device)?;
        let test = Examination::new(&classifier, &self.test)?;
        let record = outcome.state.history[epoch - 1];
        let history = History::read(&self.run.metrics()).ok();
        let summary = Summary {
            test,
            validation: ValidationResult {
                accuracy: record.validation_accuracy,
                loss: record.validation_loss,
                epoch,
            },
            train: history.as_ref().and_then(|history| self.cost(history)),
            seconds: began.elapsed().as_secs_f64(),
            epochs: outcome.state.epoch,
            stopped: match outcome.stop {
                Stop::Plateau => "plateau",
                Stop::TimeBudget => "time budget",
                Stop::Finished | Stop::Interrupted => "finished",
            },
            seed: self.config.seed,
            backend: self.backend.name().to_owned(),
            parameters: classifier.manifest().summary().parameters(),
            classes: classifier.classes().to_vec(),
        };
        let mut json = serde_json::to_vec_pretty(&summary)?;
        json.push(b'\n');
        // The result is told even if it can't be written down.
        let written = self.write_result(&json, &classifier, &summary.test, history);
        if args.json {
            io::stdout().write_all(&json)
        } else {
            self.print(&summary)
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
        history: Option<History>,
    ) -> Result<(), Failure> {
        self.run.write(&self.run.summary(), json)?;
        let page = Page {
            classifier,
            images: &self.test,
            examination: test,
            history: history.as_ref(),
            stress: None,
        };
        self.run
            .write(&self.run.report(), page.html()?.as_bytes())?;
        Ok(())
    }

    /// What the epochs in `metrics.jsonl` cost.
    fn cost(&self, history: &History) -> Option<TrainResult> {
        let speeds = history.speeds();
        let images = self.split.train.len() as f64;
        let seconds: f64 = speeds.iter().map(|speed| images / speed).sum();
        (seconds.is_finite() && seconds > 0.0).then(|| TrainResult {
            images_per_second: images * speeds.len() as f64 / seconds,
            seconds,
        })
    }

    /// Fits the calibration on the validation images; without any there is none.
    fn calibrate(&self, classifier: &Classifier) -> Result<Option<Calibration>, Failure> {
        let held_out = || self.split.validation.iter().map(|&index| index as usize);
        let labels: Vec<u16> = held_out().map(|index| self.images.label(index)).collect();
        if labels.is_empty() {
            return Ok(None);
        }
        let shape = self.images.shape();
        let classes = self.images.classes().len();
        let fitted = |images: &[u8]| -> Result<_, Failure> {
            let (logits, features): (Vec<_>, Vec<_>) = classifier
                .outputs(images)?
                .into_iter()
                .map(|output| (output.logits, output.features))
                .unzip();
            let logits = Logits::new(classes, logits.concat(), labels.clone())?;
            Ok((logits, features))
        };
        let mut images: Vec<u8> = held_out()
            .flat_map(|index| self.images.image(index))
            .copied()
            .collect();
        let (logits, features) = fitted(&images)?;
        let config = &self.config.calibration;
        let mut calibration = match self.pens(self.config.data.validation_augmentation) {
            kinds if kinds.is_identity() => {
                Calibration::fit_with_features(&logits, &features, config)?
            }
            kinds => {
                let augmented = self.augmented(&kinds);
                let (others, theirs) = fitted(&augmented)?;
                images.extend(augmented);
                let validation = (&logits, &features[..]);
                Calibration::fit_with_augmented(validation, (&others, &theirs), config)?
            }
        };
        calibration.pixels =
            PixelLimits::of(images.chunks_exact(shape.len()).map(|bytes| Pixels {
                bytes,
                height: shape.height,
                width: shape.width,
            }));
        Ok(Some(calibration))
    }

    /// The validation images, augmented.
    fn augmented(&self, kinds: &Augmentation) -> Vec<u8> {
        let shape = self.images.shape();
        let mut scratch = Scratch::default();
        let mut images = vec![0; self.split.validation.len() * shape.len()];
        for (out, &index) in images
            .chunks_exact_mut(shape.len())
            .zip(&self.split.validation)
        {
            let index = index as usize;
            // Before the first epoch.
            let draw = Draw {
                seed: self.config.seed,
                epoch: 0,
                index,
            };
            let (image, digit) = (self.images.image(index), self.images.digit(index));
            kinds.apply(shape, image, digit, draw, &mut scratch, out);
        }
        images
    }

    fn print(&self, summary: &Summary) -> io::Result<()> {
        let run = self.run.path().display();
        let mut out = io::stdout().lock();
        writeln!(out, "\n{}", summary.test)?;
        writeln!(
            out,
            "{} after {} epochs in {}{}; best epoch {} with {:.2} % of the validation images right",
            summary.stopped,
            summary.epochs,
            human(Duration::from_secs_f64(summary.seconds)),
            match &summary.train {
                Some(train) => format!(" ({:.0} images/s)", train.images_per_second),
                None => String::new(),
            },
            summary.validation.epoch,
            100.0 * summary.validation.accuracy,
        )?;
        writeln!(out, "model:   {run}/model")?;
        writeln!(out, "summary: {run}/summary.json")?;
        writeln!(out, "metrics: {run}/metrics.jsonl")?;
        writeln!(out, "report:  {run}/report.html")
    }
}
