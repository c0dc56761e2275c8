//! The run for TensorBoard: event files in its folder, one for each time that it was started.

mod message;
mod record;

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufReader, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::Tensor,
};
use runs::Layout;
use toml::{Table, Value};

use crate::{
    Config, learner::BatchResult, progress::say, run_dir::RunDir, state::EpochRecord,
    watchers::Seen,
};
use message::{Message, Parameter};

/// A reader waits no longer than this for what was measured.
const DELAY: Duration = Duration::from_secs(2);

/// Writes the event file of a run. What can't be written is said once and then left out: no run ends for
/// it.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    /// None from the first failure on.
    file: Option<File>,
    pending: Vec<u8>,
    flushed: Instant,
    /// The latest step.
    step: usize,
}

impl Events {
    /// Begins the file of a run that has done so many steps. What the files before it say of later ones
    /// comes from a process that died, and is cut off; a TensorBoard that has read it forgets it.
    pub fn open(run: &RunDir, done: usize, config: &Config) -> Option<Self> {
        let now = seconds();
        let open = || {
            let earlier = cut(run, done)?;
            let known = earlier.last().and_then(time_of);
            // By their names they have to be in their order, whatever the clock does.
            let time = known.unwrap_or(0).max(now as u64);
            let path = (earlier.len()..)
                .map(|number| run.events(time, number))
                .find(|path| !path.exists())
                .ok_or(io::ErrorKind::AlreadyExists)?;
            let file = File::options().write(true).create_new(true).open(&path)?;
            Ok::<_, io::Error>((path, file))
        };
        let (path, file) = match open() {
            Ok(opened) => opened,
            Err(error) => {
                warn(run.path(), &error);
                return None;
            }
        };
        let mut events = Events {
            path,
            file: Some(file),
            pending: Vec::new(),
            flushed: Instant::now(),
            step: done,
        };
        events.note(message::version(now));
        if done > 0 {
            events.note(message::start(now, done + 1));
        } else {
            let given = message::parameters(now, &parameters(config));
            events.note(message::summary(now, 0, vec![given]));
        }
        events.flush();
        Some(events)
    }

    /// Notes one training step, at a learning rate and a number of images per second.
    pub fn step(&mut self, step: usize, result: &BatchResult, rate: f64, speed: f64) {
        let values = [
            ("step/loss", result.mean_loss()),
            ("step/accuracy", result.accuracy()),
            ("step/learning_rate", rate),
            ("step/images_per_second", speed),
        ];
        self.step = step;
        self.scalars(step, &values);
        if self.flushed.elapsed() > DELAY {
            self.flush();
        }
    }

    /// Notes what was seen before the first step.
    pub fn before(&mut self, result: &BatchResult, seen: &Seen) {
        self.scalars(
            0,
            &[
                ("epoch/validation_loss", result.mean_loss()),
                ("epoch/validation_accuracy", result.accuracy()),
            ],
        );
        self.look(0, seen);
        self.flush();
    }

    /// Notes a whole epoch that ended with a step.
    pub fn epoch(
        &mut self,
        (number, step): (usize, usize),
        record: &EpochRecord,
        speed: f64,
        seen: &Seen,
    ) {
        self.scalars(
            step,
            &[
                ("epoch/number", number as f64),
                ("epoch/train_loss", record.train_loss),
                ("epoch/train_accuracy", record.train_accuracy),
                ("epoch/validation_loss", record.validation_loss),
                ("epoch/validation_accuracy", record.validation_accuracy),
                ("epoch/images_per_second", speed),
            ],
        );
        self.look(step, seen);
        self.flush();
    }

    /// Notes that training ended, well or by an error. It stands after the latest step, so that it goes with what is
    /// void should the run go on.
    pub fn end(&mut self, well: bool) {
        let now = seconds();
        let ended = message::ended(now, well);
        self.note(message::summary(now, self.step + 1, vec![ended]));
        self.flush();
    }

