//! From logits to a decision as nodes: what [`evaluation::combine`] and [`Calibration::decide`] do.
//!
//! All of it is in f64, as there. It is written so that a program which computes f64 in f32, as OpenVINO does,
//! still decides alike: a confidence near 1 isn't compared with its threshold, but what is left to 1 with what the
//! threshold leaves.

use evaluation::{Calibration, Decision, DistanceLimit, ReviewReason};

use super::graph::{Graph, Value, int};
use super::proto::DataType;

/// What the networks make of images.
pub struct Said {
    /// A row for each view and network, `[rows, n, classes]`, f32.
    pub logits: Value,
    /// How many rows there are.
    pub rows: usize,
    /// Of each network, `[n, channels of the last block]`, f32; none where nobody asks for them.
    pub features: Vec<Value>,
    /// Whether the pixels lie within their limits, `[n]`; none where there are none.
    pub pixels: Option<Value>,
}

/// What is said of images.
pub struct Decided {
    /// `[n, classes]`, f32
    pub logits: Value,
    /// `[n, classes]`, f32
    pub probabilities: Value,
    /// `[n]`, i64
    pub class: Value,
    /// `[n]`, bool
    pub accepted: Value,
    /// `[n]`, i64
    pub reason: Value,
}

/// The numbers that stand for what becomes of an image, as `reason` gives them.
pub const REASONS: [(i64, &str); 4] = [
    (0, "accepted"),
    (1, "out_of_distribution"),
    (2, "unreliable"),
    (3, "low_confidence"),
];

/// The number of a decision in [`REASONS`].
pub fn reason(decision: &Decision) -> i64 {
    match decision {
        Decision::Accept => 0,
        Decision::Review { reason, .. } => match reason {
            ReviewReason::OutOfDistribution => 1,
            ReviewReason::Unreliable => 2,
            ReviewReason::LowConfidence => 3,
        },
    }
}

/// Nodes that decide.
pub fn decide(graph: &mut Graph, calibration: &Calibration, said: &Said) -> Decided {
    graph.part("combine");
    let valid = valid(graph, &said.logits);
    let combined = combine(graph, said, calibration.classes as i64);
    let logits = graph.cast(&combined, DataType::Float);

    graph.part("decision");
    let by_class = vec![int("axis", 1), int("keepdims", 0)];
    let class = graph.node_with("ArgMax", &[&combined], by_class);
    // Of an image that can't be computed the first is named.
    let first = graph.int64("first", 0);
    let class = graph.node("Where", &[&valid, &class, &first]);

    let (top, likely) = likelihoods(graph, calibration, &combined);
    let probabilities = probabilities(graph, calibration, &likely, &valid);

    let mut within = valid;
    let mut and = |graph: &mut Graph, holds: &Value| {
        within = graph.node("And", &[&within, holds]);
    };
    if calibration.energy.value <= 2.0 * f64::from(f32::MAX) {
        graph.part("energy");
        let least = graph.double("least", -calibration.energy.value);
        let size = log_sum_exp(graph, &combined, &top, 1);
        let size = graph.reshape(&size, &[-1]);
        let holds = graph.node("GreaterOrEqual", &[&size, &least]);
        and(graph, &holds);
    }
    if let Some(limit) = &calibration.distance {
        graph.part("distance");
        let holds = near(graph, limit, &class, &said.features);
        and(graph, &holds);
    }
    if let Some(holds) = &said.pixels {
        and(graph, holds);
    }

    graph.part("decision");
    let code = |graph: &mut Graph, of: usize| graph.int64(REASONS[of].1, REASONS[of].0);
    let (accepted, unlike) = (code(graph, 0), code(graph, 1));
    let reason = if calibration.deferral.is_reliable() {
        let unsure = code(graph, 3);
        let most = graph.double("rest", greatest_rest(calibration));
        let other = others(graph, &class, calibration.classes);
        let rest = graph.node("Mul", &[&likely, &other]);
        let rest = graph.sum(&rest, &[1], false);
        let sure = graph.node("LessOrEqual", &[&rest, &most]);
        graph.node("Where", &[&sure, &accepted, &unsure])
    } else {
        code(graph, 2)
    };
    let reason = graph.node("Where", &[&within, &reason, &unlike]);
    let accepted = graph.node("Equal", &[&reason, &accepted]);
    Decided {
        logits,
        probabilities,
        class,
        accepted,
        reason,
    }
}

/// Whether all logits of an image are finite, `[n]`.
fn valid(graph: &mut Graph, logits: &Value) -> Value {
    let most = graph.floats("greatest", &[], &[f32::MAX]);
    let sizes = graph.node("Abs", &[logits]);
    let finite = graph.node("LessOrEqual", &[&sizes, &most]);
    let finite = graph.cast(&finite, DataType::Float);
    let all = graph.reduce("ReduceMin", &finite, &[0, 2], false);
    graph.cast(&all, DataType::Bool)
}

