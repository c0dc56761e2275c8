//! What the products of training are computed in.

use anyhow::bail;
use model::{Backend, Precision};

/// The products that a recipe asks for, on its backend; `detected` says what this processor has of them.
pub(crate) fn products(
    asked: Precision,
    backend: Backend,
    detected: Result<kernels::Precision, kernels::Error>,
) -> anyhow::Result<kernels::Precision> {
    if asked.is_f32() {
        return Ok(kernels::Precision::F32);
    }
    if backend == Backend::Wgpu {
        bail!(
            "training.precision = {asked} computes on the processor, the backend {backend} does not; choose \
             --backend ndarray or flex, or leave training.precision out for f32"
        );
    }
    let Ok(products) = detected else {
        bail!(
            "training.precision = {asked} needs a processor with AVX-512 BF16 (AMD since Zen 4, Intel Xeon since \
             Cooper Lake), and this one has none; leave training.precision out for f32"
        );
    };
    Ok(products)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn bf16_is_refused_in_words_where_it_cannot_be_computed() {
        let missing = || Err(kernels::Error::Bf16);
        let refused = |backend, detected| {
            let refused = products(Precision::Bf16, backend, detected);
            refused.unwrap_err().to_string()
        };
        let processor = refused(Backend::Flex, missing());
        assert!(
            processor.contains("needs a processor with AVX-512 BF16"),
            "{processor}"
        );
        let adapter = refused(Backend::Wgpu, Ok(kernels::Precision::F32));
        assert!(adapter.contains("--backend ndarray or flex"), "{adapter}");
        products(Precision::F32, Backend::Flex, missing()).unwrap();
    }
}
