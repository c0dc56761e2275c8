#!/usr/bin/env python3
"""Trains a recipe with several seeds and says what to expect of one run: mean and standard deviation.

    python3 bench/seeds.py                                        default.toml, seeds 0 to 4
    python3 bench/seeds.py --config configs/fast.toml --first 100 another recipe, seeds 100 to 104
    python3 bench/seeds.py --count 20                             as many as the certified risk asks for
    python3 bench/seeds.py --threads 1 --jobs 2                   two seeds at once: sooner, but no measure of time
    python3 bench/seeds.py --count 20 --folder artifacts/twenty   keeps the runs; called again, it goes on

The runs are those of `train sweep`, each a process of its own; what each saved is then examined by `digits evaluate`. The
test images are read once for each model. Writes docs/seeds-RECIPE.md and .json, or prints with --no-save. Seconds are
those that the run states: of its whole process, up to its result.
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

ROOT = pathlib.Path(__file__).resolve().parent.parent


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="configs/default.toml", help="the recipe, below the root of the workspace")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value of the recipe")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=5, help="how many seeds")
    parser.add_argument("--threads", type=int, default=2, help="of each run")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once")
    parser.add_argument("--folder", type=pathlib.Path, help="keep the runs here, and go on with those that are there")
    parser.add_argument("--no-build", action="store_true", help="take the binaries as they are")
    parser.add_argument("--no-save", action="store_true", help="print only")
    return parser.parse_args()


def environment(threads):
    return dict(os.environ, RAYON_NUM_THREADS=str(threads), MATMUL_NUM_THREADS=str(threads))


def train(args, target, folder):
    """Has `train sweep` make the runs, and returns what it says of them and whether all are done."""
    folder.mkdir(parents=True, exist_ok=True)
    table, summary = folder / "seeds.toml", folder / "sweep.json"
    # What JSON writes of strings is TOML, too.
    toml = lambda value: json.dumps(value, ensure_ascii=False)
    table.write_text(
        f"set = {toml(args.set)}\n\n[[runs]]\nrecipe = {toml(str(ROOT / args.config))}\n"
        f"seeds = {{ first = {args.first}, count = {args.count} }}\n",
        encoding="utf-8",
    )
    command = [target / "train", "sweep", table, "--folder", folder, "--jobs", str(args.jobs), "--json"]
    # The sweep divides its threads among the runs.
    process = subprocess.Popen(command, env=environment(args.threads * args.jobs), stdout=subprocess.DEVNULL)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        print("interrupted: these are the seeds that are complete", file=sys.stderr)
        code = process.wait()
    # 2 is bad usage, and then nothing has run.
    if code == 2 or not summary.exists():
        sys.exit(code or 1)
    return json.loads(summary.read_text())["runs"], code == 0


def examine(args, target, folder, run):
    """What `digits evaluate` measures of a run that is done; it is asked once."""
    kept = folder / f"{run['name']}.evaluation.json"
    if not kept.exists():
        command = [target / "digits", "evaluate", folder / run["name"] / "model", "--json", "--resplits", "100"]
        output = subprocess.run(command, env=environment(args.threads), check=True, stdout=subprocess.PIPE).stdout
        part = kept.with_suffix(".part")
        part.write_bytes(output)
        part.replace(kept)
    found = json.loads(kept.read_text())
    evaluation = found["test"]["evaluation"]
    after, selective = evaluation["after"], evaluation["selective"]
    coverage = {point["risk"]: point["coverage"] for point in after["coverage_at_risk"]}
    splits = {f"{method(split)} {100 * split['level']:g} %": split["coverage"] for split in found["resplits"]}
    return {
        "seed": run["seed"],
        "accuracy": found["test"]["accuracy"],
        "validation": run["result"]["validation_accuracy"],
        "nll": after["nll"],
        "ece": after["ece"],
        "aurc": after["aurc"],
        "kept": coverage[0.001],
        "certified": found["test"]["deferral"]["certified"],
        "accepted": selective["coverage"]["value"],
        # Of nothing accepted nothing is wrong.
        "risk": selective["risk"]["value"] if selective["risk"] else 0.0,
        "wrong": selective["errors"],
        "seconds": run["result"]["seconds"],
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
    with tempfile.TemporaryDirectory(prefix="seeds-") as work:
        folder = args.folder or pathlib.Path(work)
        made, whole = train(args, target, folder)
        done = [run for run in made if run["state"] == "done"]
        runs = []
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for run in pool.map(lambda run: examine(args, target, folder, run), done):
                runs.append(run)
                save(args, runs)
    if not runs:
        sys.exit(1)
    print(render(args, runs))
    if not whole:
        sys.exit(1)


def save(args, runs):
    """What is known so far."""
    if not args.no_save:
        name = ROOT / "docs" / f"seeds-{pathlib.Path(args.config).stem}"
        name.with_suffix(".json").write_text(json.dumps(runs, indent=1) + "\n")
        name.with_suffix(".md").write_text(render(args, runs))


if __name__ == "__main__":
    main()
