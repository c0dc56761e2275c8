//! The layer table of a network, in the style of Keras' `model.summary()`.

use std::fmt;

use data::ImageShape;

use crate::config::{NetworkConfig, Order};
use crate::shapes::{BlockShapes, Shapes};

/// What a network consists of, layer by layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The layers, first to last.
    pub layers: Vec<Layer>,
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Name and kind, such as `blocks.0.conv (3×3)`.
    pub name: String,
    /// The shape of the output for one image, channels first.
    pub output: Vec<usize>,
    /// Learned parameters.
    pub parameters: usize,
    /// Multiplications with addition that one image costs.
    pub multiply_adds: usize,
}

impl Summary {
    /// The layer table of a network with these shapes.
    pub fn new(config: &NetworkConfig, shapes: &Shapes) -> Self {
        let ImageShape {
            channels,
            height,
            width,
        } = shapes.input;
        let mut layers = vec![Layer::free("input", vec![channels, height, width])];
        for (index, (block, shape)) in config.blocks.iter().zip(&shapes.blocks).enumerate() {
            let name = |part: &str| format!("blocks.{index}.{part}");
            let BlockShapes {
                input,
                convolved,
                output,
            } = *shape;
            let k = block.kernel;
            let filters = input[0] * k * k * convolved[0];
            layers.push(Layer {
                name: name(&format!("conv ({k}×{k})")),
                output: convolved.to_vec(),
                parameters: filters + if config.norm { 0 } else { convolved[0] },
                multiply_adds: filters * convolved[1] * convolved[2],
            });
            let pool = block
                .pool
                .then(|| Layer::free(name("pool (2×2)"), output.to_vec()));
            let (first, last, at) = match config.order {
                Order::ConvPoolNormRelu => (pool, None, output),
                Order::ConvNormReluPool => (None, pool, convolved),
            };
            layers.extend(first);
            if config.norm {
                layers.push(Layer::norm(name("norm"), at.to_vec()));
            }
            layers.push(Layer::free(name("relu"), at.to_vec()));
            layers.extend(last);
        }
        for (index, ends) in shapes.dense.windows(2).enumerate() {
            let [inputs, width] = [ends[0], ends[1]];
            let name = |part: &str| format!("dense.{index}.{part}");
            layers.push(Layer::linear(name("linear"), inputs, width, !config.norm));
            if config.norm {
                layers.push(Layer::norm(name("norm"), vec![width]));
            }
            layers.push(Layer::free(name("relu"), vec![width]));
        }
        let features = shapes.dense.last().copied().unwrap_or_default();
        layers.push(Layer::linear(
            "output".into(),
            features,
            shapes.classes,
            true,
        ));
        Summary { layers }
    }
}

impl Layer {
    fn free(name: impl Into<String>, output: Vec<usize>) -> Self {
        Layer {
            name: name.into(),
            output,
            parameters: 0,
            multiply_adds: 0,
        }
    }

    /// Scale and shift per channel; the running statistics are not learned and not counted.
    fn norm(name: String, output: Vec<usize>) -> Self {
        Layer {
            parameters: 2 * output.first().copied().unwrap_or(0),
            multiply_adds: output.iter().product(),
            name,
            output,
        }
    }

    fn linear(name: String, inputs: usize, outputs: usize, bias: bool) -> Self {
        Layer {
            name,
            output: vec![outputs],
            parameters: inputs * outputs + if bias { outputs } else { 0 },
            multiply_adds: inputs * outputs,
        }
    }
}

impl Summary {
    /// The number of learned parameters.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.parameters).sum()
    }

    /// Multiply-adds of the forward pass for one image.
    pub fn multiply_adds(&self) -> usize {
        self.layers.iter().map(|layer| layer.multiply_adds).sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, output: &str, parameters: &str, multiply_adds: &str| {
            writeln!(
                f,
                "{name:<22} {output:<14} {parameters:>12} {multiply_adds:>14}"
            )
        };
        row("layer", "output", "parameters", "multiply-adds")?;
        for layer in &self.layers {
            let output: Vec<_> = layer.output.iter().map(usize::to_string).collect();
            row(
                &layer.name,
                &format!("[{}]", output.join(", ")),
                &thousands(layer.parameters),
                &thousands(layer.multiply_adds),
            )?;
        }
        row(
            "total",
            "",
            &thousands(self.parameters()),
            &thousands(self.multiply_adds()),
        )
    }
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
