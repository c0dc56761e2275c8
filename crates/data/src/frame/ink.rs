//! How much ink each pixel carries, whatever the colours and the light.

use super::plane::Plane;

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
/// Share of the full contrast that the ink must keep for a window to be wide enough for its strokes.
const KEPT: f32 = 0.8;

/// `[height, width]` strength of ink, 0 for ground, and what is known of it.
#[derive(Debug)]
pub(super) struct Strength {
    pub plane: Plane,
    /// The strongest ink.
    pub peak: f32,
    /// Below this the strength is noise.
    pub floor: f32,
}

/// The strength of ink; none if nothing stands out.
pub(super) fn strength(channels: &[Plane; 3]) -> Option<Strength> {
    let axis = axis(channels)?;
    let mut value = combine(channels, axis);
    for _ in 0..SMOOTHINGS {
        if noise(&value) <= NOISE {
            break;
        }
        value = value.median();
    }
    let value = value;
    let ground = value.opened(window(&value));
    let mut plane = value.zip(&ground, |value, ground| value - ground);
    if let Some(light) = light(&ground, axis) {
        plane = plane.zip(&light, |ink, light| ink * light);
    }
    // The opening takes the darkest of the noise for ground: the median is where ground really is.
    let median = plane.from_top(plane.values.len() / 2);
    let spread = 1.48 * plane.map(|v| (v - median).abs()).from_top(plane.values.len() / 2);
    let plane = plane.map(|v| (v - median).max(0.0));
    let peak = plane.from_top(STROKE);
    let floor = 3.0 * spread;
    (peak >= LEAST_CONTRAST.max(LEAST_SIGNAL * spread)).then_some(Strength { plane, peak, floor })
}

/// The direction in red, green and blue along which ink differs from the ground around it, scaled so
/// that a grey difference of d levels gives ±d; ink is on the positive side.
///
/// It is the first principal component of the differences to the local median, which the ground sets
/// because ink covers less than half of any large surrounding. The side is that of the larger
/// squares: edges of shadows differ equally to both sides, ink to one.
fn axis(channels: &[Plane; 3]) -> Option<[f32; 3]> {
    let differences = channels.each_ref().map(|channel| {
        let small = channel.at_most(64);
        local_median_difference(&small)
    });
    let [red, green, blue] = &differences;
    let colours = || {
        (red.iter().zip(green).zip(blue)).map(|((&r, &g), &b)| [r, g, b])
    };
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
    let side: f32 = colours()
        .map(|colour| dot(axis, colour))
        .map(|d| d * d.abs())
        .sum();
    Some(axis.map(|v| v * side.signum()))
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn combine([red, green, blue]: &[Plane; 3], axis: [f32; 3]) -> Plane {
    let mut out = red.clone();
    for (index, value) in out.values.iter_mut().enumerate() {
        *value = dot(axis, [red.values[index], green.values[index], blue.values[index]]);
    }
    out
}

/// The difference of each pixel to the median of a square of half the picture's side around it.
fn local_median_difference(plane: &Plane) -> Vec<f32> {
    let radius = plane.long_side() / 4;
    let around = |at: usize, side: usize| at.saturating_sub(radius)..(at + radius + 1).min(side);
    let mut out = Vec::with_capacity(plane.values.len());
    let mut square = Vec::new();
    for y in 0..plane.height {
        for x in 0..plane.width {
            square.clear();
            for row in around(y, plane.height) {
                let columns = around(x, plane.width);
                square.extend_from_slice(&plane.values[row * plane.width..][columns]);
            }
            let middle = square.len() / 2;
            let (_, median, _) = square.select_nth_unstable_by(middle, f32::total_cmp);
            out.push(plane.at(x, y) - *median);
        }
    }
    out
}

/// The standard deviation of the noise, from second differences along rows, to which smooth light
/// adds nothing and the edges of strokes too little to move the median.
fn noise(plane: &Plane) -> f32 {
    let mut differences: Vec<f32> = plane
        .values
        .chunks_exact(plane.width)
        .flat_map(|row| row.windows(3).step_by(3))
        .map(|w| (w[0] - 2.0 * w[1] + w[2]).abs())
        .collect();
    if differences.is_empty() {
        return 0.0;
    }
    let middle = differences.len() / 2;
    // 1.48 turns a median of magnitudes into a deviation; 1² + 2² + 1² = 6 of them are summed.
    1.48 / 6.0_f32.sqrt() * *differences.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// Radius of a window into which no stroke fits: twice the narrowest in which ink keeps its
/// contrast. A narrow one follows shadows best.
fn window(value: &Plane) -> usize {
    let small = value.at_most(256);
    let long = small.long_side();
    let contrasts = [64, 32, 16, 8, 4].map(|part| {
        let radius = (long / part).max(1);
        let top_hat = small.zip(&small.opened(radius), |value, ground| value - ground);
        (radius, top_hat.from_top(STROKE))
    });
    let full = contrasts.iter().map(|&(_, contrast)| contrast).fold(0.0, f32::max);
    let radius = contrasts
        .iter()
        .find(|(_, contrast)| *contrast >= KEPT * full)
        .map_or(long / 4, |&(radius, _)| radius);
    (2 * radius).min(long / 3).max(1) * value.long_side() / long
}

/// Dark ink in a shadow differs less from its ground, in proportion to the light: the factor by
/// which to strengthen it. None for light ink, whose light comes from itself, and for inks that
/// differ in hue more than in lightness.
fn light(ground: &Plane, axis: [f32; 3]) -> Option<Plane> {
    if axis.iter().sum::<f32>() > -0.9 {
        return None;
    }
    let full = -ground.from_top(ground.values.len() * 9 / 10);
    // A fifth of the full light is the darkest that is still taken for a shadow on paper.
    let least = (full / 5.0).max(1.0);
    Some(ground.map(|ground| full / (-ground).max(least)))
}
