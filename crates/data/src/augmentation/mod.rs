//! Training images as other hands, pens, papers and scanners would have made them.

mod amounts;
mod cells;
mod copies;
mod negatives;
mod pen;
mod soften;
mod stroke;
mod styles;
mod tone;
mod warp;

use serde::{Deserialize, Serialize};

use crate::ImageShape;
use crate::random::{Purpose, Random};

use amounts::limits;
pub(crate) use negatives::{Digit, negative};
use soften::{Blur, Coarse};
use stroke::{Crop, Outline, Stroke};
use styles::Styles;
use tone::{Noise, Tone};
use warp::Warp;

/// What may happen to a training image; each amount is the greatest, and 0 for never.
///
/// First styles, crop, stroke, outline and resolution; then rotation, shear, stretch and zoom about the centre, the shift
/// and the elastic displacement as one map, sampled once with bilinear interpolation; then the others.
/// What comes from outside the image is 0, as paper is; ink is bright. The default is no change.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Degrees, 0 to 180, drawn evenly from either direction: nobody holds the paper straight.
    pub rotation: f64,
    /// Fraction of the width, 0 to 1, drawn evenly for each direction by itself: what is centred by
    /// one program is a little off in another.
    pub shift: f64,
    /// Fraction of the size, 0 to 0.9: 0.1 draws a size of 0.9 to 1.1.
    pub zoom: f64,
    /// Fraction by which the image becomes wider and as much lower, or narrower and higher, 0 to 0.9: hands
    /// are broad or narrow.
    pub stretch: f64,
    /// Degrees by which upright lines lean, 0 to 60, to either side: hands slant.
    pub shear: f64,
    /// Fraction of the width, 0 to 0.2, by which the points of a 4×4 grid are displaced, smoothly
    /// between them: no hand draws a line twice alike (Simard, Steinkraus and Platt 2003, "Best Practices
    /// for Convolutional Neural Networks Applied to Visual Document Analysis", section 2).
    pub elastic: f64,
    /// Pixels, 0 to 3, by which strokes become thicker on each side, or thinner by up to half of it, drawn
    /// evenly: pens, and small writing that was enlarged.
    pub stroke: f64,
    /// Share of the images, 0 to 1, of which only the outline is left: hollow letters, stencils, programs that
    /// look for edges.
    pub outline: f64,
    /// Share of the resolution that is lost, 0 to 0.9, in half of the images: coarse scanners.
    pub resolution: f64,
    /// Standard deviation in pixels, 0 to 4, in half of the images: cameras out of focus.
    pub blur: f64,
    /// Share of the images, 0 to 1, that become black and white at a threshold of 0.3 to 0.7 of the
    /// brightest value, some of them with a soft edge: scanners and faxes.
    pub binarize: f64,
    /// Fraction of the brightness that is lost, 0 to 0.9, in half of the images: pencils and dry pens.
    pub contrast: f64,
    /// Fraction of the brightness that one side loses against the other, 0 to 0.9, in half of the
    /// images: light from a side.
    pub shade: f64,
    /// Greatest change of a pixel by itself, as a fraction of the range, 0 to 0.5, in half of the
    /// images: sensors and rough paper.
    pub noise: f64,
    /// Fraction of what is drawn, 0 to 0.5, that is cut off at one side, in half of the images:
    /// segmentation that comes too close.
    pub crop: f64,
    /// Share of the digits, 0 to 1, that get strokes which some hands have and MNIST's lack: the
    /// upstroke, the foot and the fat stem of a 1, the bar of a 7, the hook of a 9, a 4 that is open, closed or
    /// has a short stem. Without effect
    /// where the classes are not the ten digits.
    pub styles: f64,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self::NONE
    }
}

/// What one drawing of an augmentation depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The seed of the run.
    pub seed: u64,
    /// The epoch, from 1; 0 for what is drawn outside of training.
    pub epoch: usize,
    /// The index of the image in its set.
    pub index: usize,
}