/// [`evaluation::combine`] of all rows, `[n, classes]`, f64.
fn combine(graph: &mut Graph, said: &Said, classes: i64) -> Value {
    let logits = graph.cast(&said.logits, DataType::Double);
    if said.rows == 1 {
        return graph.reshape(&logits, &[-1, classes]);
    }
    let top = graph.reduce("ReduceMax", &logits, &[2], true);
    let sizes = log_sum_exp(graph, &logits, &top, 2);
    let logs = graph.node("Sub", &[&logits, &sizes]);
    let top = graph.reduce("ReduceMax", &logs, &[0], true);
    let sums = log_sum_exp(graph, &logs, &top, 0);
    let size = graph.reduce("ReduceMean", &sizes, &[0], false);
    let sums = graph.reshape(&sums, &[-1, classes]);
    let together = graph.node("Add", &[&sums, &size]);
    let count = graph.double("log_count", (said.rows as f64).ln());
    let together = graph.node("Sub", &[&together, &count]);
    let range = f64::from(f32::MAX);
    let (least, most) = (
        graph.double("least", -range),
        graph.double("greatest", range),
    );
    let together = graph.node("Max", &[&together, &least]);
    graph.node("Min", &[&together, &most])
}

/// `ln Σ exp(x)` along an axis that is kept, of values whose greatest are known.
fn log_sum_exp(graph: &mut Graph, x: &Value, top: &Value, axis: i64) -> Value {
    let x = graph.node("Sub", &[x, top]);
    let x = graph.node("Exp", &[&x]);
    let x = graph.sum(&x, &[axis], true);
    let x = graph.node("Log", &[&x]);
    graph.node("Add", &[&x, top])
}

/// The greatest logit of each image, `[n, 1]`, and how likely each class is as a multiple of the likeliest,
/// `[n, classes]`.
fn likelihoods(graph: &mut Graph, calibration: &Calibration, logits: &Value) -> (Value, Value) {
    let top = graph.reduce("ReduceMax", logits, &[1], true);
    let behind = graph.node("Sub", &[logits, &top]);
    let temperature = graph.double("temperature", calibration.temperature.value());
    let behind = graph.node("Div", &[&behind, &temperature]);
    (top, graph.node("Exp", &[&behind]))
}

/// 0 for the class of an image and 1 for all others, `[n, classes]`, f64.
fn others(graph: &mut Graph, class: &Value, classes: usize) -> Value {
    let all: Vec<i64> = (0..classes as i64).collect();
    let all = graph.int64s("classes", &all);
    let class = graph.reshape(class, &[-1, 1]);
    let same = graph.node("Equal", &[&class, &all]);
    let other = graph.node("Not", &[&same]);
    graph.cast(&other, DataType::Double)
}

/// `[n, classes]`, f32; all alike for an image that can't be computed.
fn probabilities(
    graph: &mut Graph,
    calibration: &Calibration,
    likelihoods: &Value,
    valid: &Value,
) -> Value {
    let sum = graph.sum(likelihoods, &[1], true);
    let shares = graph.node("Div", &[likelihoods, &sum]);
    let shares = graph.cast(&shares, DataType::Float);
    let alike = graph.floats("alike", &[], &[(1.0 / calibration.classes as f64) as f32]);
    let valid = graph.reshape(valid, &[-1, 1]);
    graph.node("Where", &[&valid, &shares, &alike])
}

/// How much likelihood the classes but the likeliest may have, as a multiple of its own, for the confidence to
/// reach the threshold: the greatest `x` with `exp(-ln(1 + x)) >= threshold`.
fn greatest_rest(calibration: &Calibration) -> f64 {
    let reaches = |rest: f64| libm::exp(-libm::log1p(rest)) >= calibration.deferral.threshold;
    let all = calibration.classes as f64;
    if reaches(all) {
        return all;
    }
    if !reaches(0.0) {
        return -1.0;
    }
    // Positive numbers are ordered as their bits are.
    let (mut holds, mut fails) = (0_u64, all.to_bits());
    while fails - holds > 1 {
        let middle = holds + (fails - holds) / 2;
        match reaches(f64::from_bits(middle)) {
            true => holds = middle,
            false => fails = middle,
        }
    }
    f64::from_bits(holds)
}

/// Whether features lie near those of their class, `[n]`: see [`DistanceLimit::holds`].
fn near(graph: &mut Graph, limit: &DistanceLimit, class: &Value, features: &[Value]) -> Value {
    let width = limit.whitening.len() / limit.members.max(1);
    let mut sum: Option<Value> = None;
    for (member, features) in features.iter().enumerate() {
        let own = member * width..(member + 1) * width;
        let means = limit.means.iter().flat_map(|mean| &mean[own.clone()]);
        let means: Vec<f64> = means.copied().map(f64::from).collect();
        let means = graph.doubles("means", &[limit.means.len(), width], &means);
        let mut whitening = vec![0.0; width * width];
        for (to, row) in limit.whitening[own].iter().enumerate() {
            for (from, &value) in row.iter().enumerate() {
                whitening[from * width + to] = f64::from(value);
            }
        }
        let whitening = graph.doubles("whitening", &[width, width], &whitening);
        let mean = graph.node_with("Gather", &[&means, class], vec![int("axis", 0)]);
        let features = graph.cast(features, DataType::Double);
        let difference = graph.node("Sub", &[&features, &mean]);
        let white = graph.node("MatMul", &[&difference, &whitening]);
        let squares = graph.node("Mul", &[&white, &white]);
        let own = graph.sum(&squares, &[1], false);
        sum = Some(match sum {
            None => own,
            Some(sum) => graph.node("Add", &[&sum, &own]),
        });
    }
    let most = graph.double("greatest", limit.value);
    let sum = sum.unwrap_or_else(|| graph.double("none", 0.0));
    graph.node("LessOrEqual", &[&sum, &most])
}
