use crate::canvas::Canvas;
use crate::{HEIGHT, PIXELS, WIDTH};

/// Standard deviation of the blur that comes first, in pixels.
const BLUR: f64 = 1.0;

/// An edge begins where the gradient exceeds `HIGH` and goes on where it exceeds `LOW`; the step
/// from black to white in one pixel has a gradient of 4.
const HIGH: f64 = 0.8;
const LOW: f64 = 0.4;

/// Canny 1986, "A Computational Approach to Edge Detection": blur, Sobel's gradient, thinning across
/// the edge, hysteresis.
pub fn canny(image: &Canvas) -> Canvas {
    let smooth = image.blurred(BLUR);
    let gradient: [[f64; 2]; PIXELS] = std::array::from_fn(|at| {
        let (x, y) = ((at % WIDTH) as isize, (at / WIDTH) as isize);
        let column = |x| smooth.at(x, y - 1) + 2.0 * smooth.at(x, y) + smooth.at(x, y + 1);
        let row = |y| smooth.at(x - 1, y) + 2.0 * smooth.at(x, y) + smooth.at(x + 1, y);
        [column(x + 1) - column(x - 1), row(y + 1) - row(y - 1)]
    });
    let strength = Canvas(gradient.map(|[dx, dy]| (dx * dx + dy * dy).sqrt()));
    let across = gradient.map(|[dx, dy]| direction(dx, dy));
    let ridge = Canvas::from_fn(|x, y| {
        let [step_x, step_y] = across[y * WIDTH + x];
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
    connected(&ridge)
}

/// The neighbour towards which the gradient points, in steps of 45°.
fn direction(dx: f64, dy: f64) -> [isize; 2] {
    const TAN_22_5: f64 = std::f64::consts::SQRT_2 - 1.0;
    let steep = |one: f64, other: f64| one.abs() > TAN_22_5 * other.abs();
    let sign = |value: f64| if value < 0.0 { -1 } else { 1 };
    [
        if steep(dx, dy) { sign(dx) } else { 0 },
        if steep(dy, dx) { sign(dy) } else { 0 },
    ]
}

/// White where the ridge is strong, or weak and joined to a strong part.
fn connected(ridge: &Canvas) -> Canvas {
    let mut edges = Canvas(ridge.0.map(|strength| f64::from(u8::from(strength > HIGH))));
    let mut open: Vec<usize> = (0..PIXELS).filter(|&at| edges.0[at] > 0.0).collect();
    while let Some(at) = open.pop() {
        let (x, y) = (at % WIDTH, at / WIDTH);
        for y in y.saturating_sub(1)..=(y + 1).min(HEIGHT - 1) {
            for x in x.saturating_sub(1)..=(x + 1).min(WIDTH - 1) {
                let near = y * WIDTH + x;
                if edges.0[near] == 0.0 && ridge.0[near] > LOW {
                    edges.0[near] = 1.0;
                    open.push(near);
                }
            }
        }
    }
    edges
}
