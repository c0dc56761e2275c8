//! What a run has measured: every step and epoch in `metrics.jsonl`.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    path::PathBuf,
};

use runs::{LINE_LIMIT, Measurement};

use crate::{
    learner::BatchResult,
    progress::say,
    run_dir::{RunDir, RunDirError},
};

/// After so many bytes that are to be removed, what follows isn't looked at.
const REMOVED_LIMIT: usize = 1 << 26;
/// No more of a file is kept beside it.
const COPY_LIMIT: u64 = 1 << 30;

/// Appends to `metrics.jsonl`, an epoch at a time.
#[derive(Debug, Default)]
pub struct Journal {
    path: PathBuf,
    pending: Vec<Measurement>,
}

impl Journal {
    /// Opens the journal of a run that has finished `epoch` epochs. Lines of later epochs come from a
    /// process that died, or from checkpoints that were passed over: they are removed, and what is more
    /// than the epoch in flight is kept in a file beside it, in which an earlier one gives way. Lines
    /// that are no measurements are removed too. A warning says so, and which epochs nothing is known
    /// of.
    ///
    /// # Errors
    /// The operating system's, or that `metrics.jsonl` is not a regular file.
    pub fn open(run: &RunDir, epoch: usize, passed_over: bool) -> Result<Self, RunDirError> {
        let path = run.metrics();
        let mut found = Found::default();
        if run.has_file(&path)? {
            let read = || Ok::<_, io::Error>(BufReader::new(File::open(&path)?));
            run.replace(&path, |kept| {
                found = copy_measurements(read()?, epoch, kept)?;
                if found.last > epoch + usize::from(!passed_over) {
                    let aside = run.passed_over_metrics();
                    run.replace(&aside, |copy| {
                        io::copy(&mut read()?.take(COPY_LIMIT), copy).map(drop)
                    })
                    .map_err(io::Error::other)?;
                    say(format_args!(
                        "warning: {}: what it says of epochs {} to {} is kept in {}",
                        path.display(),
                        epoch + 1,
                        found.last,
                        aside.display(),
                    ));
                }
                Ok(())
            })?;
        }
        if found.damaged > 0 {
            say(format_args!(
                "warning: {}: lines that are no measurements, removed: {}; the checkpoints don't \
                 depend on them",
                path.display(),
                found.damaged,
            ));
        }
        let missing = (1..=epoch).filter(|epoch| !found.epochs.contains(epoch));
        if let Some(first) = missing.clone().next() {
            say(format_args!(
                "warning: {}: it says nothing of {} of the {epoch} epochs that are done, the first \
                 is {first}; the checkpoints don't depend on it",
                path.display(),
                missing.count(),
            ));
        }
        Ok(Journal {
            path,
            pending: Vec::new(),
        })
    }

    /// Notes one training step.
    pub fn step(
        &mut self,
        epoch: usize,
        step: usize,
        result: &BatchResult,
        rate: f64,
        seconds: f64,
    ) {
        for (name, value) in [
            ("loss", result.mean_loss()),
            ("accuracy", result.accuracy()),
            ("learning_rate", rate),
        ] {
            self.note(epoch, Some(step), "train", name, value, seconds);
        }
    }

    /// Notes a value of a whole epoch.
    pub fn epoch(&mut self, epoch: usize, split: &str, name: &str, value: f64, seconds: f64) {
        self.note(epoch, None, split, name, value, seconds);
    }

    /// Writes what was noted to the disk.
    ///
    /// # Errors
    /// The operating system's.
    pub fn flush(&mut self) -> io::Result<()> {
        let mut lines = Vec::new();
        for measurement in self.pending.drain(..) {
            serde_json::to_writer(&mut lines, &measurement)?;
            lines.push(b'\n');
        }
        let mut file = File::options().append(true).create(true).open(&self.path)?;
        file.write_all(&lines)?;
        file.sync_all()
    }

    fn note(
        &mut self,
        epoch: usize,
        step: Option<usize>,
        split: &str,
        name: &str,
        value: f64,
        seconds: f64,
    ) {
        self.pending.push(Measurement {
            epoch,
            step,
            split: split.to_owned(),
            name: name.to_owned(),
            value,
            seconds,
        });
    }
}

/// What a file of measurements holds.
#[derive(Default)]
struct Found {
    /// Lines that are no measurements; what a process that died left at the end has no end of line
    /// and isn't counted.
    damaged: usize,
    /// The epochs of which there are measurements that are kept.
    epochs: BTreeSet<usize>,
    /// The last epoch that was measured as a whole.
    last: usize,
}

/// Copies the lines that are measurements of the first epochs: of none of them, not even of what was
/// before them, if training begins again.
fn copy_measurements(
    mut from: impl BufRead,
    epochs: usize,
    to: &mut impl Write,
) -> io::Result<Found> {
    let mut line = Vec::new();
    let mut found = Found::default();
    let mut removed = 0;
    while removed < REMOVED_LIMIT {
        line.clear();
        // What is longer comes in pieces, none of which is a measurement.
        if (&mut from).take(LINE_LIMIT).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let Ok(measurement) = serde_json::from_slice::<Measurement>(&line) else {
            found.damaged += usize::from(line.ends_with(b"\n"));
            removed += line.len();
            continue;
        };
        if measurement.step.is_none() {
            found.last = found.last.max(measurement.epoch);
        }
        if epochs > 0 && measurement.epoch <= epochs {
            to.write_all(line.trim_ascii_end())?;
            to.write_all(b"\n")?;
            found.epochs.insert(measurement.epoch);
        } else {
            removed += line.len();
        }
    }
    Ok(found)
}
