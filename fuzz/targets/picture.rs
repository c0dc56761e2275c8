//! Pictures for `digits predict`: any bytes give a framing or an error of one line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pictures::{Framing, decode};

fuzz_target!(|bytes: &[u8]| {
    match decode(bytes, "input.png") {
        Ok(Framing::Digit(framed) | Framing::Marked(framed)) => {
            assert!(framed.region.width > 0 && framed.region.height > 0);
            assert!(framed.pixels.iter().any(|&pixel| pixel > 0));
        }
        Ok(Framing::Several(regions)) => assert!(regions.len() > 1),
        Ok(Framing::Nothing | Framing::OrientationUnclear) => {}
        Err(error) => {
            let line = error.to_string();
            assert!(line.contains("input.png") && !line.contains('\n'));
        }
    }
});
