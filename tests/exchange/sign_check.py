#!/usr/bin/env python3
"""Whether OpenSSF's model_signing accepts what `digits sign` signs, refuses what was changed since, and the other way
round.

    pip install -r tests/exchange/sign-requirements.txt
    cargo build --release
    python3 tests/exchange/sign_check.py
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEYS = ROOT / "tests/exchange/keys"
DIGITS = [str(ROOT / "target/release/digits")]
MODEL_SIGNING = [sys.executable, "-m", "model_signing"]


def run(command: list) -> bool:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    last = (done.stdout + done.stderr).strip().splitlines()[-1:]
    print(f"{'ok    ' if done.returncode == 0 else 'failed'} {' '.join(map(str, command[-7:]))}: {''.join(last)[:120]}")
    return done.returncode == 0


def check(expected: bool, command: list) -> None:
    if run(command) != expected:
        sys.exit(f"expected to {'succeed' if expected else 'fail'}")


def theirs(model: pathlib.Path, signature: pathlib.Path, key: str) -> list:
    return MODEL_SIGNING + ["verify", "key", model, "--signature", signature, "--public_key", KEYS / key]


def ours(model: pathlib.Path, signature: pathlib.Path, key: str) -> list:
    return DIGITS + ["verify", "--signed-by", KEYS / key, "--signature", signature, model]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder) / "model"
        shutil.copytree(ROOT / "artifacts/pretrained", model)
        for pem in ["test-only", "test-only-other"]:
            signature = model / "model.sig"
            check(True, DIGITS + ["sign", model, "--key", KEYS / f"{pem}.pem", "--force"])
            check(True, theirs(model, signature, f"{pem}.pub"))
        check(False, theirs(model, signature, "test-only.pub"))

        manifest = model / "checkpoint.json"
        text = manifest.read_text()
        manifest.write_text(text.replace('"seed": 0', '"seed": 1', 1))
        check(False, theirs(model, signature, "test-only-other.pub"))
        manifest.write_text(text)
        (model / "notes.txt").write_text("more")
        check(False, theirs(model, signature, "test-only-other.pub"))
        (model / "notes.txt").unlink()
        check(True, theirs(model, signature, "test-only-other.pub"))
        check(True, ours(model, signature, "test-only-other.pub"))

        signature.unlink()
        for place in [signature, pathlib.Path(folder) / "outside.sig"]:
            key = KEYS / "test-only.pem"
            check(True, MODEL_SIGNING + ["sign", "key", model, "--signature", place, "--private_key", key])
            check(True, ours(model, place, "test-only.pub"))
            check(False, ours(model, place, "test-only-other.pub"))
    print("model_signing and digits accept each other's signatures, and refuse what was changed")


if __name__ == "__main__":
    main()
