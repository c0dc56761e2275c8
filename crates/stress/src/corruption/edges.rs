use crate::canvas::Canvas;

/// Standard deviation of the blur that comes first, in pixels of 28.
const BLUR: f64 = 1.0;

/// An edge begins where the gradient exceeds `HIGH` and goes on where it exceeds `LOW`; the step
/// from black to white in one pixel has a gradient of 4, and one as steep as the blur leaves it less in a
/// larger image.
const HIGH: f64 = 0.8;
const LOW: f64 = 0.4;

/// Canny 1986, "A Computational Approach to Edge Detection": blur, Sobel's gradient, thinning across
/// the edge, hysteresis.
pub fn canny(image: &Canvas) -> Canvas {
    let unit = image.unit();
    let smooth = image.blurred(BLUR * unit);
    let gradient = |x: usize, y: usize| {
        let (x, y) = (x as isize, y as isize);
        let column = |x| smooth.at(x, y - 1) + 2.0 * smooth.at(x, y) + smooth.at(x, y + 1);
        let row = |y| smooth.at(x - 1, y) + 2.0 * smooth.at(x, y) + smooth.at(x + 1, y);
        [column(x + 1) - column(x - 1), row(y + 1) - row(y - 1)]
    };
    let strength = image.alike(|x, y| {
        let [dx, dy] = gradient(x, y);
        (dx * dx + dy * dy).sqrt()
    });
    let ridge = image.alike(|x, y| {
        let [step_x, step_y] = direction(gradient(x, y));
        let (x, y) = (x as isize, y as isize);
        let here = strength.at(x, y);
        let before = strength.at(x - step_x, y - step_y);
        let after = strength.at(x + step_x, y + step_y);
        // Of two equal neighbours one stays.
        if here >= before && here > after {
            here
        } else {
            0.0
        }
    });
    let steepness = unit.max(1.0);
    connected(&ridge, LOW / steepness, HIGH / steepness)
}

/// The neighbour towards which the gradient points, in steps of 45°.
fn direction([dx, dy]: [f64; 2]) -> [isize; 2] {
    const TAN_22_5: f64 = std::f64::consts::SQRT_2 - 1.0;
    let steep = |one: f64, other: f64| one.abs() > TAN_22_5 * other.abs();
    let sign = |value: f64| if value < 0.0 { -1 } else { 1 };
    [
        if steep(dx, dy) { sign(dx) } else { 0 },
        if steep(dy, dx) { sign(dy) } else { 0 },
    ]
}

/// White where the ridge is above `high`, or above `low` and joined to such a part.
fn connected(ridge: &Canvas, low: f64, high: f64) -> Canvas {
    let (height, width) = (ridge.height, ridge.width);
    let mut edges = ridge.map(|&strength| f64::from(u8::from(strength > high)));
    let strong = edges.values.iter().enumerate();
    let strong = strong.filter(|(_, value)| **value > 0.0);
    let mut open: Vec<usize> = strong.map(|(at, _)| at).collect();
    while let Some(at) = open.pop() {
        let (x, y) = (at % width, at / width);
        for y in y.saturating_sub(1)..=(y + 1).min(height - 1) {
            for x in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                let near = y * width + x;
                if edges.values[near] == 0.0 && ridge.values[near] > low {
                    edges.values[near] = 1.0;
                    open.push(near);
                }
            }
        }
    }
    edges
}
