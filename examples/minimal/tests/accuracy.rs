//! The example does what it says.
#![allow(clippy::unwrap_used, missing_docs)]

use std::process::Command;

#[test]
fn an_epoch_of_plain_burn_reads_nine_and_a_half_digits_of_ten() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_minimal"))
        .arg(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let line = text.lines().last().unwrap();
    let right: usize = line.split(' ').next().unwrap().parse().unwrap();
    assert!(right > 9_600, "{line}");
    assert!(folder.path().join("model.bpk").is_file());
}
