use data::LabelledImages;
use model::{Classifier, Decision, PictureInput};
use runs::History;
use stress::Stress;

use crate::Examination;

/// What the page is made of.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The classifier.
    pub classifier: &'a Classifier,
    /// The images that it was examined on.
    pub images: &'a LabelledImages,
    /// What the examination found.
    pub examination: &'a Examination,
    /// How training went, where that is known; of several networks the first one's.
    pub history: Option<&'a History>,
    /// What it does with corrupted images and with what is none of its classes, where that was tried.
    pub stress: Option<&'a Stress>,
}

impl Page<'_> {
    /// The name of a class.
    pub(super) fn name(&self, class: u16) -> &str {
        let names = self.classifier.classes();
        names.get(usize::from(class)).map_or("?", String::as_str)
    }

    /// Whether the machine keeps the answer of a row.
    pub(super) fn accepts(&self, row: usize) -> bool {
        self.examination.answers()[row].decision == Decision::Accept
    }

    /// Whether its images are ink on an empty ground: symbols in a frame, grey and light on dark.
    pub(super) fn is_ink(&self) -> bool {
        let framed = self.classifier.manifest().picture == PictureInput::Framed;
        framed && self.classifier.shape().channels == 1
    }
}
