//! What is known of features beside the images that a distance is fitted on.

use crate::{DistanceLimit, Error, Logits};

/// What a distance may be fitted in.
#[derive(Clone, Copy, Debug)]
pub struct FeatureSpace<'a> {
    /// How many networks the features are of, each of which has as many.
    pub members: usize,
    /// A distance of the same networks, whose means and covariance are taken where images are too few to tell
    /// their own; only the limit is fitted then.
    pub known: Option<&'a DistanceLimit>,
}

impl From<usize> for FeatureSpace<'_> {
    fn from(members: usize) -> Self {
        let known = None;
        FeatureSpace { members, known }
    }
}

impl FeatureSpace<'_> {
    /// [`DistanceLimit::fit`] in this space.
    pub(crate) fn fit(
        self,
        validation: &Logits,
        features: &[Vec<f32>],
        kept_share: f64,
    ) -> Result<Option<DistanceLimit>, Error> {
        let own = DistanceLimit::fit(validation, features, self.members, kept_share)?;
        let width = features.first().map_or(0, Vec::len);
        let known = self.known.filter(|known| {
            let shape = [known.members, known.means.len(), known.whitening.len()];
            shape == [self.members, validation.classes(), width]
        });
        Ok(own.or_else(|| {
            let mut known = known?.clone();
            known.kept_share = kept_share;
            known.value = known.keeping(validation, features)?;
            Some(known)
        }))
    }
}
