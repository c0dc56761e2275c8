//! One network as nodes, its batch normalizations folded into the weights before them.

use burn::{
    nn::{BatchNorm, Linear},
    tensor::Tensor,
};
use model::{Block, BlockConfig, Dense, Network, NetworkConfig, Order};

use super::graph::{Graph, Value, ints};

/// `scale * x + shift`, channel by channel: what a batch normalization does once it is trained.
struct Affine {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

impl Affine {
    /// What follows `channels` sums: their bias, if any, and their normalization, if any.
    fn new(bias: Option<Vec<f64>>, norm: Option<&BatchNorm>, channels: usize) -> Self {
        let bias = bias.unwrap_or_else(|| vec![0.0; channels]);
        let Some(norm) = norm else {
            let scale = vec![1.0; channels];
            return Affine { scale, shift: bias };
        };
        let (gamma, beta) = (numbers(norm.gamma.val()), numbers(norm.beta.val()));
        let mean = numbers(norm.running_mean.value());
        let variance = numbers(norm.running_var.value());
        let scale: Vec<f64> = gamma
            .iter()
            .zip(variance)
            .map(|(gamma, variance)| gamma / (variance + norm.epsilon).sqrt())
            .collect();
        let shift = (0..channels)
            .map(|c| beta[c] + scale[c] * (bias[c] - mean[c]))
            .collect();
        Affine { scale, shift }
    }

    fn shift(&self) -> Vec<f32> {
        self.shift.iter().map(|&value| value as f32).collect()
    }
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// Nodes that compute a network's logits of normalized images and, if wanted, its features: see
/// [`Network::forward_with_features`]. Their names begin with that of the part, and of the layer as the checkpoint
/// has it.
///
/// # Shapes
/// - images: `[batch, channels, height, width]`
/// - output: `[batch, classes]` and `[batch, channels of the last block]`
pub fn network(
    graph: &mut Graph,
    part: &str,
    network: &Network,
    config: &NetworkConfig,
    images: &Value,
    features: bool,
) -> (Value, Option<Value>) {
    let mut x = images.clone();
    for (at, (layer, config_of)) in network.blocks.iter().zip(&config.blocks).enumerate() {
        graph.part(format!("{part}/blocks.{at}"));
        x = block(graph, layer, config_of, config.order, &x);
    }
    graph.part(part);
    let features = features.then(|| {
        let means = graph.reduce("ReduceMean", &x, &[2, 3], false);
        // Without a block these are pixels, which may lie below 0.
        let means = graph.node("Relu", &[&means]);
        graph.node("Sqrt", &[&means])
    });
    x = graph.node("Flatten", &[&x]);
    for (at, Dense { linear, norm }) in network.dense.iter().enumerate() {
        graph.part(format!("{part}/dense.{at}"));
        x = dense(graph, linear, norm.as_ref(), &x);
        x = graph.node("Relu", &[&x]);
    }
    graph.part(format!("{part}/output"));
    let logits = dense(graph, &network.output, None, &x);
    graph.part(part);
    (logits, features)
}

fn block(graph: &mut Graph, block: &Block, config: &BlockConfig, order: Order, x: &Value) -> Value {
    let weight = block.conv.weight.val();
    let dims = weight.dims();
    let bias = block.conv.bias.as_ref().map(|bias| numbers(bias.val()));
    let affine = Affine::new(bias, block.norm.as_ref(), dims[0]);
    let pool_first = config.pool && order == Order::ConvPoolNormRelu;
    // The greatest of four stays the greatest where it is scaled, unless the scale is below 0.
    let turned = pool_first && affine.scale.iter().any(|&scale| scale < 0.0);
    let folded = |(at, weight): (usize, f64)| {
        let scale = affine.scale[at / (dims[1] * dims[2] * dims[3])];
        (weight * if turned { scale.abs() } else { scale }) as f32
    };
    let folded: Vec<f32> = numbers(weight)
        .into_iter()
        .enumerate()
        .map(folded)
        .collect();
    let weight = graph.floats("weight", &dims, &folded);
    let (kernel, padding) = (config.kernel as i64, config.padding as i64);
    let attributes = vec![
        ints("kernel_shape", &[kernel; 2]),
        ints("pads", &[padding; 4]),
    ];
    if turned {
        let signs: Vec<f32> = affine
            .scale
            .iter()
            .map(|scale| scale.signum() as f32)
            .collect();
        let channels = [1, dims[0], 1, 1];
        let (signs, shift) = (
            graph.floats("sign", &channels, &signs),
            graph.floats("bias", &channels, &affine.shift()),
        );
        let x = graph.node_with("Conv", &[x, &weight], attributes);
        let x = pool(graph, &x);
        let x = graph.node("Mul", &[&x, &signs]);
        let x = graph.node("Add", &[&x, &shift]);
        return graph.node("Relu", &[&x]);
    }
    let shift = graph.floats("bias", &dims[..1], &affine.shift());
    let x = graph.node_with("Conv", &[x, &weight, &shift], attributes);
    match (config.pool, order) {
        (false, _) => graph.node("Relu", &[&x]),
        (true, Order::ConvNormReluPool) => {
            let x = graph.node("Relu", &[&x]);
            pool(graph, &x)
        }
        (true, Order::ConvPoolNormRelu) => {
            let x = pool(graph, &x);
            graph.node("Relu", &[&x])
        }
    }
}

fn pool(graph: &mut Graph, x: &Value) -> Value {
    let attributes = vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
    graph.node_with("MaxPool", &[x], attributes)
}

/// Burn's weights are `[in, out]`, as `Gemm` takes them.
fn dense(graph: &mut Graph, linear: &Linear, norm: Option<&BatchNorm>, x: &Value) -> Value {
    let weight = linear.weight.val();
    let dims = weight.dims();
    let bias = linear.bias.as_ref().map(|bias| numbers(bias.val()));
    let affine = Affine::new(bias, norm, dims[1]);
    let folded: Vec<f32> = numbers(weight)
        .into_iter()
        .enumerate()
        .map(|(at, weight)| (weight * affine.scale[at % dims[1]]) as f32)
        .collect();
    let weight = graph.floats("weight", &dims, &folded);
    let shift = graph.floats("bias", &dims[1..], &affine.shift());
    graph.node("Gemm", &[x, &weight, &shift])
}
