//! Whether the files of a training checkpoint are of one network at one step.
//!
//! Burn passes over what it misses in a record, and the run would go on with an optimizer that begins
//! anew; what doesn't fit in shape ends it in the middle of a step. Both are found here, before.

use std::collections::BTreeMap;

use burn::tensor::{Bytes, DType, Shape};
use burn_pack::{Reader, Scalar};
use model::{
    CheckpointError,
    checkpoint::{Checkpoint, LIVE, MODEL, OPTIMIZER, SCHEDULER},
};

/// Checks that live weights, optimizer and scheduler are those of the network in the same checkpoint after
/// `step` steps, tensor for tensor.
///
/// # Errors
/// [`CheckpointError::Invalid`] with the file that is something else.
pub fn check(checkpoint: &Checkpoint, step: usize) -> Result<(), CheckpointError> {
    let model = Pack::read(checkpoint, MODEL)?;
    if checkpoint.file(LIVE).is_some() && Pack::read(checkpoint, LIVE)? != model {
        let problem = format!("not the weights of the network in {MODEL}");
        return Err(invalid(checkpoint, LIVE, problem));
    }
    let time = Scalar::UInt(step as u64);
    let mut optimizer = Pack::default();
    for (path, tensor) in model.tensors {
        if path.ends_with(".running_mean") || path.ends_with(".running_var") {
            continue;
        }
        let Some(id) = tensor.id else {
            return Err(invalid(checkpoint, MODEL, format!("`{path}` has no id")));
        };
        let rank = Scalar::UInt(tensor.shape.num_dims() as u64);
        optimizer.scalars.insert(format!("{id}.__rank"), rank);
        optimizer
            .scalars
            .insert(format!("{id}.momentum.time"), time);
        optimizer.paths.insert(id.to_string(), path);
        for moment in ["moment_1", "moment_2"] {
            let name = format!("{id}.momentum.{moment}");
            optimizer.tensors.insert(name, tensor.clone());
        }
    }
    let mut scheduler = Pack::default();
    scheduler.scalars.insert("0.step".into(), time);
    for (file, expected) in [(OPTIMIZER, optimizer), (SCHEDULER, scheduler)] {
        if Pack::read(checkpoint, file)? != expected {
            let problem = format!("not the state of this network's training after {step} steps");
            return Err(invalid(checkpoint, file, problem));
        }
    }
    Ok(())
}

/// What a burnpack file holds, but for the numbers in the tensors.
#[derive(Default, PartialEq)]
struct Pack {
    tensors: BTreeMap<String, Layout>,
    scalars: BTreeMap<String, Scalar>,
    /// Which parameter has which id.
    paths: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq)]
struct Layout {
    dtype: DType,
    shape: Shape,
    id: Option<u64>,
}

impl Pack {
    fn read(checkpoint: &Checkpoint, file: &str) -> Result<Self, CheckpointError> {
        let bytes = checkpoint.file(file).unwrap_or_default().to_vec();
        Self::parse(Bytes::from_bytes_vec(bytes))
            .map_err(|error| invalid(checkpoint, file, format!("not a burnpack file: {error}")))
    }

    fn parse(bytes: Bytes) -> Result<Self, burn_pack::Error> {
        let reader = Reader::from_bytes(bytes)?;
        Ok(Pack {
            scalars: reader.scalars().clone(),
            paths: reader.metadata().clone(),
            tensors: reader
                .into_tensors()?
                .into_iter()
                .map(|tensor| {
                    let (name, dtype, shape, id, _) = tensor.into_parts()?;
                    Ok((name, Layout { dtype, shape, id }))
                })
                .collect::<Result<_, burn_pack::Error>>()?,
        })
    }
}

fn invalid(checkpoint: &Checkpoint, file: &str, problem: String) -> CheckpointError {
    CheckpointError::Invalid {
        path: checkpoint.path().join(file),
        problem,
    }
}
