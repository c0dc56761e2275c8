//! The models in service, by name, and how another takes the place of one.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use anyhow::{Context, bail, ensure};
use model::{Classifier, Device, InferencePrecision, checkpoint::Checkpoint};
use sha2::{Digest, Sha256};
use tracing::{info, warn};

use crate::{
    gate::{Gate, Verdict},
    replacement::{Replacement, Retry},
};

/// How all models compute.
#[derive(Clone, Debug)]
pub struct Computing {
    /// Where.
    pub device: Device,
    /// In what.
    pub precision: InferencePrecision,
}

/// A model as it answers: never changed, only replaced.
#[derive(Debug)]
pub struct Loaded {
    /// What answers.
    pub classifier: Classifier,
    /// The first digits of the digest of its `SHA256SUMS`: the same bytes, the same version.
    pub version: String,
}

/// A name, and the model that answers to it at present.
#[derive(Debug)]
pub struct Slot {
    folder: PathBuf,
    current: RwLock<Arc<Loaded>>,
    past: Mutex<Past>,
}

/// What became of the folder's content so far.
#[derive(Debug, Default)]
struct Past {
    /// The versions that were in service.
    served: Vec<String>,
    last: Option<Replacement>,
}

/// The models in service.
#[derive(Debug)]
pub struct Models {
    slots: BTreeMap<String, Arc<Slot>>,
    first: String,
    computing: Computing,
}

impl Models {
    /// Loads each of `FOLDER` or `NAME=FOLDER`.
    ///
    /// # Errors
    /// If one can't be loaded, or a name can't stand in an address or stands twice.
    pub fn load(given: &[String], computing: Computing) -> anyhow::Result<Self> {
        let mut slots = BTreeMap::new();
        let mut first = None;
        for given in given {
            let (name, folder) = named(given)?;
            let loaded = load(&folder, &computing)?;
            let past = Past {
                served: vec![loaded.version.clone()],
                last: None,
            };
            let slot = Slot {
                folder,
                current: RwLock::new(Arc::new(loaded)),
                past: Mutex::new(past),
            };
            if slots.insert(name.clone(), Arc::new(slot)).is_some() {
                bail!("two models are called {name}: give them names, as NAME=FOLDER");
            }
            first.get_or_insert(name);
        }
        Ok(Models {
            slots,
            first: first.context("no model to serve")?,
            computing,
        })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Slot>)> {
        self.slots.iter().map(|(name, slot)| (&name[..], slot))
    }

    /// The one of a name; without, the first of the command line.
    pub fn get(&self, name: Option<&str>) -> Option<(&str, &Arc<Slot>)> {
        let (name, slot) = self.slots.get_key_value(name.unwrap_or(&self.first))?;
        Some((name, slot))
    }

    /// Has no model answer to a name.
    pub fn withdraw(&mut self, name: &str) {
        self.slots.remove(name);
    }

    /// The name of the first of the command line.
    pub fn first(&self) -> &str {
        &self.first
    }

    /// Takes those into service whose folder holds other bytes than before, if they can be loaded, fit, and
    /// are not worse as far as `gate` can tell; else the old ones stay. What was refused is looked at `again`
    /// if that is asked for.
    pub fn refresh(&self, gate: &Gate, again: bool) {
        for (name, slot) in &self.slots {
            let Some(last) = slot.refresh(name, &self.computing, gate, again) else {
                continue;
            };
            let Replacement {
                version,
                taken,
                say,
                ..
            } = last;
            match taken {
                true => info!(model = name, version, why = say, "another model in service"),
                false => warn!(
                    model = name,
                    version,
                    error = say,
                    "a new model isn't taken over; the old one stays"
                ),
            }
        }
    }
}

impl Slot {
    /// The model that answers at present. Who asks once for a request has one model for all of it.
    pub fn current(&self) -> Arc<Loaded> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is in the folder, if it can take the place of what answers at present.
    fn successor(&self, current: &Loaded, computing: &Computing) -> anyhow::Result<Loaded> {
        let loaded = load(&self.folder, computing)?;
        let (old, new) = (&current.classifier, &loaded.classifier);
        ensure!(
            old.shape() == new.shape()
                && old.classes() == new.classes()
                && old.manifest().picture == new.manifest().picture,
            "{} takes other images or pictures, or knows other classes: start the server anew with it",
            self.folder.display()
        );
        Ok(loaded)
    }

