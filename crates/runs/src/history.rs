//! How a run went: what it wrote into `metrics.jsonl`.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use crate::{LINE_LIMIT, Layout, Learned, Learning, Measurement};

/// What is measured are 32-bit numbers; a larger one is damage, and no axis has room for it.
const LARGEST: f64 = f32::MAX as f64;

/// The finite measurements of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// By split and name, in the order in which they were made.
    series: BTreeMap<(String, String), Vec<Point>>,
    learning: Learning,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    epoch: usize,
    step: Option<usize>,
    value: f64,
}

impl History {
    /// Reads the measurements of a run, or where it has several members, those of the first, and what it
    /// learned by them, if that is known.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of(run: &Layout) -> io::Result<Self> {
        let of = |run: &Layout| {
            let mut history = Self::read(&run.metrics())?;
            history.learning =
                Learning::read(&run.learning(), history.epochs()).unwrap_or_default();
            Ok(history)
        };
        of(run).or_else(|_: io::Error| of(&run.member(1)))
    }

    /// Reads a `metrics.jsonl`; see [`Self::parse`].
    ///
    /// # Errors
    /// The operating system's, or that it is not a regular file.
    pub fn read(path: &Path) -> io::Result<Self> {
        // Asked before opening: opening a pipe would wait for a writer.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        Self::parse(BufReader::new(File::open(path)?))
    }

    /// Reads the text of a `metrics.jsonl`. Lines that are no finite measurement are left out: the
    /// last one may be cut short where a run is still going on.
    ///
    /// # Errors
    /// Those of reading.
    pub fn parse(mut jsonl: impl BufRead) -> io::Result<Self> {
        let mut history = History::default();
        let mut line = Vec::new();
        // What is longer than a line may be comes in pieces, none of which is a measurement.
        while (&mut jsonl).take(LINE_LIMIT).read_until(b'\n', &mut line)? > 0 {
            let measurement: Option<Measurement> = serde_json::from_slice(&line).ok();
            line.clear();
            if let Some(measurement) = measurement {
                history.push(measurement);
            }
        }
        Ok(history)
    }

    /// Adds a measurement, if it is finite.
    pub fn push(&mut self, measurement: Measurement) {
        let m = measurement;
        if m.value.abs() <= LARGEST {
            let series = self.series.entry((m.split, m.name)).or_default();
            series.push(Point {
                epoch: m.epoch,
                step: m.step,
                value: m.value,
            });
        }
    }

    /// Adds what was learned by an epoch.
    pub fn learn(&mut self, learned: Learned) {
        self.learning.push(learned);
    }

    /// What was learned over the epochs.
    pub fn learning(&self) -> &Learning {
        &self.learning
    }

    /// The number of the last epoch; 0 if there is none.
    pub fn epochs(&self) -> usize {
        let points = self.series.values().flatten();
        points.map(|point| point.epoch).max().unwrap_or(0)
    }

    /// How fast each epoch was trained on, in images per second.
    pub fn speeds(&self) -> Vec<f64> {
        let speeds = self.by_epoch("train", "images_per_second").into_iter();
        speeds.map(|(_, speed)| speed).collect()
    }

    /// A value of whole epochs: pairs of epoch and value.
    pub fn by_epoch(&self, split: &str, name: &str) -> Vec<(f64, f64)> {
        let whole = self.named(split, name).filter(|point| point.step.is_none());
        whole
            .map(|point| (point.epoch as f64, point.value))
            .collect()
    }

    /// A value of single steps: pairs of the epochs done by then, a fraction, and value. At most
    /// `most` pairs come back, each the mean over a stretch of equal length.
    pub fn by_step(&self, split: &str, name: &str, most: usize) -> Vec<(f64, f64)> {
        let last = self
            .named(split, name)
            .filter_map(|p| Some((p.step?, p.epoch)));
        match last.max() {
            Some((step, epoch)) if epoch > 0 => {
                self.thinned(split, name, most, step as f64 / epoch as f64)
            }
            _ => Vec::new(),
        }
    }

    /// The same of a run that is in the midst of an epoch of so many steps.
    pub fn thinned(&self, split: &str, name: &str, most: usize, per_epoch: f64) -> Vec<(f64, f64)> {
        let steps: BTreeMap<usize, &Point> = self
            .named(split, name)
            .filter_map(|point| Some((point.step?, point)))
            .collect();
        let steps: Vec<_> = steps.into_iter().collect();
        let stretch = steps.len().div_ceil(most.max(1)).max(1);
        steps
            .chunks(stretch)
            .map(|chunk| {
                let count = chunk.len() as f64;
                let step = chunk.iter().map(|(step, _)| *step as f64).sum::<f64>() / count;
                let value = chunk.iter().map(|(_, point)| point.value).sum::<f64>() / count;
                (step / per_epoch, value)
            })
            .collect()
    }

    fn named(&self, split: &str, name: &str) -> impl Iterator<Item = &Point> {
        let key = (split.to_owned(), name.to_owned());
        self.series.get(&key).into_iter().flatten()
    }
}
