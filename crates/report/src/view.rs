//! Whether images that a classifier can't read are held another way than those it was trained on.

use data::{ImageShape, LabelledImages};
use evaluation::{Estimate, interval};
use model::Classifier;
use serde::Serialize;

use crate::ExaminationError;

/// Another way to look at an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct View {
    /// Rows and columns are exchanged, before all else.
    pub transposed: bool,
    /// Left and right are exchanged.
    pub mirrored: bool,
    /// Top and bottom are exchanged.
    pub upside_down: bool,
    /// Light and dark are exchanged.
    pub inverted: bool,
}

impl View {
    /// The view of images whose rows and columns are exchanged, as in EMNIST's files.
    pub const TRANSPOSED: Self = Self {
        transposed: true,
        mirrored: false,
        upside_down: false,
        inverted: false,
    };

    /// Everything but the image as it is.
    fn all(shape: ImageShape) -> impl Iterator<Item = Self> {
        let views = (1..16).map(|bits| Self {
            transposed: bits & 1 != 0,
            mirrored: bits & 2 != 0,
            upside_down: bits & 4 != 0,
            inverted: bits & 8 != 0,
        });
        views.filter(move |view| view.suits(shape))
    }

    /// Whether an image of that shape can be seen so: transposed it keeps its shape if it is a square.
    pub fn suits(self, shape: ImageShape) -> bool {
        !self.transposed || shape.height == shape.width
    }

    /// An image, `[channels, height, width]`, seen so. Where [`suits`](Self::suits) is false, rows and
    /// columns stay as they are.
    ///
    /// # Panics
    /// If `image` is shorter than an image of that shape, like a slice.
    pub fn of(self, shape: ImageShape, image: &[u8]) -> Vec<u8> {
        let ImageShape { height, width, .. } = shape;
        let transposed = self.transposed && self.suits(shape);
        let value = |at: usize| {
            let (start, at) = (at - at % shape.plane(), at % shape.plane());
            let (mut y, mut x) = (at / width, at % width);
            if self.upside_down {
                y = height - 1 - y;
            }
            if self.mirrored {
                x = width - 1 - x;
            }
            if transposed {
                (y, x) = (x, y);
            }
            let value = image[start + y * width + x];
            if self.inverted { 255 - value } else { value }
        };
        (0..shape.len()).map(value).collect()
    }

    /// What it does, in words.
    pub fn describe(self) -> String {
        let place = match (self.transposed, self.mirrored, self.upside_down) {
            (false, false, false) => "",
            (true, false, false) => "rows and columns exchanged, as EMNIST's files hold them",
            (false, true, false) => "left and right exchanged",
            (false, false, true) => "top and bottom exchanged",
            (false, true, true) => "a half turn",
            (true, true, false) => "a quarter turn clockwise",
            (true, false, true) => "a quarter turn anticlockwise",
            (true, true, true) => "rows and columns exchanged and a half turn",
        };
        let light = "light and dark exchanged";
        match (place, self.inverted) {
            (place, false) => place.to_owned(),
            ("", true) => light.to_owned(),
            (place, true) => format!("{place}, and {light}"),
        }
    }
}

/// A view in which a classifier reads images that it can't read as they are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Misread {
    /// How the images have to be seen.
    pub view: View,
    /// How many of the images were tried so.
    pub images: u64,
    /// Share of them that is right as they are, a fraction.
    pub as_they_are: Estimate,
    /// Share of them that is right when seen so, a fraction.
    pub seen_so: Estimate,
}

/// Above this accuracy images are taken to be held as the classifier expects them.
const READABLE: f64 = 0.9;
/// So many images tell one view from another.
const TRIED: usize = 500;

impl Misread {
    /// Looks for a view in which less than half as many images are wrong, and surely fewer. None if
    /// `accuracy`, the share of right images, is well enough, and where no view helps.
    ///
    /// # Errors
    /// If the images are of another shape than the classifier's.
    pub fn find(
        classifier: &Classifier,
        images: &LabelledImages,
        accuracy: f64,
    ) -> Result<Option<Self>, ExaminationError> {
        if accuracy >= READABLE {
            return Ok(None);
        }
        // Spread over all of them: they may be sorted.
        let step = images.len().div_ceil(TRIED);
        let tried: Vec<usize> = (0..images.len()).step_by(step).collect();
        let as_they_are = right(classifier, images, &tried, View::default())?;
        let mut best: Option<Self> = None;
        for view in View::all(images.shape()) {
            let seen_so = right(classifier, images, &tried, view)?;
            if best.is_none_or(|best| seen_so.value > best.seen_so.value) {
                best = Some(Self {
                    view,
                    images: tried.len() as u64,
                    as_they_are,
                    seen_so,
                });
            }
        }
        Ok(best.filter(|best| {
            best.seen_so.lower > best.as_they_are.upper
                && 1.0 - best.seen_so.value < 0.5 * (1.0 - best.as_they_are.value)
        }))
    }

    /// What to tell the user, as a sentence.
    pub fn hint(&self) -> String {
        format!(
            "{:.1} % of {} tried would be right instead of {:.1} % with {}: these images seem to be held \
             another way than those that it was trained on",
            100.0 * self.seen_so.value,
            self.images,
            100.0 * self.as_they_are.value,
            self.view.describe(),
        )
    }
}

fn right(
    classifier: &Classifier,
    images: &LabelledImages,
    tried: &[usize],
    view: View,
) -> Result<Estimate, ExaminationError> {
    let shape = images.shape();
    let seen: Vec<u8> = tried
        .iter()
        .flat_map(|&index| view.of(shape, images.image(index)))
        .collect();
    let answers = classifier.classify_all(&seen);
    let answers = answers.map_err(|error| ExaminationError::Shape {
        found: shape,
        expected: error.shape,
    })?;
    let right = answers
        .iter()
        .zip(tried)
        .filter(|(answer, index)| answer.class == images.label(**index))
        .count();
    Ok(interval::wilson(right as u64, tried.len() as u64, 0.95)?)
}
