#!/usr/bin/env python3
"""What Burn's features `fusion` and `autotune` cost and give on the wgpu backend of this machine.

    python3 bench/wgpu.py                   four first builds, then rounds of training and one pass over the test set
    python3 bench/wgpu.py --no-build        with what an earlier call built

Each of the four combinations is built from an empty target folder of its own under --scratch, with nothing else of the
machine's work beside it. Then rounds alternate between them: a short run of the default recipe whose second epoch is
timed, compared step by step with the same run on ndarray. Last, the committed checkpoint classifies the test set. Prints
tables in Markdown for docs/wgpu.md. Without a graphics adapter a Vulkan driver in software does, such as Mesa's
llvmpipe, and the speed is that of its compiler.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
VARIANTS = {"neither": [], "fusion": ["fusion"], "autotune": ["autotune"], "both": ["fusion", "autotune"]}
RECIPE = ["--config", ROOT / "configs/default.toml", "--set", "training.epochs=2", "--set", "training.plain_epochs=0",
          "--set", "data.validation=500", "--set", "data.negatives=0", "--set", "inference.views=1"]


@dataclasses.dataclass
class Run:
    """What a run wrote of itself: by step of training its loss, seconds to the first, and the speed of the last epoch."""

    losses: list[float]
    first: float
    speed: float
    wall: float
    test: dict

    @classmethod
    def read(cls, folder: pathlib.Path, wall: float) -> "Run":
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        steps = [line for line in lines if "step" in line and line["name"] == "loss"]
        speed = [line["value"] for line in lines if line["name"] == "images_per_second"][-1]
        summary = json.loads((folder / "summary.json").read_text())
        return cls([line["value"] for line in steps], steps[0]["seconds"], speed, wall, summary["test"])


def positive(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError("1 or more")
    return int(text)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-build", action="store_true", help="use what is in --scratch")
    parser.add_argument("--scratch", type=pathlib.Path, default=ROOT / "target" / "wgpu-features")
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--images", type=positive, default=3840, help="of training; 30 batches")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS, metavar="NAME")
    return parser.parse_args()


def build(name: str, scratch: pathlib.Path) -> tuple[float, float]:
    """Seconds on the clock and of processor time that the README's build with these features takes."""
    target = scratch / name
    shutil.rmtree(target, ignore_errors=True)
    features = ",".join(["wgpu", *(f"burn/{feature}" for feature in VARIANTS[name])])
    command = ["cargo", "build", "--release", "--locked", "--features", features]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    started = time.perf_counter()
    child = subprocess.Popen([*command, "-p", "train"], cwd=ROOT, env=environment, stdout=sys.stderr)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{name}: the build ended with {child.returncode}")
    # What the last table asks, and no part of what is timed.
    subprocess.run([*command, "-p", "train", "-p", "digits"], cwd=ROOT, env=environment, stdout=sys.stderr, check=True)
    return wall, usage.ru_utime + usage.ru_stime


def train(program: pathlib.Path, folder: pathlib.Path, backend: str, images: int) -> Run | str:
    """The run, or what it said when it ended without one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = [program, *RECIPE, "--set", f"data.limit={images}", "--backend", backend, "--quiet", "--run-dir", folder]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True)
    wall = time.perf_counter() - started
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    return Run.read(folder, wall)


def evaluate(program: pathlib.Path, folder: pathlib.Path, backend: str) -> tuple[float, list[list[float]]]:
    """Seconds, and the probabilities of every test image."""
    dump = folder / f"{backend}.csv"
    started = time.perf_counter()
    subprocess.run([program, "evaluate", ROOT / "artifacts/pretrained", "--backend", backend, "--dump", dump], cwd=folder,
                   stdout=subprocess.DEVNULL, check=True)
    seconds = time.perf_counter() - started
    rows = dump.read_text().splitlines()[1:]
    return seconds, [[float(value) for value in row.split(",")[1:]] for row in rows]


def span(values: list[float], digits: int = 0) -> str:
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def farthest(a: list[float], b: list[float]) -> float:
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


def main() -> None:
    args = parse()
    scratch = args.scratch.resolve()
    if not args.no_build:
        print("| features beside wgpu | first build, on the clock, s | processor time, s |\n|---|---|---|", flush=True)
        for name in args.variants:
            wall, cpu = build(name, scratch)
            print(f"| {name} | {wall:.0f} | {cpu:.0f} |", flush=True)
        print()
    program = {name: scratch / name / "release" for name in args.variants}
    any_program = program[args.variants[0]]
    reference = train(any_program / "train", scratch / "runs" / "ndarray", "ndarray", args.images)
    if isinstance(reference, str):
        sys.exit(f"ndarray: {reference}")
    runs = {name: [] for name in args.variants}
    failed = {}
    for round in range(args.rounds):
        for name in args.variants:
            run = train(program[name] / "train", scratch / "runs" / f"{name}-{round}", "wgpu", args.images)
            if isinstance(run, str):
                failed.setdefault(name, []).append(run)
                print(f"{name}: {run}", file=sys.stderr)
            else:
                runs[name].append(run)
    print("| features beside wgpu | training, second epoch, images/s | to the first step, s | whole run, s | farthest from "
          "ndarray's loss: steps 1 to 10 | all steps | test: wrong of 10,000 (ndarray: "
          f"{reference.test['errors']}) |\n|---|---|---|---|---|---|---|")
    for name, made in runs.items():
        if not made:
            print(f"| {name} | none of {args.rounds} runs ended: {failed[name][0]} | | | | | |")
            continue
        early = max(farthest(run.losses[:10], reference.losses[:10]) for run in made)
        all_steps = max(farthest(run.losses, reference.losses) for run in made)
        wrong = ", ".join(str(run.test["errors"]) for run in made)
        ended = "" if len(made) == args.rounds else f" ({len(made)} of {args.rounds} runs)"
        print(f"| {name}{ended} | {span([run.speed for run in made])} | {span([run.first for run in made], 1)} | "
              f"{span([run.wall for run in made])} | {early:.1e} | {all_steps:.1e} | {wrong} |")
    print("\n| features beside wgpu | the test set classified, s | largest difference of a probability from ndarray's | "
          "other digits |\n|---|---|---|---|")
    (scratch / "answers").mkdir(exist_ok=True)
    _, expected = evaluate(any_program / "digits", scratch / "answers", "ndarray")
    digit = lambda row: max(range(len(row)), key=row.__getitem__)
    for name in args.variants:
        seconds, found = evaluate(program[name] / "digits", scratch / "answers", "wgpu")
        other = sum(digit(a) != digit(b) for a, b in zip(found, expected, strict=True))
        largest = max(farthest(a, b) for a, b in zip(found, expected, strict=True))
        print(f"| {name} | {seconds:.1f} | {largest:.1e} | {other} |")


if __name__ == "__main__":
    main()
