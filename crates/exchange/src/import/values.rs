//! Numbers of a file as 32-bit ones.

use safetensors::Dtype;

/// What becomes of the numbers of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    /// They are what they are.
    Same,
    /// They have more room than they need.
    Wider,
    /// They are rounded.
    Rounded,
}

impl Precision {
    /// None for a type whose numbers aren't taken.
    pub(super) fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F32 => Some(Self::Same),
            Dtype::F16 | Dtype::BF16 => Some(Self::Wider),
            Dtype::F64 => Some(Self::Rounded),
            _ => None,
        }
    }
}

/// The little-endian numbers in bytes; none of a type that isn't taken.
pub(super) fn values(dtype: Dtype, bytes: &[u8]) -> Vec<f32> {
    match dtype {
        Dtype::F32 => bytes
            .as_chunks()
            .0
            .iter()
            .map(|&four| f32::from_le_bytes(four))
            .collect(),
        Dtype::F64 => bytes
            .as_chunks()
            .0
            .iter()
            .map(|&eight| f64::from_le_bytes(eight) as f32)
            .collect(),
        Dtype::BF16 => bytes
            .as_chunks()
            .0
            .iter()
            .map(|&two| half::bf16::from_le_bytes(two).to_f32())
            .collect(),
        Dtype::F16 => bytes
            .as_chunks()
            .0
            .iter()
            .map(|&two| half::f16::from_le_bytes(two).to_f32())
            .collect(),
        _ => Vec::new(),
    }
}