    /// The weights, and the images that are judged worst.
    fn look(&mut self, step: usize, seen: &Seen) {
        let mut weights = Weights::default();
        seen.network.visit(&mut weights);
        let mut values: Vec<Message> = weights
            .found
            .iter()
            .map(|(name, values)| message::histogram(&format!("weights/{name}"), values))
            .collect();
        if let Ok(Some(worst)) = seen.worst() {
            let tag = "validation/worst_errors";
            values.push(message::image(tag, &worst.mosaic));
            let tag = "validation/worst_errors_label_to_answer";
            values.push(message::text(tag, &worst.told));
        }
        self.note(message::summary(seconds(), step, values));
    }

    fn scalars(&mut self, step: usize, values: &[(&str, f64)]) {
        let values = values
            .iter()
            .map(|(tag, value)| message::scalar(tag, *value));
        self.note(message::summary(seconds(), step, values.collect()));
    }

    fn note(&mut self, event: Message) {
        if self.file.is_some() {
            record::write(&mut self.pending, &event.into_bytes());
        }
    }

    /// Writes what was noted.
    pub fn flush(&mut self) {
        self.flushed = Instant::now();
        let Some(file) = &mut self.file else {
            return;
        };
        if let Err(error) = file.write_all(&self.pending) {
            warn(&self.path, &error);
            self.file = None;
        }
        self.pending.clear();
    }
}

fn warn(path: &Path, error: &io::Error) {
    say(format_args!(
        "warning: {}: can't write for TensorBoard: {error}; the run goes on without",
        path.display()
    ));
}

fn seconds() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

/// Cuts from the event files of a run what they say of steps after `done`, and what is damaged and all
/// after it. The names of those that are left, in their order.
fn cut(run: &RunDir, done: usize) -> io::Result<Vec<OsString>> {
    run.check().map_err(io::Error::other)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(run.path())? {
        let name = entry?.file_name();
        if Layout::is_events(&name.to_string_lossy()) {
            names.push(name);
        }
    }
    names.sort();
    let mut ended = done == 0;
    let mut kept = Vec::new();
    for name in names {
        let path = run.path().join(&name);
        if !run.has_file(&path).map_err(io::Error::other)? {
            continue;
        }
        if ended {
            fs::remove_file(&path)?;
            continue;
        }
        let file = File::options().read(true).write(true).open(&path)?;
        let mut reader = BufReader::new(&file);
        let mut length = 0;
        while let Some(event) = record::read(&mut reader)? {
            match message::step_of(&event) {
                Some(step) if step <= done as u64 => length += record::framed(event.len()),
                _ => break,
            }
        }
        if length < file.metadata()?.len() {
            ended = true;
            file.set_len(length)?;
        }
        kept.push(name);
    }
    Ok(kept)
}

/// The time in the name of an event file.
fn time_of(name: &OsString) -> Option<u64> {
    let name = name.to_str()?;
    name.rsplit('.').nth(1)?.parse().ok()
}

/// The keys of a recipe and their values.
fn parameters(config: &Config) -> Vec<(String, Parameter)> {
    fn walk(table: &Table, prefix: &str, found: &mut Vec<(String, Parameter)>) {
        for (name, value) in table {
            let key = format!("{prefix}{name}");
            let value = match value {
                Value::Table(inner) => {
                    walk(inner, &format!("{key}."), found);
                    continue;
                }
                Value::Integer(number) => Parameter::Number(*number as f64),
                Value::Float(number) => Parameter::Number(*number),
                Value::Boolean(truth) => Parameter::Truth(*truth),
                Value::String(text) => Parameter::Text(text.clone()),
                other => Parameter::Text(other.to_string()),
            };
            found.push((key, value));
        }
    }
    let mut found = Vec::new();
    if let Ok(table) = Table::try_from(config) {
        walk(&table, "", &mut found);
    }
    found
}

/// Every parameter of a network with its name.
#[derive(Default)]
struct Weights {
    path: Vec<String>,
    found: Vec<(String, Vec<f32>)>,
}

impl ModuleVisitor for Weights {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let values = param.val().into_data().iter::<f32>().collect();
        self.found.push((self.path.join("."), values));
    }
}
