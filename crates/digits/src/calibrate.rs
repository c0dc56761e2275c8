//! `digits calibrate`: fits what a checkpoint accepts anew, on images that it hasn't learned from.

mod fitted;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{anyhow, bail};
use clap::{Args, ValueEnum};
use evaluation::{CalibrationConfig, RiskTarget, Temperature, metrics};
use model::{
    Classifier, Manifest,
    checkpoint::{self, CalibratedOn, Checkpoint, MANIFEST, Versions, model_file},
};
use report::{Unseen, UnseenError, unseen};
use serde_json::json;

use crate::{BackendArg, test_images::Notes};

#[derive(Args)]
#[command(after_help = "Examples:
  digits calibrate artifacts/pretrained --data-dir our-scanner --to ours
  digits calibrate artifacts/pretrained --risk 0.01 --to bolder

Fits temperature, threshold, conformal sets and the limits on energy, distance and ink on the images of a folder, as
`train` does on its validation images and with the values of the checkpoint's recipe where there is one. Weights stay as
they are, to the bit. What results speaks of images like these: draw them as those will be drawn that are to come.

The images must not have been learned from. Those that the checkpoint's own record shows to be are left out, and it is
said where the record can't tell. Without --data-dir they are those that validated in its training.

So few images that they can't certify the risk that is asked for are asked for a larger one, which is said. Where they
are too few to tell means and covariance of the networks' features, those of the checkpoint's calibration serve; without
any there is no limit on the distance.

With --json the result is an object: checkpoint, to (paths), calibrated_on (source, part, data, images, left_out,
backend, versions), calibration (as in checkpoint.json, less the distance's numbers), accuracy (of these images), notes.")]
pub struct Calibrate {
    /// Checkpoint folder
    checkpoint: PathBuf,
    /// Folder with the images: IDX files or pictures by class
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Which images of it [default: test; without --data-dir validation]
    #[arg(long, value_name = "PART")]
    part: Option<Part>,
    /// The new checkpoint's folder [default: CHECKPOINT-calibrated]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Replace a checkpoint that is there, such as CHECKPOINT itself
    #[arg(long)]
    force: bool,
    /// Most errors among accepted images, as a share [default: that of the recipe, or 0.001]
    #[arg(long, value_name = "SHARE")]
    risk: Option<f64>,
    /// Certainty of the certificate [default: that of the recipe, or 0.95]
    #[arg(long, value_name = "SHARE")]
    confidence: Option<f64>,
    /// Levels of the conformal sets [default: those of the recipe, or 0.99,0.999]
    #[arg(long, value_name = "SHARES", value_delimiter = ',')]
    levels: Option<Vec<f64>>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: BackendArg,
}

/// [`report::Part`], as typed.
#[derive(Clone, Copy, ValueEnum)]
enum Part {
    /// The test images
    Test,
    /// The training images
    Train,
    /// Those of the training images that validated while the checkpoint was trained
    Validation,
}

impl Calibrate {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let to = self.destination()?;
        free(&to, self.force)?;
        let device = self.backend.device()?;
        let checkpoint = Checkpoint::open(&self.checkpoint)?;
        let classifier = Classifier::from_checkpoint(&checkpoint, &device)?;
        let part = match (self.part, &self.data_dir) {
            (Some(Part::Test), _) | (None, Some(_)) => report::Part::Test,
            (Some(Part::Train), _) => report::Part::Train,
            (Some(Part::Validation), _) | (None, None) => report::Part::Validation,
        };
        let named = self.data_dir.as_deref();
        let unseen = unseen(classifier.manifest(), named, part, &Notes).map_err(named_by)?;
        let mut notes = told(&unseen);
        let seen = fitted::seen(&classifier, &unseen)?;
        let mut config = fitted::recorded(classifier.manifest());
        config.target_risk = self.risk.unwrap_or(config.target_risk);
        config.confidence_level = self.confidence.unwrap_or(config.confidence_level);
        if let Some(levels) = &self.levels {
            config.conformal_levels.clone_from(levels);
        }
        notes.extend(self.attain(&mut config, unseen.indices.len() as u64)?);
        let (calibration, note) = fitted::fit(&classifier, &unseen, &seen, &config)?;
        notes.extend(note);
        let accuracy = metrics::accuracy(&seen.logits().predictions(Temperature::ONE)).value;
        let mut manifest = classifier.manifest().clone();
        manifest.training = None;
        manifest.calibration = Some(calibration);
        manifest.calibrated_on = Some(CalibratedOn {
            source: unseen.source.clone(),
            part: part.name().to_owned(),
            data: unseen.images.digest().clone(),
            images: unseen.indices.len() as u64,
            left_out: unseen.learned as u64,
            backend: self.backend.name()?,
            versions: Versions::current(),
        });
        let measured = ("calibration.accuracy".to_owned(), accuracy);
        manifest.metrics.extend([measured]);
        write(&to, &checkpoint, &manifest)?;
        self.tell(&to, &manifest, accuracy, &notes)?;
        Ok(ExitCode::SUCCESS)
    }

    /// The folder that was named, or one beside the checkpoint's.
    fn destination(&self) -> anyhow::Result<PathBuf> {
        if let Some(to) = &self.to {
            return Ok(to.clone());
        }
        let Some(name) = self.checkpoint.file_name() else {
            bail!("name the new folder with --to");
        };
        let mut name = name.to_owned();
        name.push("-calibrated");
        Ok(self.checkpoint.with_file_name(name))
    }

    /// Asks no more of so many images than they can certify, and says so.
    fn attain(
        &self,
        config: &mut CalibrationConfig,
        images: u64,
    ) -> anyhow::Result<Option<String>> {
        let asked = RiskTarget {
            target_risk: config.target_risk,
            confidence_level: config.confidence_level,
        };
        asked.validate()?;
        let RiskTarget { target_risk, .. } = asked.attainable(images);
        let more = target_risk != config.target_risk;
        let [was, is] = [config.target_risk, target_risk].map(|share| (100.0 * share) as f32);
        config.target_risk = target_risk;
        Ok(more.then(|| {
            format!(
                "calibrated on {images} images: so few can't be asked to certify {was} % of errors, but {is} %"
            )
        }))
    }

    fn tell(
        &self,
        to: &Path,
        manifest: &Manifest,
        accuracy: f64,
        notes: &[String],
    ) -> anyhow::Result<()> {
        if self.json {
            let mut calibration = json!(manifest.calibration);
            if let Some(distance) = calibration["distance"].as_object_mut() {
                distance.remove("means");
                distance.remove("whitening");
            }
            let json = json!({
                "checkpoint": self.checkpoint.display().to_string(),
                "to": to.display().to_string(),
                "calibrated_on": manifest.calibrated_on,
                "calibration": calibration,
                "accuracy": accuracy,
                "notes": notes,
            });
            outln!("{}", serde_json::to_string_pretty(&json)?);
            return Ok(());
        }
        for note in notes {
            errln!("note: {note}");
        }
        let (Some(on), Some(calibration)) = (&manifest.calibrated_on, &manifest.calibration) else {
            return Ok(());
        };
        outln!(
            "calibrated on {on}; {:.2} % of them right",
            100.0 * accuracy
        );
        let deferral = &calibration.deferral;
        let share = 100.0 * deferral.coverage;
        outln!(
            "threshold {:.6}, {}",
            deferral.threshold,
            deferral.promise()
        );
        outln!(
            "of these images {} ({share:.2} %) reach it",
            deferral.accepted
        );
        outln!("model:   {}", to.display());
        Ok(())
    }
}