    /// What became of another model in the folder last.
    pub fn last(&self) -> Option<Replacement> {
        self.past().last.clone()
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of another model in the folder, if there is something new to tell.
    fn refresh(
        &self,
        name: &str,
        computing: &Computing,
        gate: &Gate,
        again: bool,
    ) -> Option<Replacement> {
        let current = self.current();
        // In the moment between two folders there may be none.
        let version = version(&self.folder).ok()?;
        let before = {
            let mut past = self.past();
            if version == current.version {
                // The old one was put back.
                past.last.take_if(|last| !last.taken);
                return None;
            }
            let last = past.last.as_ref().filter(|last| !last.taken);
            last.filter(|last| last.version == version).cloned()
        };
        if !again && before.as_ref().is_some_and(|last| !last.retry.is_due()) {
            return None;
        }
        let last = match self.successor(&current, computing) {
            Err(error) => Replacement::fault(version, &error, Retry::Look),
            Ok(loaded) => self.succeed(name, &current, loaded, gate),
        };
        self.past().last = Some(last.clone());
        // What is tried again and again is told of once.
        let news = again || before.is_none() || matches!(last.retry, Retry::Asked);
        news.then_some(last)
    }

    /// Puts a model into the place of the one in service, if it may be there.
    fn succeed(&self, name: &str, current: &Loaded, loaded: Loaded, gate: &Gate) -> Replacement {
        let version = loaded.version.clone();
        let known = self.past().served.contains(&version);
        let verdict = match known {
            true => Ok(Verdict::NotWorse("it was in service before".to_owned())),
            false => gate.pass(name, current, &loaded),
        };
        let (taken, say) = match verdict {
            Err(error) => {
                return Replacement::fault(version, &error, Retry::later());
            }
            Ok(Verdict::Refused(say) | Verdict::Open(say)) => (false, say),
            Ok(Verdict::NotWorse(say)) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
                if !known {
                    self.past().served.push(version.clone());
                }
                (true, say)
            }
        };
        Replacement {
            version,
            taken,
            say: say.replace(char::is_control, " "),
            retry: Retry::Asked,
        }
    }
}

impl Loaded {
    /// What can be counted on, in a sentence.
    pub fn promise(&self) -> String {
        self.classifier.calibration().deferral.promise()
    }
}

fn named(given: &str) -> anyhow::Result<(String, PathBuf)> {
    let (name, folder) = match given.split_once('=') {
        Some((name, folder)) => (name.to_owned(), PathBuf::from(folder)),
        None => {
            let folder = PathBuf::from(given);
            // A run's folder says more than `model` does.
            let last = folder.file_name().filter(|name| *name != "model");
            let last = last.or_else(|| folder.parent()?.file_name());
            let name = last.and_then(|name| name.to_str()).unwrap_or("model");
            (name.to_owned(), folder)
        }
    };
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    ensure!(
        !name.is_empty() && name.chars().all(plain) && !name.starts_with('.'),
        "{given}: a model's name stands in addresses and may have letters, digits, - _ and . only: give it one, as NAME=FOLDER"
    );
    Ok((name, folder))
}

fn load(folder: &Path, computing: &Computing) -> anyhow::Result<Loaded> {
    // Another checkpoint may take the place meanwhile: the version is that of what was loaded.
    for _ in 0..3 {
        let before = version(folder)?;
        let checkpoint = Checkpoint::open(folder)?;
        if version(folder)? == before {
            return Ok(Loaded {
                classifier: Classifier::from_checkpoint(&checkpoint, &computing.device)?
                    .with_precision(computing.precision)?,
                version: before,
            });
        }
    }
    bail!("{} changes all the time", folder.display())
}

fn version(folder: &Path) -> anyhow::Result<String> {
    let path = folder.join("SHA256SUMS");
    let sums = std::fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
    let digest = Sha256::digest(&sums);
    Ok(digest[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
