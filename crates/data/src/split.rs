use crate::random::{Purpose, Random};
use crate::{CLASSES, DataError};

/// Which images train and which validate: indices into the training set, each image in exactly one
/// of the two, both in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Indices of the images to train on.
    pub train: Vec<u32>,
    /// Indices of the images to validate on.
    pub validation: Vec<u32>,
}

/// Sets `validation` images aside, drawn by `seed`, each label in the proportion that it has in the
/// whole (so that both parts are small pictures of it).
///
/// A label's share is rounded by the method of largest remainders, which makes the parts sum to
/// exactly `validation`. `validation` may be 0.
///
/// # Errors
///
/// [`DataError::Split`] if no image would be left to train on; [`DataError::Label`] for a label
/// above 9.
pub fn split(labels: &[u8], validation: usize, seed: u64) -> Result<Split, DataError> {
    if validation >= labels.len() {
        return Err(DataError::Split {
            validation,
            total: labels.len(),
        });
    }
    let mut members: [Vec<u32>; CLASSES] = Default::default();
    for (index, &label) in labels.iter().enumerate() {
        members
            .get_mut(usize::from(label))
            .ok_or_else(|| DataError::Label {
                file: "the set to split".into(),
                index,
                label,
            })?
            .push(index as u32);
    }
    let shares = shares(&members, validation, labels.len());
    let mut split = Split {
        train: Vec::with_capacity(labels.len() - validation),
        validation: Vec::with_capacity(validation),
    };
    for (label, (mut indices, share)) in members.into_iter().zip(shares).enumerate() {
        Random::keyed(&[Purpose::Split as u64, seed, label as u64]).shuffle(&mut indices);
        split.validation.extend(&indices[..share]);
        split.train.extend(&indices[share..]);
    }
    split.train.sort_unstable();
    split.validation.sort_unstable();
    Ok(split)
}

/// How many of each label validate: the whole part of the exact share, then one more for the
/// largest remainders (the smaller label where two are equal) until the sum is reached.
fn shares(members: &[Vec<u32>; CLASSES], validation: usize, total: usize) -> [usize; CLASSES] {
    let exact = |label: usize| members[label].len() as u128 * validation as u128;
    let mut shares = std::array::from_fn(|label| (exact(label) / total as u128) as usize);
    let missing = validation - shares.iter().sum::<usize>();
    let mut order: [usize; CLASSES] = std::array::from_fn(|label| label);
    order.sort_by_key(|&label| std::cmp::Reverse(exact(label) % total as u128));
    for &label in order.iter().take(missing) {
        shares[label] += 1;
    }
    shares
}
