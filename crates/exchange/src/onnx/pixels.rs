//! Limits on the pixels of an image as nodes: see [`PixelLimits::hold`].

use evaluation::PixelLimits;
use model::ImageShape;

use super::graph::{Graph, Value};
use super::proto::DataType;

/// Nodes that say, `[n]`, whether images lie within all limits. Sums of bytes are whole numbers, which are exact
/// in f32 as far as they are summed there and are compared as such: what lies on a limit is within it.
///
/// # Shapes
/// - bytes: `[n, channels, height, width]`, as f32
pub fn within(graph: &mut Graph, limits: &PixelLimits, shape: ImageShape, bytes: &Value) -> Value {
    graph.part("pixels");
    let ImageShape {
        channels,
        height,
        width,
    } = shape;
    let PixelLimits {
        amount,
        covered,
        border,
        roughness,
    } = *limits;
    let total = total(graph, bytes);
    let amount = count_within(graph, &total, amount, 255 * shape.len());

    let least = graph.floats("covered", &[], &[f32::from(PixelLimits::COVERED)]);
    let dark = graph.node("GreaterOrEqual", &[bytes, &least]);
    let dark = graph.cast(&dark, DataType::Float);
    let dark = self::total(graph, &dark);
    let covered = count_within(graph, &dark, covered, shape.len());

    let [inner_height, inner_width] =
        [height, width].map(|side| side.saturating_sub(2 * PixelLimits::BORDER));
    let border_pixels = channels * (height * width - inner_height * inner_width);
    let edge = if inner_height * inner_width == 0 {
        total.clone()
    } else {
        let starts = [PixelLimits::BORDER; 2];
        let ends = [height, width].map(|side| side - PixelLimits::BORDER);
        let inner = graph.window(bytes, starts, ends);
        let inner = self::total(graph, &inner);
        graph.node("Sub", &[&total, &inner])
    };
    let border = count_within(graph, &edge, border, 255 * border_pixels);

    let one = graph.double("one", 1.0);
    let size = graph.node("Max", &[&total, &one]);
    let rough = match steps(graph, bytes, [height, width]) {
        Some(steps) => graph.node("Div", &[&steps, &size]),
        // A single pixel has no neighbours.
        None => graph.node("Sub", &[&total, &total]),
    };
    let roughness = between(graph, &rough, roughness);

    let all = graph.node("And", &[&amount, &covered]);
    let all = graph.node("And", &[&all, &border]);
    graph.node("And", &[&all, &roughness])
}

/// The sum of all values of each image: of rows in f32, of those in f64.
fn total(graph: &mut Graph, values: &Value) -> Value {
    let rows = graph.sum(values, &[3], false);
    let rows = graph.cast(&rows, DataType::Double);
    graph.sum(&rows, &[1, 2], false)
}

/// The sum of the steps between neighbours; none where there are none.
fn steps(graph: &mut Graph, bytes: &Value, [height, width]: [usize; 2]) -> Option<Value> {
    let ways = [
        (height > 1).then_some([1, 0]),
        (width > 1).then_some([0, 1]),
    ];
    let sums = ways.into_iter().flatten().map(|[down, right]| {
        let some = graph.window(bytes, [0, 0], [height - down, width - right]);
        let others = graph.window(bytes, [down, right], [height, width]);
        let steps = graph.node("Sub", &[&some, &others]);
        let steps = graph.node("Abs", &[&steps]);
        total(graph, &steps)
    });
    let sums: Vec<Value> = sums.collect();
    sums.into_iter().reduce(|a, b| graph.node("Add", &[&a, &b]))
}

/// Whether counts, as shares of so many, lie between limits.
fn count_within(graph: &mut Graph, counts: &Value, [low, high]: [f64; 2], of: usize) -> Value {
    let share = |count: usize| count as f64 / of.max(1) as f64;
    let least = first(of, |count| share(count) >= low);
    let beyond = first(of, |count| share(count) > high);
    between(graph, counts, [least as f64, beyond as f64 - 1.0])
}

fn between(graph: &mut Graph, values: &Value, [low, high]: [f64; 2]) -> Value {
    let (low, high) = (graph.double("least", low), graph.double("greatest", high));
    let above = graph.node("GreaterOrEqual", &[values, &low]);
    let below = graph.node("LessOrEqual", &[values, &high]);
    graph.node("And", &[&above, &below])
}

/// The first whole number up to `last` that is so, where all after it are; the one after `last` if none is.
fn first(last: usize, is_so: impl Fn(usize) -> bool) -> usize {
    let (mut from, mut to) = (0, last + 1);
    while from < to {
        let middle = from + (to - from) / 2;
        match is_so(middle) {
            true => to = middle,
            false => from = middle + 1,
        }
    }
    from
}
