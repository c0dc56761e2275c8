#!/usr/bin/env python3
"""Requests of one image per second: `serve` beside FastAPI with onnxruntime, on the same cores in the same minutes.

    cargo build --release && cargo build --release -p model --example weights
    python3 -m venv venv && venv/bin/pip install -r bench/serving_requirements.txt
    venv/bin/python bench/serving.py

Both serve the same network, which serving_onnx.py takes from the checkpoint, with one and with all of its views. Both
get the bytes of an image as the body of a POST over 32 connections that are kept, and answer class, confidence and
probabilities as JSON; the client is the same program, on the same cores. FastAPI runs under uvicorn with uvloop and
httptools, without a log, with one worker and with one for each core; onnxruntime has one thread in each. Prints a table
in Markdown: medians over the rounds, lowest to highest in brackets; the ratio is to the quickest of the others.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import onnx

import serving_onnx

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOAD = ROOT / "target" / "release" / "load"
PORT = 8123


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=pathlib.Path, default=ROOT / "artifacts" / "pretrained")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=32)
    return parser.parse_args()


def with_views(checkpoint: pathlib.Path, views: int, folder: pathlib.Path) -> pathlib.Path:
    """A copy of a checkpoint that looks at so many views of an image."""
    copy = folder / f"views-{views}"
    shutil.copytree(checkpoint, copy)
    manifest = json.loads((copy / "checkpoint.json").read_text())
    text = re.sub(r'"views": \d+', f'"views": {views}', (copy / "checkpoint.json").read_text(), count=1)
    assert json.loads(text) == manifest | {"views": views}
    (copy / "checkpoint.json").write_text(text)
    sums = [f"{hashlib.sha256((copy / line.split()[1]).read_bytes()).hexdigest()}  {line.split()[1]}"
            for line in (copy / "SHA256SUMS").read_text().splitlines()]
    (copy / "SHA256SUMS").write_text("\n".join(sums) + "\n")
    return copy


def measured(arguments: argparse.Namespace, *more: str) -> float:
    command = [LOAD, "single", "--rounds", "1", "--seconds", str(arguments.seconds),
               "--connections", str(arguments.connections), *more]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.search(r"requests/s[^|]*\| (\d+)", said)[1])


def rival(arguments: argparse.Namespace, network: pathlib.Path, workers: int) -> float:
    command = [sys.executable, "-m", "uvicorn", "serving_rival:app", "--loop", "uvloop", "--http", "httptools", "--no-access-log",
               "--log-level", "warning", "--workers", str(workers), "--port", str(PORT)]
    environment = os.environ | {"RIVAL": str(network), "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(command, cwd=ROOT / "bench", env=environment)
    try:
        time.sleep(4)
        return measured(arguments, "--at", f"127.0.0.1:{PORT}", "/predict")
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    arguments = parse()
    cores = os.cpu_count() or 1
    of_checkpoint = json.loads((arguments.checkpoint / "checkpoint.json").read_text())["views"]
    print("| network | `serve` | FastAPI, 1 worker | ratio | FastAPI, a worker for each core | ratio |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        for views in sorted({1, of_checkpoint}):
            checkpoint = with_views(arguments.checkpoint, views, pathlib.Path(name))
            network = pathlib.Path(name) / f"{views}.onnx"
            onnx.save(serving_onnx.network(checkpoint), network)
            rows = [
                (measured(arguments, "--checkpoint", str(checkpoint)), rival(arguments, network, 1), rival(arguments, network, cores))
                for _ in range(arguments.rounds)
            ]
            ours, one, many = zip(*rows)
            ratios = [[own / other for own, other in zip(ours, others)] for others in (one, many)]
            show = lambda values, digits: f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"
            print(f"| {views} view{'s' * (views > 1)} | {show(ours, 0)} | {show(one, 0)} | {show(ratios[0], 2)} "
                  f"| {show(many, 0)} | {show(ratios[1], 2)} |", flush=True)


if __name__ == "__main__":
    main()
