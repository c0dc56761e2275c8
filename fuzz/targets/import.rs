//! `digits import`: see `shared/import.rs`.

#![no_main]

#[path = "shared/import.rs"]
mod shared;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    shared::check(bytes);
});
