//! `checkpoint.json`: any text gives a manifest or an error, and a manifest survives being written.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use model::{Manifest, checkpoint::FORMAT_VERSION};

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("checkpoint.json");
    match Manifest::parse(bytes, path) {
        Ok(mut manifest) => {
            let summary = manifest.summary();
            assert!(summary.parameters() > 0 && !summary.to_string().is_empty());
            let written = manifest.to_json().expect("what was JSON is JSON");
            let again = Manifest::parse(&written, path);
            manifest.version = FORMAT_VERSION;
            assert_eq!(again.ok().as_ref(), Some(&manifest));
        }
        Err(error) => assert!(error.to_string().contains("checkpoint.json")),
    }
});