impl Draw {
    /// The stream of one kind: what a kind draws doesn't depend on which others are on.
    fn of(self, kind: Kind) -> Random {
        let Self { seed, epoch, index } = self;
        let key = [
            Purpose::Augmentation as u64,
            seed,
            epoch as u64,
            index as u64,
            kind as u64,
        ];
        // The affine map has the stream without a kind.
        Random::keyed(match kind {
            Kind::Affine => &key[..4],
            _ => &key,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Affine,
    Stretch,
    Elastic,
    Stroke,
    Resolution,
    Blur,
    Tone,
    Noise,
    Crop,
    Styles,
    Outline,
}

/// Memory that one thread needs to augment, for reuse.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    image: Vec<u8>,
    plane: Vec<u8>,
}

impl Augmentation {
    /// No change.
    pub const NONE: Self = Self {
        rotation: 0.0,
        shift: 0.0,
        zoom: 0.0,
        stretch: 0.0,
        shear: 0.0,
        elastic: 0.0,
        stroke: 0.0,
        outline: 0.0,
        resolution: 0.0,
        blur: 0.0,
        binarize: 0.0,
        contrast: 0.0,
        shade: 0.0,
        noise: 0.0,
        crop: 0.0,
        styles: 0.0,
    };

    /// Whether nothing is changed.
    pub fn is_identity(&self) -> bool {
        *self == Self::NONE
    }

    /// The same without what belongs to digits alone, where the images show something else.
    pub fn suiting(self, digits: bool) -> Self {
        match digits {
            true => self,
            false => Self {
                styles: 0.0,
                ..self
            },
        }
    }

    /// Writes `image` (`[channels, height, width]`), changed by what is drawn for (seed, epoch, index), to
    /// `out`; all channels alike but for noise. `digit` is the digit that it shows, if it shows one of
    /// the ten. Amounts outside their range count as its nearest end.
    ///
    /// # Panics
    ///
    /// If `image` or `out` has not the bytes of the shape.
    pub fn apply(
        &self,
        shape: ImageShape,
        image: &[u8],
        digit: Option<u8>,
        draw: Draw,
        scratch: &mut Scratch,
        out: &mut [u8],
    ) {
        assert_eq!((image.len(), out.len()), (shape.len(), shape.len()));
        let Scratch {
            image: drawn,
            plane: spare,
        } = scratch;
        let (width, full) = (shape.width, [shape.height, shape.width]);
        let mut source = image;
        let before = [self.styles, self.crop, self.stroke, self.outline];
        if before.iter().any(|amount| *amount > 0.0) {
            let styles = digit
                .and_then(|digit| Styles::draw(self.styles, digit, &mut draw.of(Kind::Styles)));
            let crop = Crop::draw(self.crop, &mut draw.of(Kind::Crop));
            let stroke = Stroke::draw(self.stroke, &mut draw.of(Kind::Stroke));
            let outline = Outline::draw(self.outline, &mut draw.of(Kind::Outline));
            drawn.clear();
            drawn.extend_from_slice(image);
            for plane in drawn.chunks_exact_mut(shape.plane()) {
                if let Some(styles) = &styles {
                    styles.paint(plane, width);
                }
                crop.apply(plane, width);
                stroke.apply(plane, width, spare);
                outline.apply(plane, width, spare);
            }
            source = drawn;
        }
        let coarse = Coarse::draw(self.resolution, full, &mut draw.of(Kind::Resolution));
        let warp = Warp::draw(
            self,
            shape,
            [Kind::Affine, Kind::Stretch, Kind::Elastic].map(|kind| draw.of(kind)),
        )
        .from(coarse.size);
        let blur = Blur::draw(self.blur, &mut draw.of(Kind::Blur));
        let tone = Tone::draw(self, shape, &mut draw.of(Kind::Tone));
        let mut noise = Noise::draw(self.noise, draw.of(Kind::Noise));
        let planes = source.chunks_exact(shape.plane());
        for (plane, out) in planes.zip(out.chunks_exact_mut(shape.plane())) {
            match coarse.is_full() {
                true => warp.resample(plane, out),
                false => {
                    coarse.shrink(plane, spare);
                    warp.resample(spare, out);
                }
            }
            blur.apply(out, width, spare);
            tone.apply(out, width);
            noise.apply(out);
        }
    }
}

/// In half of the cases nothing, in the others an amount drawn evenly up to the greatest.
fn half(greatest: f64, random: &mut Random) -> f64 {
    greatest * random.symmetric().max(0.0)
}
