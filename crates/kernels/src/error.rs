//! What the slice kernels refuse.

/// A shape or a slice that the kernels cannot work on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The sizes do not describe a convolution with at least one output value.
    #[error(
        "no output: input {height}x{width}x{in_channels}, {out_channels} output channels, kernel {kernel}, padding {padding}, pool {pool}; every size must be at least 1 and the kernel must fit into the padded input"
    )]
    Geometry {
        /// Input height in pixels.
        height: usize,
        /// Input width in pixels.
        width: usize,
        /// Channels of the input.
        in_channels: usize,
        /// Channels of the output.
        out_channels: usize,
        /// Side of the square kernel.
        kernel: usize,
        /// Zeros on each side of the input.
        padding: usize,
        /// Whether a 2x2 max-pool follows.
        pool: bool,
    },
    /// A dense layer without inputs or outputs.
    #[error("a dense layer of {inputs} inputs and {outputs} outputs; both must be at least 1")]
    Dense {
        /// Values of one row before the layer.
        inputs: usize,
        /// Values of one row after the layer.
        outputs: usize,
    },
    /// A precision that there is none of.
    #[error("unknown precision `{0}`; known are f32 and int8")]
    Precision(String),
    /// No forward pass on bytes.
    #[error("int8 is not possible: {0}; use f32")]
    Int8(&'static str),
    /// The processor has no products in bf16.
    #[error(
        "products in bf16 need a processor with AVX-512 BF16 (Intel since Cooper Lake, AMD since Zen 4), which this one is not; compute in f32"
    )]
    Bf16,
    /// A slice does not have the length that the geometry and the batch ask for.
    #[error(
        "`{name}` has {actual} values, but this geometry needs {expected}; pass a slice of that length"
    )]
    Length {
        /// Name of the argument.
        name: &'static str,
        /// Length that the geometry asks for.
        expected: usize,
        /// Length of the slice passed.
        actual: usize,
    },
}

/// Checks one slice length.
pub(crate) fn check_len(name: &'static str, actual: usize, expected: usize) -> Result<(), Error> {
    if actual == expected {
        Ok(())
    } else {
        Err(Error::Length {
            name,
            expected,
            actual,
        })
    }
}
