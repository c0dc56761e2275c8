//! `checkpoint.json`: any text gives a manifest or an error, and a manifest survives being written.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use model::Manifest;

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("checkpoint.json");
    match Manifest::parse(bytes, path) {
        Ok(manifest) => {
            let summary = manifest.architecture.summary();
            assert!(summary.parameters() > 0 && !summary.to_string().is_empty());
            let again = Manifest::parse(&manifest.to_json(), path);
            assert_eq!(again.ok().as_ref(), Some(&manifest));
        }
        Err(error) => assert!(error.to_string().contains("checkpoint.json")),
    }
});
