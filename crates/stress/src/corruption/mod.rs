//! What happens to images on the way to a classifier: noise, blur, a tilted page, a scratch.

mod blur;
mod edges;
mod geometry;
mod light;
mod marks;
mod noise;

use data::ImageShape;
use serde::{Deserialize, Serialize};

use crate::canvas::Canvas;
use crate::draws::{Purpose, stream};

/// A corruption in the manner of MNIST-C (Mu and Gilmer 2019, "MNIST-C: A Robustness Benchmark for
/// Computer Vision", section 3): the image stays readable for a person, and the label stays. Amounts in pixels are those of
/// images of 28 pixels, and grow with the image.
///
/// They are written from the paper's descriptions, each at one strength, which its own description
/// here states; figures on them are not comparable image by image with the published set.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Corruption {
    /// The image as it is.
    Identity,
    /// Too little light: each pixel a Poisson count with a mean of 5 for white.
    ShotNoise,
    /// Every fifth pixel black or white at random.
    ImpulseNoise,
    /// As through frosted glass: blurred, pixels exchanged with near ones twice, blurred again.
    GlassBlur,
    /// Moved by 6 pixels while the shutter was open, in a direction within 45° of the horizontal.
    MotionBlur,
    /// Leaning by 20° to 30° to either side.
    Shear,
    /// Half to two thirds of the size.
    Scale,
    /// Turned by 25° to 40° to either side.
    Rotate,
    /// Brighter by 0.3 to 0.5 of the range: the ground is grey.
    Brightness,
    /// Moved by 3 to 5 pixels along each axis.
    Translate,
    /// A vertical band of 6 columns near the middle in negative.
    Stripe,
    /// Fog of a plasma fractal as bright as the ink.
    Fog,
    /// Splashes on about a tenth of the image.
    Spatter,
    /// Crossed by a line of dots.
    DottedLine,
    /// Crossed by a zigzag.
    Zigzag,
    /// Nothing left but the edges, by Canny's detector.
    CannyEdges,
}

impl Corruption {
    /// All sixteen, the identity first.
    pub const ALL: [Self; 16] = [
        Self::Identity,
        Self::ShotNoise,
        Self::ImpulseNoise,
        Self::GlassBlur,
        Self::MotionBlur,
        Self::Shear,
        Self::Scale,
        Self::Rotate,
        Self::Brightness,
        Self::Translate,
        Self::Stripe,
        Self::Fog,
        Self::Spatter,
        Self::DottedLine,
        Self::Zigzag,
        Self::CannyEdges,
    ];

    /// The name for people, such as `glass blur`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::ShotNoise => "shot noise",
            Self::ImpulseNoise => "impulse noise",
            Self::GlassBlur => "glass blur",
            Self::MotionBlur => "motion blur",
            Self::Shear => "shear",
            Self::Scale => "scale",
            Self::Rotate => "rotate",
            Self::Brightness => "brightness",
            Self::Translate => "translate",
            Self::Stripe => "stripe",
            Self::Fog => "fog",
            Self::Spatter => "spatter",
            Self::DottedLine => "dotted line",
            Self::Zigzag => "zigzag",
            Self::CannyEdges => "canny edges",
        }
    }

    /// The image, `[channels, height, width]`, corrupted by what is drawn for (`seed`, `index`): each
    /// channel alike.
    ///
    /// ```
    /// use data::mnist::SHAPE;
    /// use stress::Corruption;
    ///
    /// let image = vec![200; SHAPE.len()];
    /// let moved = Corruption::Translate.apply(SHAPE, &image, 7, 0);
    /// assert!(moved.contains(&0), "what comes in from outside is black");
    /// ```
    pub fn apply(self, shape: ImageShape, image: &[u8], seed: u64, index: usize) -> Vec<u8> {
        let channels = image.chunks_exact(shape.plane());
        let corrupted = channels.map(|channel| {
            let channel = Canvas::of(shape.height, shape.width, channel);
            self.on(channel, seed, index)
        });
        corrupted
            .flat_map(|channel| channel.bytes().collect::<Vec<u8>>())
            .collect()
    }

    /// One channel corrupted.
    fn on(self, image: Canvas, seed: u64, index: usize) -> Canvas {
        let random = &mut stream(Purpose::Corruption, self as u64, seed, index);
        match self {
            Self::Identity => image,
            Self::ShotNoise => noise::shot(&image, random),
            Self::ImpulseNoise => noise::impulse(&image, random),
            Self::GlassBlur => blur::glass(&image, random),
            Self::MotionBlur => blur::motion(&image, random),
            Self::Shear => geometry::shear(&image, random),
            Self::Scale => geometry::scale(&image, random),
            Self::Rotate => geometry::rotate(&image, random),
            Self::Brightness => light::brightness(&image, random),
            Self::Translate => geometry::translate(&image, random),
            Self::Stripe => light::stripe(&image, random),
            Self::Fog => light::fog(&image, random),
            Self::Spatter => marks::spatter(&image, random),
            Self::DottedLine => marks::dotted_line(&image, random),
            Self::Zigzag => marks::zigzag(&image, random),
            Self::CannyEdges => edges::canny(&image),
        }
    }
}
