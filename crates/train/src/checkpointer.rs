//! Burn's three checkpointers, gathered into one folder that appears at once.
//!
//! Burn's `Learner` hands model, optimizer and scheduler to three independent checkpointers, each
//! on a thread of its own. Here each one leaves its bytes in a shared set; the last to arrive
//! writes the set as one checkpoint and tells the training loop how that went.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
};

use burn::{
    store::{ModuleRecord, RecordError},
    tensor::Bytes,
    train::{
        LearnerModel, SupervisedTraining,
        checkpoint::{
            Checkpoint as Record, Checkpointer, CheckpointerError, CheckpointingAction,
            CheckpointingStrategy,
        },
        metric::store::EventStoreClient,
    },
};
use model::{
    CheckpointError, Manifest,
    checkpoint::{self, Checkpoint, LIVE, MANIFEST, MODEL, OPTIMIZER, SCHEDULER},
};

/// The training loop's end: says what belongs into the next checkpoint and waits for it.
#[derive(Debug)]
pub struct CheckpointSet {
    weights: &'static str,
    shared: Arc<Shared>,
    written: Mutex<Receiver<Result<(), CheckpointError>>>,
}

#[derive(Debug)]
struct Shared {
    next: Mutex<Set>,
    done: Sender<Result<(), CheckpointError>>,
    restored: Option<Checkpoint>,
}

#[derive(Debug, Default)]
struct Set {
    destination: PathBuf,
    manifest: Vec<u8>,
    files: BTreeMap<&'static str, Bytes>,
    /// How many of Burn's checkpointers have still to come.
    awaited: usize,
}

impl CheckpointSet {
    /// A set that restores from `restored`, if training goes on from a checkpoint. Where weights are
    /// `averaged`, the average takes the name of the model.
    pub fn new(restored: Option<Checkpoint>, averaged: bool) -> Self {
        let (done, written) = mpsc::channel();
        CheckpointSet {
            weights: if averaged { LIVE } else { MODEL },
            shared: Arc::new(Shared {
                next: Mutex::default(),
                done,
                restored,
            }),
            written: Mutex::new(written),
        }
    }

    /// Registers the three checkpointers with Burn; every finished epoch is saved.
    pub fn register<M: LearnerModel>(
        &self,
        training: SupervisedTraining<M>,
    ) -> SupervisedTraining<M> {
        let part = |file| Part {
            file,
            shared: Arc::clone(&self.shared),
        };
        training
            .with_custom_checkpointers(part(self.weights), part(OPTIMIZER), part(SCHEDULER))
            .with_checkpointing_strategy(EveryEpoch)
    }

    /// The average of the weights in the checkpoint that training goes on from.
    ///
    /// # Errors
    /// [`CheckpointError::Invalid`] if it is none.
    pub fn average(&self) -> Result<Option<ModuleRecord>, CheckpointError> {
        let Some(restored) = &self.shared.restored else {
            return Ok(None);
        };
        let bytes = restored.file(MODEL).unwrap_or_default().to_vec();
        ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes))
            .map(Some)
            .map_err(|error| invalid(restored.path().join(MODEL), &error))
    }

    /// Says where the next checkpoint goes, what it states, and the average of the weights if there is one.
    ///
    /// # Errors
    /// [`CheckpointError::Invalid`] for a manifest that JSON can't hold.
    pub fn prepare(
        &self,
        destination: PathBuf,
        manifest: &Manifest,
        average: Option<ModuleRecord>,
    ) -> Result<(), CheckpointError> {
        let manifest = manifest
            .to_json()
            .map_err(|error| invalid(destination.join(MANIFEST), &error))?;
        let average = average
            .map(bytes)
            .transpose()
            .map_err(|error| invalid(destination.join(MODEL), &error))?;
        *lock(&self.shared.next) = Set {
            destination,
            manifest,
            files: average.map(|bytes| (MODEL, bytes)).into_iter().collect(),
            awaited: 3,
        };
        Ok(())
    }

    /// Waits until the checkpoint that Burn was asked for is on disk.
    ///
    /// # Errors
    /// What kept it from being written.
    pub fn wait(&self) -> Result<(), CheckpointError> {
        // The sender lives in `self.shared`, so there is always an answer.
        lock(&self.written).recv().unwrap_or(Ok(()))
    }
}

/// The checkpointer of one file of the set.
struct Part {
    file: &'static str,
    shared: Arc<Shared>,
}

impl<R: Record> Checkpointer<R> for Part {
    fn save(&self, _epoch: usize, record: R) -> Result<(), CheckpointerError> {
        let bytes = bytes(record);
        let mut set = lock(&self.shared.next);
        let bytes = bytes.map_err(|error| {
            // Without this answer the loop would wait for a set that is never full.
            let problem = invalid(set.destination.join(self.file), &error);
            let _ = self.shared.done.send(Err(problem));
            CheckpointerError::Record(error)
        })?;
        set.files.insert(self.file, bytes);
        set.awaited = set.awaited.saturating_sub(1);
        if set.awaited == 0 {
            let set = std::mem::take(&mut *set);
            let mut files: Vec<(&str, &[u8])> = vec![(MANIFEST, &set.manifest)];
            files.extend(set.files.iter().map(|(name, bytes)| (*name, &bytes[..])));
            // The loop waits for this answer; when it is gone, nobody needs it.
            let _ = self
                .shared
                .done
                .send(checkpoint::write(&set.destination, &files));
        }
        Ok(())
    }

    /// Old checkpoints are removed as whole folders by the training loop.
    fn delete(&self, _epoch: usize) -> Result<(), CheckpointerError> {
        Ok(())
    }

    fn restore(&self, epoch: usize) -> Result<R, CheckpointerError> {
        let checkpoint = self.shared.restored.as_ref();
        let bytes = checkpoint
            .and_then(|checkpoint| checkpoint.file(self.file))
            .ok_or_else(|| {
                CheckpointerError::Unknown(format!("nothing to restore for epoch {epoch}"))
            })?;
        R::checkpoint_from_bytes(Bytes::from_bytes_vec(bytes.to_vec()))
            .map_err(CheckpointerError::Record)
    }
}

/// Burn lists the optimizer's tensors in the order of a hash map; read back they are sorted by name. So the
/// same state is always the same bytes.
fn bytes<R: Record>(record: R) -> Result<Bytes, RecordError> {
    record
        .checkpoint_into_bytes()
        .and_then(R::checkpoint_from_bytes)
        .and_then(R::checkpoint_into_bytes)
}

struct EveryEpoch;

impl CheckpointingStrategy for EveryEpoch {
    fn checkpointing(&mut self, _epoch: usize, _: &EventStoreClient) -> Vec<CheckpointingAction> {
        vec![CheckpointingAction::Save]
    }
}

fn invalid(path: PathBuf, problem: &dyn std::fmt::Display) -> CheckpointError {
    CheckpointError::Invalid {
        path,
        problem: problem.to_string(),
    }
}

/// A panic elsewhere doesn't make the set wrong: it is replaced before each use.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
