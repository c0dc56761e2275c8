#!/usr/bin/env python3
"""Trains a recipe with several seeds and says what to expect of one run: mean and standard deviation.

    python3 bench/seeds.py                                        default.toml, seeds 0 to 4
    python3 bench/seeds.py --config configs/fast.toml --first 100 another recipe, seeds 100 to 104
    python3 bench/seeds.py --count 20                             as many as the certified risk asks for
    python3 bench/seeds.py --threads 1 --jobs 2                   two seeds at once: sooner, but no measure of time

Each seed is a complete run of the binary `train`, then of `digits evaluate` on what it saved. The test
images are read once for each model. Writes docs/seeds-RECIPE.md and .json, or prints with --no-save.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="configs/default.toml", help="the recipe, below the root of the workspace")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value of the recipe")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=5, help="how many seeds")
    parser.add_argument("--threads", type=int, default=2, help="of each run")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once")
    parser.add_argument("--no-build", action="store_true", help="take the binaries as they are")
    parser.add_argument("--no-save", action="store_true", help="print only")
    return parser.parse_args()


def examine(args, target, seed):
    """Trains with one seed and returns what was measured."""
    count = str(args.threads)
    environment = dict(os.environ, RAYON_NUM_THREADS=count, MATMUL_NUM_THREADS=count)
    with tempfile.TemporaryDirectory(prefix="seed-") as work:
        run = pathlib.Path(work) / "run"
        changes = [part for change in args.set for part in ("--set", change)]
        command = [target / "train", "--config", ROOT / args.config, "--seed", str(seed), "--run-dir", run, "--quiet", "--json"]
        started = time.perf_counter()
        output = subprocess.run([*command, *changes], env=environment, check=True, stdout=subprocess.PIPE).stdout
        seconds = time.perf_counter() - started
        summary = json.loads(output)
        command = [target / "digits", "evaluate", run / "model", "--json", "--resplits", "100"]
        found = json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)
    evaluation = found["test"]["evaluation"]
    after, selective = evaluation["after"], evaluation["selective"]
    kept = {point["risk"]: point["coverage"] for point in after["coverage_at_risk"]}
    splits = {f"{method(split)} {100 * split['level']:g} %": split["coverage"] for split in found["resplits"]}
    return {
        "seed": seed,
        "accuracy": found["test"]["accuracy"],
        "validation": summary["validation"]["accuracy"],
        "nll": after["nll"],
        "ece": after["ece"],
        "aurc": after["aurc"],
        "kept": kept[0.001],
        "certified": found["test"]["deferral"]["certified"],
        "accepted": selective["coverage"]["value"],
        # Of nothing accepted nothing is wrong.
        "risk": selective["risk"]["value"] if selective["risk"] else 0.0,
        "wrong": selective["errors"],
        "seconds": seconds,
        **{f"conformal, {name}": value for name, value in splits.items()},
    }


def method(split):
    """LAC is named by a string, randomized APS by an object with its seed."""
    name = split["method"]
    return {"lac": "LAC", "aps": "APS", "randomized_aps": "randomized APS"}[name if isinstance(name, str) else next(iter(name))]


def row(text, values, show):
    sd = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"| {text} | {show(statistics.mean(values))} ± {show(sd)} | {show(min(values))} to {show(max(values))} |"


def render(args, runs):
    values = lambda key: [run[key] for run in runs]
    percent = lambda value: f"{100 * value:.2f} %"
    fine = lambda value: f"{100 * value:.3f} %"
    target = 0.001
    within = sum(run["risk"] <= target for run in runs)
    seeds = f"{runs[0]['seed']} to {runs[-1]['seed']}"
    changes = "".join(f" --set {change}" for change in args.set)
    jobs = f" --threads {args.threads} --jobs {args.jobs}" if args.jobs > 1 else ""
    at_once = f", {args.jobs} runs at once, so that the seconds are no measure of one" if args.jobs > 1 else ""
    lines = [
        f"# {pathlib.Path(args.config).name} over seeds",
        "",
        f"`python3 bench/seeds.py --config {args.config}{changes} --first {args.first} --count {len(runs)}{jobs}`: seeds {seeds}, "
        f"{args.threads} threads{at_once}. Mean ± standard deviation, on the 10,000 test images.",
        "",
        "| measure | mean ± sd | lowest to highest |",
        "|---|---|---|",
        row("accuracy", values("accuracy"), percent),
        row("NLL, calibrated, nats", values("nll"), lambda value: f"{value:.5f}"),
        row("ECE, calibrated", values("ece"), fine),
        row("AURC", values("aurc"), lambda value: f"{value:.2e}"),
        row("coverage at 0.1 % risk", values("kept"), percent),
        row("accepted at the checkpoint's threshold", values("accepted"), percent),
        row("wrong among them", values("risk"), fine),
        *[row(f"{key}, mean of 100 halvings", values(key), fine) for key in runs[0] if key.startswith("conformal")],
        row("seconds, whole process", values("seconds"), lambda value: f"{value:.1f}"),
        "",
        f"At most 0.1 % of the accepted test images are wrong with {within} of {len(runs)} seeds. The threshold is certified for "
        f"that with {sum(values('certified'))} of them; with the others it is the strictest that could have been.",
        "",
        "| seed | accuracy | NLL | ECE | AURC | certified | accepted | wrong among them | seconds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        lines.append(f"| {run['seed']} | {percent(run['accuracy'])} | {run['nll']:.5f} | {fine(run['ece'])} | {run['aurc']:.2e} | {'yes' if run['certified'] else 'no'} | "
                     f"{percent(run['accepted'])} | {run['wrong']} ({fine(run['risk'])}) | {run['seconds']:.1f} |")
    return "\n".join(lines) + "\n"


def main():
    args = parse()
    if not args.no_build:
        command = ["cargo", "build", "--release", "--locked", "--workspace", "--bin", "train", "--bin", "digits"]
        subprocess.run(command, cwd=ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    runs = []
    seeds = range(args.first, args.first + args.count)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        try:
            for run in pool.map(lambda seed: examine(args, target, seed), seeds):
                runs.append(run)
                print(f"seed {run['seed']}: {100 * run['accuracy']:.2f} % in {run['seconds']:.1f} s", file=sys.stderr)
                save(args, runs)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            print("interrupted: these are the seeds that are complete", file=sys.stderr)
    if not runs:
        sys.exit(1)
    print(render(args, runs))


def save(args, runs):
    """What is known so far."""
    if not args.no_save:
        name = ROOT / "docs" / f"seeds-{pathlib.Path(args.config).stem}"
        name.with_suffix(".json").write_text(json.dumps(runs, indent=1) + "\n")
        name.with_suffix(".md").write_text(render(args, runs))


if __name__ == "__main__":
    main()
