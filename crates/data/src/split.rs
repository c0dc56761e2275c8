use crate::DataError;
use crate::random::{Purpose, Random};

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
/// [`DataError::Split`] if no image would be left to train on.
pub fn split(labels: &[u16], validation: usize, seed: u64) -> Result<Split, DataError> {
    if validation >= labels.len() {
        return Err(DataError::Split {
            validation,
            total: labels.len(),
        });
    }
    let members = by_label(labels, 0..labels.len() as u32);
    let shares = shares(&members, validation);
    Ok(parts(draw(members, &shares, Purpose::Split, seed)))
}

/// Holds a fifth of the images of each label out for testing, by draws of its own: at least one of two,
/// and not the only one.
#[cfg(feature = "pictures")]
pub(crate) fn hold_out(labels: &[u16], seed: u64) -> Split {
    let members = by_label(labels, 0..labels.len() as u32);
    let share = |members: &Vec<u32>| {
        (members.len() / 5)
            .max(1)
            .min(members.len().saturating_sub(1))
    };
    let shares: Vec<usize> = members.iter().map(share).collect();
    parts(draw(members, &shares, Purpose::HoldOut, seed))
}

/// Those drawn validate, the rest trains.
fn parts(drawn: Vec<(Vec<u32>, Vec<u32>)>) -> Split {
    let (drawn, rest): (Vec<_>, Vec<_>) = drawn.into_iter().unzip();
    let [mut train, mut validation] = [rest.concat(), drawn.concat()];
    train.sort_unstable();
    validation.sort_unstable();
    Split { train, validation }
}

impl Split {
    /// How many of `total` images are held out where `asked` is what a recipe says: a fifth where that were half
    /// of them or more, as a recipe made for MNIST is no reason to refuse a smaller set, unless the set is the one
    /// that the recipe is for.
    pub fn held_out(asked: usize, total: usize, is_own: bool) -> usize {
        match is_own || 2 * asked < total {
            true => asked,
            false => total / 5,
        }
    }

    /// Leaves `limit` of the training images, drawn by `seed`, each label in the proportion that it
    /// has among them: in a set that is sorted by label the first ones would be of one. A limit
    /// that isn't below their number changes nothing. `labels` are those that were split.
    pub fn limit_training(&mut self, labels: &[u16], limit: usize, seed: u64) {
        if limit < self.train.len() {
            let members = by_label(labels, self.train.iter().copied());
            let shares = shares(&members, limit);
            let drawn = draw(members, &shares, Purpose::Limit, seed);
            self.train = drawn.into_iter().flat_map(|(drawn, _)| drawn).collect();
            self.train.sort_unstable();
        }
    }
}

/// The indices of each label, in the order given.
fn by_label(labels: &[u16], indices: impl Iterator<Item = u32>) -> Vec<Vec<u32>> {
    let classes = labels
        .iter()
        .max()
        .map_or(0, |&label| usize::from(label) + 1);
    let mut members = vec![Vec::new(); classes];
    for index in indices {
        members[usize::from(labels[index as usize])].push(index);
    }
    members
}

/// Draws so many of the members of each label: those drawn and the rest, label by label.
fn draw(
    members: Vec<Vec<u32>>,
    shares: &[usize],
    purpose: Purpose,
    seed: u64,
) -> Vec<(Vec<u32>, Vec<u32>)> {
    let draw = |(label, mut indices): (usize, Vec<u32>)| {
        Random::keyed(&[purpose as u64, seed, label as u64]).shuffle(&mut indices);
        let rest = indices.split_off(shares[label]);
        (indices, rest)
    };
    members.into_iter().enumerate().map(draw).collect()
}

/// How many of each label are drawn for `count` in all: the whole part of the exact share, then one more for the
/// largest remainders (the smaller label where two are equal) until the sum is reached.
fn shares(members: &[Vec<u32>], count: usize) -> Vec<usize> {
    let total: usize = members.iter().map(Vec::len).sum();
    let exact = |label: usize| members[label].len() as u128 * count as u128;
    let mut shares: Vec<usize> = (0..members.len())
        .map(|label| (exact(label) / total as u128) as usize)
        .collect();
    let missing = count - shares.iter().sum::<usize>();
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(|&label| std::cmp::Reverse(exact(label) % total as u128));
    for &label in order.iter().take(missing) {
        shares[label] += 1;
    }
    shares
}