/// Refuses what won't be replaced, before any work is done: all but a whole checkpoint.
fn free(to: &Path, force: bool) -> anyhow::Result<()> {
    let empty = match fs::read_dir(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        entries => entries.is_ok_and(|mut entries| entries.next().is_none()),
    };
    let shown = to.display();
    match (empty, force) {
        (true, _) => Ok(()),
        (false, true) if Checkpoint::open(to).is_ok() => Ok(()),
        (false, true) => {
            bail!("{shown}: what is there is no whole checkpoint; name another folder with --to")
        }
        (false, false) => bail!(
            "{shown}: something is there already; name another folder with --to, or replace a checkpoint with --force"
        ),
    }
}

/// The same weights with another manifest: whole or not at all.
fn write(to: &Path, old: &Checkpoint, manifest: &Manifest) -> anyhow::Result<()> {
    let json = manifest.to_json()?;
    let names: Vec<String> = (0..manifest.members).map(model_file).collect();
    let mut files = vec![(MANIFEST, &json[..])];
    for name in &names {
        files.push((name, old.file(name).unwrap_or_default()));
    }
    // A checkpoint that this program can't read is none.
    Manifest::parse(&json, &to.join(MANIFEST))?;
    Ok(checkpoint::write(to, &files)?)
}

fn named_by(error: UnseenError) -> anyhow::Error {
    match error {
        UnseenError::Data(error) => error.into(),
        error @ UnseenError::Absent { .. } => anyhow!("{error} with --data-dir"),
        error => anyhow!("{error} with --data-dir or --part"),
    }
}

/// What has to be known of the images.
fn told(unseen: &Unseen) -> Vec<String> {
    let learned = (unseen.learned > 0).then(|| {
        format!(
            "{} images of {} are left out: the checkpoint has learned from them",
            unseen.learned, unseen.source
        )
    });
    let untold = unseen.untold.iter().map(|what| {
        format!(
            "nothing tells whether the checkpoint has learned from images of {}, which it must not have: it was \
             trained on {what}, which is not here",
            unseen.source
        )
    });
    learned.into_iter().chain(untold).collect()
}
