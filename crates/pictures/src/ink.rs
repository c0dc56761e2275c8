//! How much ink each pixel carries, whatever the colours and the light.

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
/// Weight of the four corners against the shape of the distribution, both between -1 and 1.
const CORNERS: f32 = 0.6;
/// Range of the outermost pixels, as a share of that of the picture, up to which they are alike.
const RIM: f32 = 0.1;
/// Contrast of the ink, as a multiple of the range of the ground, from which the ground is even.
const EVEN: f32 = 2.0;

/// Long side at which colours are compared with their surroundings, and at which these are measured.
const COLOURS: usize = 64;
/// See [`COLOURS`].
const SURROUNDINGS: usize = 32;
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
    /// Whether the ground is even, compared with the ink.
    pub even: bool,
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
pub(crate) fn ink(channels: &[Plane; 3]) -> Option<Ink> {
    let (axis, sure) = axis(channels)?;
    let mut value = combine(channels, axis);
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
        let grounds = Ranks::of(&ground.values);
        let range = grounds.from_top(ground.values.len() / 20)
            - grounds.from_top(ground.values.len() * 19 / 20);
        let light = light(&ground, &grounds, self.axis);
        if let Some(light) = &light {
            plane = plane.zip(light, |ink, light| ink * light);
        }
        // The opening takes the least of the noise for ground: this is where ground really is, also
        // where half of the picture is ink.
        let ranks = Ranks::of(&plane.values);
        let base = ranks.from_top(plane.values.len() * 7 / 10);
        let above_base = |v: f32| (v - base).max(0.0);
        let peak = above_base(ranks.from_top(STROKE));
        // Smoothing has spread the noise over neighbours: compare pixels further apart.
        let spread = noise(&plane, 3);
        let plane = plane.map(above_base);
        Strength {
            plane,
            peak,
            floor: 3.0 * spread,
            least: LEAST_CONTRAST.max(LEAST_SIGNAL * spread),
            even: peak >= EVEN * range,
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

/// The direction in red, green and blue along which ink differs from the ground around it, scaled so
/// that a grey difference of d levels gives ±d; ink is on the positive side.
///
/// It is the first principal component of the differences to the local median, which the ground sets
/// because ink covers less than half of any large surrounding. The side is that of the larger
/// squares: edges of shadows differ equally to both sides, ink to one. Where that is undecided, as on
/// pictures cut to the digit's own size, the corners decide: they are ground. An even rim decides
/// alone, and without doubt.
fn axis(channels: &[Plane; 3]) -> Option<([f32; 3], bool)> {
    let channels = channels.each_ref().map(|channel| channel.at_most(COLOURS));
    let [red, green, blue] = &channels;
    let red_difference = local_median_difference(red);
    // Most pictures are grey, or one channel more is like the first.
    let difference = |channel: &Plane| {
        if channel.values == red.values {
            red_difference.clone()
        } else {
            local_median_difference(channel)
        }
    };
    let (green, blue) = (difference(green), difference(blue));
    let (red, green, blue) = (&red_difference, &green, &blue);
    let colours = || (red.iter().zip(green).zip(blue)).map(|((&r, &g), &b)| [r, g, b]);
    let mut covariance = [[0.0_f32; 3]; 3];
    for colour in colours() {
        for (row, a) in covariance.iter_mut().zip(colour) {
            for (sum, b) in row.iter_mut().zip(colour) {
                *sum += a * b;
            }
        }
    }
    // Starts near grey, where pictures without colour stay; off it, for colours orthogonal to grey.
    let mut axis = [1.0, 1.1, 0.9];
    for _ in 0..32 {
        let next = covariance.map(|row| row.iter().zip(axis).map(|(c, a)| c * a).sum::<f32>());
        let length = next.iter().map(|v| v.abs()).sum::<f32>();
        if length <= 0.0 || !length.is_finite() {
            return None;
        }
        axis = next.map(|v| v / length);
    }
    let (sum, magnitude) = colours()
        .map(|colour| dot(axis, colour))
        .fold((0.0, 0.0), |(sum, magnitude), d| {
            (sum + d * d.abs(), magnitude + d * d)
        });
    let small = combine(&channels, axis);
    let rim = even_rim(&small);
    let side = match rim {
        Some(ground) => -ground,
        None => sum / magnitude - CORNERS * corners(&small),
    };
    Some((axis.map(|v| v * side.signum()), rim.is_some()))
}

/// If the outermost pixels are alike and much of the picture is like them, they are ground: 1 where
/// it is the upper end of the range of values, -1 where it is the lower.
fn even_rim(plane: &Plane) -> Option<f32> {
    let (width, height) = (plane.width, plane.height);
    let last = (height - 1) * width;
    let mut rim: Vec<f32> = plane.values[..width].to_vec();
    rim.extend(&plane.values[last..]);
    rim.extend(plane.values.iter().step_by(width));
    rim.extend(plane.values[width - 1..].iter().step_by(width));
    rim.sort_unstable_by(f32::total_cmp);
    let count = plane.values.len();
    let (low, high) = (
        plane.ranked_from_top(count - 1 - count / 100),
        plane.ranked_from_top(count / 100),
    );
    let ground = rim[rim.len() / 2];
    let range = rim[rim.len() * 19 / 20] - rim[rim.len() / 20];
    let nearer = |value: f32| (value - ground).abs() < 0.5 * (high - low);
    let alike = plane.values.iter().filter(|v| nearer(**v)).count();
    (range <= RIM * (high - low) && 2 * alike >= count)
        .then(|| (ground - (low + high) / 2.0).signum())
}

/// How many of the four corners lie in the upper half of the range of values rather than the lower:
/// from 1, all, to -1, none.
fn corners(plane: &Plane) -> f32 {
    let count = plane.values.len();
    let middle = (plane.ranked_from_top(count / 20) + plane.ranked_from_top(count * 19 / 20)) / 2.0;
    let (right, bottom) = (plane.width - 1, plane.height - 1);
    [(0, 0), (right, 0), (0, bottom), (right, bottom)]
        .map(|(x, y)| if plane.at(x, y) > middle { 0.25 } else { -0.25 })
        .iter()
        .sum()
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn combine([red, green, blue]: &[Plane; 3], axis: [f32; 3]) -> Plane {
    let mut out = red.clone();
    for (index, value) in out.values.iter_mut().enumerate() {
        *value = dot(
            axis,
            [red.values[index], green.values[index], blue.values[index]],
        );
    }
    out
}

/// The difference of each pixel to the median of a square of half the picture's
/// side around it.
fn local_median_difference(plane: &Plane) -> Vec<f32> {
    let ground = local_median(&plane.at_most(SURROUNDINGS));
    let place = |at: usize, side: usize, of: usize| (2 * at + 1) * of / (2 * side);
    let mut out = Vec::with_capacity(plane.values.len());
    for y in 0..plane.height {
        let row = place(y, plane.height, ground.height);
        for x in 0..plane.width {
            let ground = ground.at(place(x, plane.width, ground.width), row);
            out.push(plane.at(x, y) - ground);
        }
    }
    out
}

/// The median, in whole levels, of a square of half the picture's side around each pixel. The square
/// moves along a row, and a histogram of what it holds with it (Huang, Yang and Tang 1979).
fn local_median(plane: &Plane) -> Plane {
    let radius = plane.long_side() / 4;
    let levels: Vec<u8> = plane.values.iter().map(|v| v.round() as u8).collect();
    let mut values = Vec::with_capacity(levels.len());
    for y in 0..plane.height {
        let rows = y.saturating_sub(radius)..(y + radius + 1).min(plane.height);
        let column = |x: usize| {
            let rows = rows.clone();
            let levels = &levels;
            rows.map(move |row| usize::from(levels[row * plane.width + x]))
        };
        let (mut counts, mut count) = ([0_usize; 256], 0);
        // `below` of the square's pixels are below the median.
        let (mut median, mut below) = (0_usize, 0);
        for x in 0..(plane.width + radius) {
            if x < plane.width {
                for level in column(x) {
                    counts[level] += 1;
                    count += 1;
                    below += usize::from(level < median);
                }
            }
            if x > 2 * radius {
                for level in column(x - 2 * radius - 1) {
                    counts[level] -= 1;
                    count -= 1;
                    below -= usize::from(level < median);
                }
            }
            if x < radius {
                continue;
            }
            let rank = count / 2;
            while below > rank {
                median -= 1;
                below -= counts[median];
            }
            while below + counts[median] <= rank {
                below += counts[median];
                median += 1;
            }
            values.push(median as f32);
        }
    }
    Plane { values, ..*plane }
}

/// The standard deviation of the noise, from second differences along rows between pixels `apart`,
/// to which smooth light adds nothing and the edges of strokes too little to move the median.
fn noise(plane: &Plane, apart: usize) -> f32 {
    let rows = plane.height.div_ceil(ROWS).max(1);
    let differences: Vec<f32> = plane
        .values
        .chunks_exact(plane.width)
        .step_by(rows)
        .flat_map(|row| row.windows(2 * apart + 1).step_by(3))
        .map(|w| (w[0] - 2.0 * w[apart] + w[2 * apart]).abs())
        .collect();
    if differences.is_empty() {
        return 0.0;
    }
    // 1.48 turns a median of magnitudes into a deviation; 1² + 2² + 1² = 6 of them are summed.
    1.48 / 6.0_f32.sqrt() * ranked(&differences, differences.len() / 2)
}

/// Dark ink in a shadow differs less from its ground, in proportion to the light: the factor by
/// which to strengthen it. None for light ink, whose light comes from itself, and for inks that
/// differ in hue more than in lightness.
fn light(ground: &Plane, ranks: &Ranks, axis: [f32; 3]) -> Option<Plane> {
    if axis.iter().sum::<f32>() > -0.9 {
        return None;
    }
    let full = -ranks.from_top(ground.values.len() * 9 / 10);
    // A third of the full light is the darkest that is still taken for a shadow on paper; below, only
    // noise would grow.
    let least = (full / 3.0).max(1.0);
    Some(ground.map(|ground| full / (-ground).max(least)))
}
