//! Lines and curves on a channel.

/// A point, right and down from the top left corner, in pixels.
pub(super) type Point = [f64; 2];

/// A pen of some width and brightness on a channel.
pub(super) struct Canvas<'a> {
    pub(super) plane: &'a mut [u8],
    pub(super) width: usize,
    pub(super) radius: f64,
    pub(super) ink: u8,
}

impl Canvas<'_> {
    pub(super) fn row(&self, y: usize) -> &[u8] {
        self.plane
            .get(y * self.width..)
            .and_then(|rest| rest.get(..self.width))
            .unwrap_or_default()
    }

    /// A quadratic Bézier curve, of a few lines.
    pub(super) fn curve(&mut self, start: Point, control: Point, end: Point) {
        const LINES: usize = 4;
        let at = |step: usize| {
            let t = step as f64 / LINES as f64;
            [0, 1].map(|axis| {
                let inner = start[axis] * (1.0 - t) + control[axis] * t;
                let outer = control[axis] * (1.0 - t) + end[axis] * t;
                inner * (1.0 - t) + outer * t
            })
        };
        for step in 0..LINES {
            self.line(at(step), at(step + 1));
        }
    }

    /// A line with round ends, as bright as the ink; a pixel that it covers in part is that much
    /// brighter.
    pub(super) fn line(&mut self, start: Point, end: Point) {
        let height = self.plane.len() / self.width;
        let reach = self.radius + 1.0;
        let span = |axis: usize, side: usize| {
            let low = (start[axis].min(end[axis]) - reach).max(0.0) as usize;
            let high = (start[axis].max(end[axis]) + reach).max(0.0) as usize;
            low.min(side)..(high + 1).min(side)
        };
        let along = [end[0] - start[0], end[1] - start[1]];
        let square = (along[0] * along[0] + along[1] * along[1]).max(1e-9);
        let (columns, rows) = (span(0, self.width), span(1, height));
        for y in rows {
            for x in columns.clone() {
                let from = [x as f64 - start[0], y as f64 - start[1]];
                let part = ((from[0] * along[0] + from[1] * along[1]) / square).clamp(0.0, 1.0);
                let off = [from[0] - part * along[0], from[1] - part * along[1]];
                let distance = (off[0] * off[0] + off[1] * off[1]).sqrt();
                let cover = (self.radius + 0.5 - distance).clamp(0.0, 1.0);
                let value = (cover * f64::from(self.ink)) as u8;
                let pixel = &mut self.plane[y * self.width + x];
                *pixel = value.max(*pixel);
            }
        }
    }
}
