//! Whether a device is found to compute what the CPU computes.

#![allow(clippy::unwrap_used, clippy::expect_used, deprecated)]

use burn::tensor::{Device, DeviceConfig, FloatDType};
use train::agreement::check;

#[test]
fn a_device_that_computes_in_32_bits_agrees() {
    check(&Device::ndarray(), "ndarray").unwrap();
}

#[test]
fn a_device_that_computes_in_fewer_bits_does_not_and_the_error_says_what_to_do() {
    let mut device = Device::flex();
    device
        .configure(DeviceConfig::default().float_dtype(FloatDType::BF16))
        .unwrap();
    let error = check(&device, "Flex").unwrap_err().to_string();
    for part in [
        "Flex",
        "a product of matrices",
        "--backend ndarray",
        "driver",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!error.contains('\n'));
}
