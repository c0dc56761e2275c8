#!/usr/bin/env python3
"""What training on lent devices costs and gains, on this machine.

    cargo build -p train --release --features remote-server
    python3 bench/remote.py                 a few minutes on two quiet cores

One lender over the loopback interface beside the same backend in this process, on the default recipe; and two lenders
of one core each beside one of them, on a network that is all computing, with the same total batch. Rounds alternate, so
that what else the machine does falls on all alike. Prints medians, and lowest to highest.
"""

import argparse
import json
import os
import pathlib
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEFAULT = ["--config", ROOT / "configs/default.toml", "--set", "training.epochs=2", "--set", "training.plain_epochs=0"]
# Two convolutions of 64 channels and two of 128, on a batch of 512.
HEAVY = ["--config", ROOT / "configs/accurate.toml", "--set", "training.epochs=1", "--set", "training.plain_epochs=1"]
HEAVY += ["--set", "data.limit=6000", "--set", "data.validation=200", "--set", "data.negatives=0", "--set", "inference.views=1"]
HEAVY += ["--set", "training.batch_size=512", "--set", "network.blocks=[{channels=64,kernel=3,pool=false},"
          "{channels=64,kernel=3},{channels=128,kernel=3,padding=1,pool=false},{channels=128,kernel=3}]"]


class Lender:
    """A process that lends, on the given cores."""

    def __init__(self, train, work, backend, cores):
        command = [train, "--serve-device", backend, "--token-file", work / "token", "--listen", "127.0.0.1:0"]
        environment = dict(os.environ)
        if cores is not None:
            command = ["taskset", "-c", str(cores), *command]
            environment["RAYON_NUM_THREADS"] = "1"
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        found = re.search(r"remote://[^,\s]+", line)
        if not found:
            sys.exit(line.strip() or "a lender didn't start")
        self.address = found[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def speed(train, work, backend, recipe, lenders):
    """Images per second of training steps."""
    run = work / "run"
    shutil.rmtree(run, ignore_errors=True)
    command = [train, *recipe, "--run-dir", run, "--backend", backend, "--quiet"]
    if lenders:
        command += ["--token-file", work / "token"]
    for lender in lenders:
        command += ["--device", lender.address]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads((run / "summary.json").read_text())["train"]["images_per_second"]


def row(name, values):
    print(f"| {name} | {statistics.median(values):,.0f} | {min(values):,.0f} to {max(values):,.0f} |")


def ratio(name, pairs):
    values = [mine / other for mine, other in pairs]
    print(f"| {name} | {statistics.median(values):.2f} | {min(values):.2f} to {max(values):.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--backend", default="ndarray")
    args = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    train = target / "release" / "train"
    with tempfile.TemporaryDirectory(prefix="remote-") as folder:
        work = pathlib.Path(folder)
        (work / "token").write_text(secrets.token_hex(32))
        here, there, one, two = [], [], [], []
        with Lender(train, work, args.backend, None) as lender:
            for _ in range(args.rounds):
                here.append(speed(train, work, args.backend, DEFAULT, []))
                there.append(speed(train, work, args.backend, DEFAULT, [lender]))
        if shutil.which("taskset"):
            with Lender(train, work, args.backend, 0) as first, Lender(train, work, args.backend, 1) as second:
                for _ in range(args.rounds):
                    one.append(speed(train, work, args.backend, HEAVY, [first]))
                    two.append(speed(train, work, args.backend, HEAVY, [first, second]))
    print("| | median | lowest to highest |\n|---|---|---|")
    row("default recipe here, images/s", here)
    row("on one lender, images/s", there)
    ratio("on one lender : here", zip(there, here))
    if one:
        row("all computing, one lender of one core, images/s", one)
        row("two lenders of one core each, images/s", two)
        ratio("two : one", zip(two, one))


if __name__ == "__main__":
    main()
