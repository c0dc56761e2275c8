//! One channel of an image as real numbers to draw on.

/// Sides of the images, in pixels, that amounts in pixels are written for: MNIST's.
const UNIT: f64 = 28.0;

/// `[height, width]` values row by row, 0 for black and 1 for white; drawing may leave that range until
/// [`Canvas::bytes`] brings it back.
#[derive(Clone, PartialEq, Debug)]
pub struct Canvas {
    pub height: usize,
    pub width: usize,
    pub values: Vec<f64>,
}

impl Canvas {
    /// The value of each pixel from its column and row.
    pub fn new(height: usize, width: usize, mut value: impl FnMut(usize, usize) -> f64) -> Self {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Self {
            height,
            width,
            values: pixels.map(|(x, y)| value(x, y)).collect(),
        }
    }

    /// One channel of an image, `[height, width]`.
    pub fn of(height: usize, width: usize, channel: &[u8]) -> Self {
        Self {
            height,
            width,
            values: channel.iter().map(|&b| f64::from(b) / 255.0).collect(),
        }
    }

    /// One of the same size, from column and row.
    pub fn alike(&self, value: impl FnMut(usize, usize) -> f64) -> Self {
        Self::new(self.height, self.width, value)
    }

    /// One of the same size, from the values.
    pub fn map(&self, value: impl FnMut(&f64) -> f64) -> Self {
        Self {
            values: self.values.iter().map(value).collect(),
            ..*self
        }
    }

    /// Bytes from 0 for black to 255 for white.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        let byte = |value: &f64| (value * 255.0).round().clamp(0.0, 255.0) as u8;
        self.values.iter().map(byte)
    }

    /// How many pixels stand for one of 28 along the longer side: what has no direction grows with it.
    pub fn unit(&self) -> f64 {
        self.height.max(self.width) as f64 / UNIT
    }

    /// How many columns, and how many rows, stand for one of 28: what goes along one side grows with it.
    pub fn units(&self) -> [f64; 2] {
        [self.width, self.height].map(|side| side as f64 / UNIT)
    }

    /// The pixel in a column and row, 0 outside the image.
    pub fn at(&self, x: isize, y: isize) -> f64 {
        let inside =
            (0..self.width as isize).contains(&x) && (0..self.height as isize).contains(&y);
        if inside {
            self.values[y as usize * self.width + x as usize]
        } else {
            0.0
        }
    }

    /// The value at a point between pixels, bilinear.
    pub fn sample(&self, x: f64, y: f64) -> f64 {
        let (left, top) = (x.floor(), y.floor());
        let (right, below) = (x - left, y - top);
        let (left, top) = (left as isize, top as isize);
        let row = |y| self.at(left, y) * (1.0 - right) + self.at(left + 1, y) * right;
        row(top) * (1.0 - below) + row(top + 1) * below
    }

    /// Draws a straight stroke with smooth edges; `points` are columns and rows of pixel centres.
    pub fn stroke(&mut self, points: [[f64; 2]; 2], thickness: f64) {
        let [[x0, y0], [x1, y1]] = points;
        let (dx, dy) = (x1 - x0, y1 - y0);
        let squared = (dx * dx + dy * dy).max(f64::MIN_POSITIVE);
        for (at, value) in self.values.iter_mut().enumerate() {
            let column = (at % self.width) as f64;
            let row = (at / self.width) as f64;
            let (x, y) = (column - x0, row - y0);
            let along = ((x * dx + y * dy) / squared).clamp(0.0, 1.0);
            let (off_x, off_y) = (x - along * dx, y - along * dy);
            let distance = (off_x * off_x + off_y * off_y).sqrt();
            let ink = (thickness / 2.0 + 0.5 - distance).clamp(0.0, 1.0);
            *value = value.max(ink);
        }
    }

    /// Gaussian blur with a standard deviation in pixels; the border pixels go on outside.
    pub fn blurred(&self, deviation: f64) -> Self {
        let reach = (3.0 * deviation).ceil() as isize;
        let weights: Vec<f64> = (-reach..=reach)
            .map(|offset| (-0.5 * (offset as f64 / deviation).powi(2)).exp())
            .collect();
        let total: f64 = weights.iter().sum();
        let pass = |from: &Self, step: [isize; 2]| {
            from.alike(|x, y| {
                let sum: f64 = (-reach..=reach)
                    .zip(&weights)
                    .map(|(offset, weight)| {
                        let inside = |at: usize, step: isize, side: usize| {
                            (at as isize + offset * step).clamp(0, side as isize - 1)
                        };
                        let x = inside(x, step[0], self.width);
                        let y = inside(y, step[1], self.height);
                        weight * from.at(x, y)
                    })
                    .sum();
                sum / total
            })
        };
        pass(&pass(self, [1, 0]), [0, 1])
    }
}
