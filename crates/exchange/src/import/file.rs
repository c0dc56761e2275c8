//! A safetensors file: its header first, and its tensors only if they are those that are wanted.

use std::{collections::BTreeMap, io::Read};

use safetensors::{Dtype, tensor::Metadata};

use super::names::{Names, Shapes};
use super::values::{Precision, values};

/// The header of a network of ours takes some 40 kB.
const HEADER_LIMIT: u64 = 1 << 20;

/// A file whose header was read.
pub(super) struct Header<R> {
    metadata: Metadata,
    source: R,
}

/// Reads the header of `length` bytes of a file.
pub(super) fn header<R: Read>(mut source: R, length: u64) -> Result<Header<R>, String> {
    let unreadable = |error: std::io::Error| format!("can't read: {error}");
    let mut size = [0; 8];
    if length < 8 {
        return Err("too short for a safetensors file".into());
    }
    source.read_exact(&mut size).map_err(unreadable)?;
    if size.starts_with(b"PK\x03\x04") || size.starts_with(b"\x80\x02") {
        return Err("a file of torch.save, which may hold any program; in Python, \
             safetensors.torch.save_file(model.state_dict(), \"model.safetensors\") writes one that can \
             be imported"
            .into());
    }
    let size = u64::from_le_bytes(size);
    if size > HEADER_LIMIT || size > length - 8 {
        return Err(format!(
            "not a safetensors file: it begins with a header of {size} bytes, of {length} in all and \
             {HEADER_LIMIT} that it may take"
        ));
    }
    let mut header = vec![0; size as usize];
    source.read_exact(&mut header).map_err(unreadable)?;
    let metadata: Metadata = serde_json::from_slice(&header)
        .map_err(|error| format!("not a safetensors file: its header is wrong: {error}"))?;
    let stated = metadata.data_len() as u64;
    if stated != length - 8 - size {
        return Err(format!(
            "cut short or changed: its header speaks of {stated} bytes of tensors, and there are {}",
            length - 8 - size
        ));
    }
    Ok(Header { metadata, source })
}

impl<R: Read> Header<R> {
    /// The names of all tensors and their shapes.
    pub(super) fn shapes(&self) -> Shapes {
        let tensors = self.metadata.tensors().into_iter();
        tensors
            .map(|(name, tensor)| (name, tensor.shape.clone()))
            .collect()
    }

    /// The tensors, which are known to be those that are wanted.
    pub(super) fn body(mut self, names: &Names) -> Result<Weights, String> {
        let mut parts = BTreeMap::new();
        let mut notes = names.notes.clone();
        let (mut rounded, mut widened) = (0, 0);
        for (ours, theirs) in &names.theirs {
            let Some(info) = self.metadata.info(theirs) else {
                return Err(format!("`{theirs}` is missing"));
            };
            match Precision::of(info.dtype) {
                Some(Precision::Same) => {}
                Some(Precision::Wider) => widened += 1,
                Some(Precision::Rounded) => rounded += 1,
                None => {
                    return Err(format!(
                        "`{theirs}` is of type {}; weights may be F32, F16, BF16 or F64: convert them in \
                         Python, by model.float()",
                        info.dtype
                    ));
                }
            }
            let part = Part {
                name: theirs.clone(),
                dtype: info.dtype,
                from: info.data_offsets.0,
                to: info.data_offsets.1,
            };
            parts.insert(ours.clone(), part);
        }
        if widened > 0 {
            notes.push(format!(
                "{widened} tensors of 16 bits a number are held in 32 bits, which changes none"
            ));
        }
        if rounded > 0 {
            notes.push(format!(
                "{rounded} tensors of 64 bits a number are rounded to 32"
            ));
        }
        let mut body = vec![0; self.metadata.data_len()];
        self.source
            .read_exact(&mut body)
            .map_err(|error| format!("can't read: {error}"))?;
        Ok(Weights {
            parts,
            folded: names.folded.clone(),
            body,
            notes,
        })
    }
}

/// Where the numbers of a tensor are.
#[derive(Debug)]
struct Part {
    name: String,
    dtype: Dtype,
    from: usize,
    to: usize,
}

/// The tensors of a file by our names.
#[derive(Debug)]
pub(super) struct Weights {
    parts: BTreeMap<String, Part>,
    /// The running mean that a bias is taken from.
    folded: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
    pub(super) notes: Vec<String>,
}

impl Weights {
    /// The numbers of a tensor in PyTorch's layout.
    pub(super) fn values(&self, name: &str) -> Result<Vec<f32>, String> {
        let mut found = self.stored(name)?;
        if let Some(bias) = self.folded.get(name) {
            let bias = self.stored(bias)?;
            found
                .iter_mut()
                .zip(bias)
                .for_each(|(mean, bias)| *mean -= bias);
        }
        Ok(found)
    }

    fn stored(&self, ours: &str) -> Result<Vec<f32>, String> {
        let Some(part) = self.parts.get(ours) else {
            return Err(format!("`{ours}` is missing"));
        };
        let bytes = self.body.get(part.from..part.to).unwrap_or_default();
        let found = values(part.dtype, bytes);
        let name = &part.name;
        if let Some((at, value)) = (0..).zip(&found).find(|(_, value)| !value.is_finite()) {
            return Err(match part.dtype {
                Dtype::F64 if value.is_infinite() => {
                    format!("`{name}` holds, at {at}, what is infinite or too large for 32 bits")
                }
                _ => format!("`{name}` holds {value} at {at}; weights are finite numbers"),
            });
        }
        let negative = (0..).zip(&found).find(|(_, value)| **value < 0.0);
        match negative {
            Some((at, value)) if ours.ends_with(".running_var") => Err(format!(
                "`{name}` holds {value} at {at}; a variance is not below 0"
            )),
            _ => Ok(found),
        }
    }
}
