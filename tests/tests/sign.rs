//! Signed checkpoints: whose they are, and that nobody changed them since.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use serde_json::Value;
use tests::{Sandbox, pretrained, root};

fn key(name: &str) -> String {
    let path = root().join("tests/exchange/keys").join(name);
    path.display().to_string()
}

/// A copy of the committed checkpoint, signed.
fn signed() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("model")).unwrap();
    for entry in fs::read_dir(pretrained()).unwrap() {
        let entry = entry.unwrap();
        let to = sandbox.path("model").join(entry.file_name());
        fs::copy(entry.path(), to).unwrap();
    }
    sandbox.succeed("digits", &["sign", "model", "--key", &key("test-only.pem")]);
    sandbox
}

/// The line that says why a checkpoint is not as it was signed.
fn refused(sandbox: &Sandbox, more: &[&str]) -> String {
    let key = key("test-only.pub");
    let args = [&["verify", "--signed-by", &key, "model"], more].concat();
    let outcome = sandbox.run("digits", &args);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stdout);
    let text = outcome.stdout + &outcome.stderr;
    assert!(
        !text.contains("panicked") && text.lines().count() == 1,
        "{text}"
    );
    text
}

#[test]
fn a_signed_checkpoint_is_whole_loads_and_is_its_signers() {
    let sandbox = signed();
    let public = key("test-only.pub");
    let said = sandbox.succeed("digits", &["verify", "--signed-by", &public, "model"]);
    assert_eq!(
        said.stdout,
        format!("model: whole, signed by the owner of {public}\n")
    );
    assert_eq!(
        sandbox.succeed("digits", &["verify", "model"]).stdout,
        "model: whole\n"
    );
    sandbox.succeed("digits", &["inspect", "model"]);
    let args = ["verify", "--signed-by", &public, "model", "--json"];
    let json: Value = serde_json::from_str(&sandbox.succeed("digits", &args).stdout).unwrap();
    assert_eq!(
        (&json["whole"], &json["signed_by"]),
        (&true.into(), &public.into())
    );

    let error = sandbox.fail("digits", &["sign", "model", "--key", &key("test-only.pem")]);
    assert!(
        error.contains("model.sig") && error.contains("--force"),
        "{error}"
    );
    // Elsewhere, and by somebody else.
    let other = key("test-only-other.pem");
    sandbox.succeed(
        "digits",
        &["sign", "model", "--key", &other, "--signature", "their.sig"],
    );
    assert!(refused(&sandbox, &["--signature", "their.sig"]).contains("another key"));
    fs::remove_file(sandbox.path("model/model.sig")).unwrap();
    assert!(refused(&sandbox, &[]).contains("no signature"));
}

#[test]
fn what_was_changed_since_is_named_even_where_the_digests_were_changed_with_it() {
    let sandbox = signed();
    let mut manifest = sandbox.json("model/checkpoint.json");
    manifest["calibration"]["deferral"]["threshold"] = 0.1.into();
    let text = serde_json::to_vec_pretty(&manifest).unwrap();
    fs::write(sandbox.path("model/checkpoint.json"), text).unwrap();
    let damaged = refused(&sandbox, &[]);
    assert!(damaged.contains("checkpoint.json: damaged"), "{damaged}");
    sandbox.reseal("model");
    sandbox.succeed("digits", &["verify", "model"]);
    let changed = refused(&sandbox, &[]);
    assert!(changed.contains("changed after it was signed"), "{changed}");

    let sandbox = signed();
    fs::write(sandbox.path("model/more.bpk"), "x").unwrap();
    let added = refused(&sandbox, &[]);
    assert!(added.contains("more.bpk"), "{added}");
    fs::remove_file(sandbox.path("model/more.bpk")).unwrap();
    fs::remove_file(sandbox.path("model/model.bpk")).unwrap();
    let removed = refused(&sandbox, &[]);
    assert!(removed.contains("model.bpk"), "{removed}");
}

#[test]
fn a_signature_that_is_cut_or_none_is_one_clear_line() {
    let sandbox = signed();
    let whole = sandbox.bytes("model/model.sig");
    for bytes in [&whole[..whole.len() / 2], &[], b"{}", b"[1]", &[0xff; 9]] {
        fs::write(sandbox.path("model/model.sig"), bytes).unwrap();
        let error = refused(&sandbox, &[]);
        assert!(
            error.contains("model.sig: no signature, or a damaged one"),
            "{error}"
        );
    }
}

#[test]
fn keys_of_another_kind_say_what_to_give() {
    let sandbox = signed();
    let [private, public] = [key("test-only.pem"), key("test-only.pub")];
    fs::write(sandbox.path("text"), "no key").unwrap();
    for (args, said) in [
        (["verify", "--signed-by", &private, "model"], "-pubout"),
        (
            ["verify", "--signed-by", &key("test-only-p384.pub"), "model"],
            "P-256",
        ),
        (
            ["verify", "--signed-by", "text", "model"],
            "text: no public key",
        ),
        (
            ["verify", "--signed-by", "absent", "model"],
            "absent: can't read",
        ),
        (["sign", "model", "--key", &public], "private one"),
        (["sign", "model", "--key", "text"], "-genkey"),
    ] {
        let error = sandbox.fail("digits", &args);
        assert!(error.contains(said), "{error}");
    }
}
