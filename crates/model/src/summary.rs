//! The layer table of a network, in the style of Keras' `model.summary()`.

use std::fmt;

use data::{CLASSES, HEIGHT, WIDTH};

use crate::network::{NetworkConfig, Order};

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

impl NetworkConfig {
    /// The layer table. The configuration should be [valid](NetworkConfig::validate); sizes that
    /// don't fit count as zero.
    pub fn summary(&self) -> Summary {
        let mut layers = vec![Layer::free("input", vec![1, HEIGHT, WIDTH])];
        let (mut channels, mut height, mut width) = (1, HEIGHT, WIDTH);
        for (index, block) in self.blocks.iter().enumerate() {
            let name = |part: &str| format!("blocks.{index}.{part}");
            let k = block.kernel;
            let filters = channels * k * k * block.channels;
            (height, width) = (
                block.convolved(height).unwrap_or(0),
                block.convolved(width).unwrap_or(0),
            );
            channels = block.channels;
            layers.push(Layer {
                name: name(&format!("conv ({k}×{k})")),
                output: vec![channels, height, width],
                parameters: filters + if self.norm { 0 } else { channels },
                multiply_adds: filters * height * width,
            });
            let pooled = if block.pool {
                (height / 2, width / 2)
            } else {
                (height, width)
            };
            let pool_first = self.order == Order::ConvPoolNormRelu;
            if block.pool && pool_first {
                (height, width) = pooled;
                layers.push(Layer::free(
                    name("pool (2×2)"),
                    vec![channels, height, width],
                ));
            }
            if self.norm {
                layers.push(Layer::norm(name("norm"), vec![channels, height, width]));
            }
            layers.push(Layer::free(name("relu"), vec![channels, height, width]));
            if block.pool && !pool_first {
                (height, width) = pooled;
                layers.push(Layer::free(
                    name("pool (2×2)"),
                    vec![channels, height, width],
                ));
            }
        }
        let mut features = channels * height * width;
        for (index, &width) in self.dense.iter().enumerate() {
            layers.push(Layer::linear(
                format!("dense.{index}.linear"),
                features,
                width,
                !self.norm,
            ));
            if self.norm {
                layers.push(Layer::norm(format!("dense.{index}.norm"), vec![width]));
            }
            layers.push(Layer::free(format!("dense.{index}.relu"), vec![width]));
            features = width;
        }
        layers.push(Layer::linear("output".into(), features, CLASSES, true));
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
