//! How much ink each pixel carries, whatever the colours and the light.

use crate::axis::axis;
use crate::channels::Channels;
use crate::plane::Plane;
use crate::rank::{Ranks, ranked};

/// The least difference between ink and ground, in levels of 255: less is paper, dust, compression.
const LEAST_CONTRAST: f32 = 16.0;
/// The least difference in units of the standard deviation of the noise: of the million pixels of a
/// blank picture of noise, none is that far off.
const LEAST_SIGNAL: f32 = 6.0;
/// Noise, as a standard deviation in levels, above which the picture is smoothed once more.
const NOISE: f32 = 4.0;
/// How often it is smoothed at most: more would blot out thin strokes.
const SMOOTHINGS: usize = 3;
/// Pixels that the strongest ink covers at least; what covers fewer is no stroke.
const STROKE: usize = 12;
/// Contrast of the ink, as a multiple of the range of the ground, from which the ground is even.
const EVEN: f32 = 2.0;

/// Rows in which noise is measured, at most about.
const ROWS: usize = 128;

/// `[height, width]` strength of ink, 0 for ground, and what is known of it.
#[derive(Debug)]
pub(crate) struct Strength {
    pub plane: Plane,
    /// The strongest ink.
    pub peak: f32,
    /// Below this the strength is noise.
    pub floor: f32,
    /// The least peak that is ink.
    pub least: f32,
    /// What the ink was compared with.
    pub ground: Plane,
    /// Factor by which each pixel was strengthened to make up for shadow, if it was.
    pub light: Option<Plane>,
}

impl Strength {
    /// With the peak of what is there now.
    pub fn with_new_peak(self) -> Self {
        Self {
            peak: self.plane.ranked_from_top(STROKE),
            ..self
        }
    }

    /// Whether the ground is even, compared with the ink.
    pub fn is_even(&self) -> bool {
        let (ground, count) = (Ranks::of(&self.ground.values), self.ground.values.len());
        let range = ground.ranked_from_top(count / 20) - ground.ranked_from_top(count * 19 / 20);
        self.peak >= EVEN * range
    }

    /// Whether anything stands out from the ground.
    pub fn shows_ink(&self) -> bool {
        self.peak >= self.least
    }
}

/// One number per pixel, greater where there is ink, and the colour axis along which it was measured.
#[derive(Debug)]
pub(crate) struct Ink {
    pub value: Plane,
    axis: [f32; 3],
    /// Whether the rim of the picture leaves no doubt on which side of the ground the ink is.
    pub sure: bool,
}

/// Finds the ink's colour and smooths noise away; none if all pixels are alike.
pub(crate) fn ink(channels: &Channels) -> Option<Ink> {
    let (axis, sure) = axis(channels)?;
    let mut value = channels.along(axis);
    for _ in 0..SMOOTHINGS {
        if noise(&value, 1) <= NOISE {
            break;
        }
        value = value.median();
    }
    Some(Ink { value, axis, sure })
}

impl Ink {
    /// The same with a long side of at most `long` pixels.
    pub fn at_most(&self, long: usize) -> Self {
        Self {
            value: self.value.at_most(long),
            axis: self.axis,
            sure: self.sure,
        }
    }

    /// The same reduced, each pixel the most ink of `factor` by `factor`: the thinnest line stays.
    pub fn pooled(&self, factor: usize) -> Self {
        Self {
            value: self.value.pooled(factor),
            axis: self.axis,
            sure: self.sure,
        }
    }

    /// From one column to another and from one row to another, all included.
    pub fn part(&self, bounds: [usize; 4]) -> Self {
        Self {
            value: self.value.part(bounds),
            axis: self.axis,
            sure: self.sure,
        }
    }

    /// The same with what lies on the other side of the ground for ink: light for dark.
    pub fn other_side(&self) -> Self {
        Self {
            value: self.value.map(|v| -v),
            axis: self.axis.map(|v| -v),
            sure: self.sure,
        }
    }

    /// How far the ink stands out from the ground, which is what remains when everything is removed
    /// that holds no square of `radius` pixels to each side.
    pub fn strength(&self, radius: usize) -> Strength {
        let ground = self.value.opened(radius);
        let mut plane = self.value.zip(&ground, |value, ground| value - ground);
        let light = light(&ground, self.axis);
        if let Some(light) = &light {
            plane = plane.zip(light, |ink, light| ink * light);
        }
        // The opening takes the least of the noise for ground: this is where ground really is, also
        // where half of the picture is ink.
        let ranks = Ranks::of(&plane.values);
        let base = ranks.ranked_from_top(plane.values.len() * 7 / 10);
        let above_base = |v: f32| (v - base).max(0.0);
        let peak = above_base(ranks.ranked_from_top(STROKE));
        // Smoothing has spread the noise over neighbours: compare pixels further apart.
        let spread = noise(&plane, 3);
        let plane = plane.map(above_base);
        Strength {
            plane,
            peak,
            floor: 3.0 * spread,
            least: LEAST_CONTRAST.max(LEAST_SIGNAL * spread),
            ground,
            light,
        }
    }

    /// How steep the picture is at each pixel, in the units of a strength: the range of values
    /// within `radius` pixels.
    pub fn steepness(&self, strength: &Strength, radius: usize) -> Plane {
        let (most, least) = (self.value.dilated(radius), self.value.eroded(radius));
        let range = most.zip(&least, |most, least| most - least);
        match &strength.light {
            Some(light) => range.zip(light, |range, light| range * light),
            None => range,
        }
    }
}

/// The standard deviation of the noise, from second differences along rows between pixels `apart`,
/// to which smooth light adds nothing and the edges of strokes too little to move the median.
fn noise(plane: &Plane, apart: usize) -> f32 {
    let rows = plane.height.div_ceil(ROWS).max(1);
    let mut differences = Vec::with_capacity(plane.values.len() / (3 * rows) + plane.height);
    for row in plane.values.chunks_exact(plane.width).step_by(rows) {
        let from = |first: usize| row.get(first..).unwrap_or_default().iter().step_by(3);
        let threes = from(0).zip(from(apart)).zip(from(2 * apart));
        differences.extend(threes.map(|((a, b), c)| (a - 2.0 * b + c).abs()));
    }
    if differences.is_empty() {
        return 0.0;
    }
    // 1.48 turns a median of magnitudes into a deviation; 1² + 2² + 1² = 6 of them are summed.
    1.48 / 6.0_f32.sqrt() * ranked(&differences, differences.len() / 2)
}

/// Dark ink in a shadow differs less from its ground, in proportion to the light: the factor by
/// which to strengthen it. None for light ink, whose light comes from itself, and for inks that
/// differ in hue more than in lightness.
fn light(ground: &Plane, axis: [f32; 3]) -> Option<Plane> {
    if axis.iter().sum::<f32>() > -0.9 {
        return None;
    }
    let full = -ground.ranked_from_top(ground.values.len() * 9 / 10);
    // A third of the full light is the darkest that is still taken for a shadow on paper; below, only
    // noise would grow.
    let least = (full / 3.0).max(1.0);
    Some(ground.map(|ground| full / (-ground).max(least)))
}
