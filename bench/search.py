#!/usr/bin/env python3
"""Tries variants of a recipe over seeds, judged on validation images only, within a budget, and logs everything.

    python3 bench/search.py bench/plans/pens.toml                        what the plan names, what is not logged yet
    python3 bench/search.py bench/plans/pens.toml --show                 the table of what is logged
    python3 bench/search.py bench/plans/pens.toml --also NAME=DIR ...    other digits, in folders like MNIST's test files

A plan is TOML: `config`, `seeds`, `budget` in seconds, and a table `[try.NAME]` of changes for each variant; the
first is what the others are compared with, seed by seed. Every run is one line of the plan's log (PLAN.jsonl), written
as soon as it is done; a run that is in the log is not made again. The test images of MNIST are not looked at: of what
`train` says only the validation images' part is read.
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
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=pathlib.Path)
    parser.add_argument("--also", action="append", default=[], metavar="NAME=DIR", help="evaluate on these digits, too")
    parser.add_argument("--none", action="append", default=[], metavar="NAME=DIR", help="images that are no digits: what is accepted of them")
    parser.add_argument("--jobs", type=int, default=2, help="runs at once, one thread each")
    parser.add_argument("--target", type=pathlib.Path, help="the folder with the binaries, instead of target/release")
    parser.add_argument("--show", action="store_true", help="print the table of the log and stop")
    return parser.parse_args()


def toml(value):
    """A value as it stands in a recipe."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def output_and_cpu(command, environment):
    """What a program prints, and the seconds of processor time that it took, whatever else the machine does."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return output, usage.ru_utime + usage.ru_stime


def attempt(args, target, plan, name, seed):
    """Trains one variant with one seed."""
    environment = dict(os.environ, RAYON_NUM_THREADS="1", MATMUL_NUM_THREADS="1")
    changes = {**plan.get("set", {}), **plan["try"][name]}
    with tempfile.TemporaryDirectory(prefix="search-") as work:
        run = pathlib.Path(work) / "run"
        command = [target / "train", "--config", ROOT / plan["config"], "--seed", str(seed), "--run-dir", run, "--quiet", "--json"]
        for key, value in changes.items():
            command += ["--set", f"{key}={toml(value)}"]
        started = time.perf_counter()
        output, cpu = output_and_cpu(command, environment)
        seconds = time.perf_counter() - started
        summary = json.loads(output)
        manifest = json.loads((run / "model" / "checkpoint.json").read_text())
        deferral = manifest["calibration"]["deferral"]
        found = {
            "try": name, "changes": changes, "seed": seed, "seconds": round(seconds, 1), "cpu": round(cpu, 2),
            "accuracy": summary["validation"]["accuracy"], "loss": summary["validation"]["loss"], "epoch": summary["validation"]["epoch"],
            "images_per_second": summary["train"]["images_per_second"] if summary["train"] else None,
            "certified": deferral["certified"], "coverage": deferral["coverage"], "errors": deferral["errors"],
        }
        for option in args.also + args.none:
            label, folder = option.split("=", 1)
            command = [target / "digits", "evaluate", run / "model", "--data-dir", folder, "--json"]
            other = json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)
            selective = other["test"]["evaluation"]["selective"]
            accepted = selective["coverage"]["value"]
            if option in args.none:
                found[label] = {"accepted": accepted}
            else:
                wrong = selective["risk"]["value"] if selective["risk"] else 0.0
                found[label] = {"accuracy": other["test"]["accuracy"], "accepted": accepted, "wrong": wrong}
    return found


def table(plan, log):
    """Means over seeds, and the difference to the first variant by the same seeds."""
    flat = {}
    for run in log:
        row = {"accuracy": run["accuracy"], "loss": run["loss"], "coverage": run["coverage"], "certified": float(run["certified"])}
        for label, other in run.items():
            if isinstance(other, dict) and label != "changes":
                row.update({f"{label} {key}": value for key, value in other.items()})
        row["seconds"] = run["seconds"]
        if "cpu" in run:
            row["cpu"] = run["cpu"]
        flat.setdefault(run["try"], {})[run["seed"]] = row
    first = next(iter(plan["try"]))
    base = flat.get(first, {})
    keys = list(dict.fromkeys(key for runs in flat.values() for row in runs.values() for key in row))
    lines = ["| variant | n | " + " | ".join(keys) + " |", "|---|---|" + "---|" * len(keys)]
    for name in plan["try"]:
        runs = flat.get(name)
        if not runs:
            continue
        cells = []
        for key in keys:
            scale, digits = {"loss": (1, 4), "seconds": (1, 1), "cpu": (1, 2)}.get(key, (100, 2))
            values = [scale * row[key] for row in runs.values() if key in row]
            if not values:
                cells.append("")
                continue
            text = f"{statistics.mean(values):.{digits}f}"
            pairs = [scale * (runs[seed][key] - base[seed][key]) for seed in runs if seed in base and key in runs[seed] and key in base[seed]]
            if name != first and len(pairs) > 1 and key not in ("seconds", "cpu", "certified"):
                error = statistics.stdev(pairs) / len(pairs) ** 0.5
                text += f" ({statistics.mean(pairs):+.{digits}f} ± {error:.{digits}f})"
            cells.append(text)
        lines.append(f"| {name} | {len(runs)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    args = parse()
    plan = tomllib.loads(args.plan.read_text())
    path = args.plan.with_suffix(".jsonl")
    log = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if args.show:
        print(table(plan, log))
        return
    target = args.target or pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    done = {(run["try"], run["seed"]) for run in log}
    left = [(name, seed) for seed in plan["seeds"] for name in plan["try"] if (name, seed) not in done]
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool, path.open("a") as file:

        def work(pair):
            if time.monotonic() - started > plan["budget"]:
                return None
            return attempt(args, target, plan, *pair)

        for found in pool.map(work, left):
            if found is None:
                continue
            log.append(found)
            file.write(json.dumps(found) + "\n")
            file.flush()
            print(f"{found['try']}, seed {found['seed']}: {100 * found['accuracy']:.2f} % in {found['seconds']} s", file=sys.stderr)
    print(table(plan, log))


if __name__ == "__main__":
    main()
