#!/usr/bin/env python3
"""Compares training and inference with stock Burn and with PyTorch, side by side on this machine.

    python3 bench/run.py                        about ten minutes on two quiet cores
    python3 bench/run.py --quick                about three
    python3 bench/run.py --python VENV/bin/python   a Python that has torch
    python3 bench/run.py --install              puts torch from PyPI into bench/.venv

Every measurement is a process of its own with a warm-up before what is timed. The contenders take
turns within a round, and ratios are formed within a round, so that what else the machine does falls on
all of them alike. Writes docs/benchmarks.md and docs/benchmarks.json.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import table

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODES = ["eager", "channels-last", "compile"]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="default 5, with --quick 2")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and steps, no complete default run")
    parser.add_argument("--python", help="a Python that can import torch")
    parser.add_argument("--install", action="store_true", help="make bench/.venv with torch from PyPI if none is found")
    parser.add_argument("--no-build", action="store_true", help="take the binaries as they are")
    parser.add_argument("--openmp-wait", choices=["active", "passive"],
                        help="OMP_WAIT_POLICY for PyTorch: passive is kinder to it where other jobs hold the cores")
    parser.add_argument("--limit", type=float, default=300, help="seconds after which one process is given up")
    parser.add_argument("--date", help="stated in the table")
    args = parser.parse_args()
    args.rounds = args.rounds or (2 if args.quick else 5)
    return args


class Bench:
    """The binaries, the environment, and what was measured: {measure: {contender: [value per round]}}."""

    def __init__(self, args):
        self.args = args
        target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        if not args.no_build:
            subprocess.run(["cargo", "build", "--release", "--locked", "-p", "bench", "-p", "train"], cwd=ROOT, check=True)
        self.bench, self.train = target / "release" / "bench", target / "release" / "train"
        self.python = find_python(args)
        self.environment = dict(os.environ, OMP_WAIT_POLICY=args.openmp_wait.upper()) if args.openmp_wait else dict(os.environ)
        self.measured = {}
        self.skipped = {}
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="bench-"))

    def run(self, command, threads):
        """Runs a process: its output, its seconds, its peak memory in megabytes."""
        count = str(threads)
        # Rayon for the kernels and flex, MATMUL for ndarray's matrix products, OMP and MKL for PyTorch.
        names = ["RAYON_NUM_THREADS", "MATMUL_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"]
        environment = dict(self.environment, **dict.fromkeys(names, count))
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            started = time.perf_counter()
            child = subprocess.Popen([str(part) for part in command], cwd=self.work, env=environment, stdout=out, stderr=err)
            pid = 0
            try:
                while pid == 0:
                    pid, status, usage = os.wait4(child.pid, os.WNOHANG)
                    if pid == 0 and time.perf_counter() - started > self.args.limit:
                        child.kill()
                    time.sleep(0.002)
            except KeyboardInterrupt:
                child.kill()
                raise
            seconds = time.perf_counter() - started
            child.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0), err.seek(0)
            if child.returncode != 0:
                lines = err.read().decode(errors="replace").strip().splitlines()
                reason = lines[-1] if lines else f"ended with {child.returncode} after {seconds:.0f} s"
                raise RuntimeError(reason)
            unit = 1 if platform.system() == "Darwin" else 1024
            return out.read().decode().strip(), seconds, usage.ru_maxrss * unit / 1e6

    def note(self, contender, values, round_):
        """Keeps the values of one process; a contender that failed in a round has None there."""
        # A whole run is another process of the same contender.
        name = contender.replace("train-", "ours-").replace("pytorch-run-", "pytorch-")
        for measure, value in values.items():
            row = self.measured.setdefault(measure, {}).setdefault(name, [])
            row.extend([None] * (round_ - len(row)))
            row.append(value)

    def attempt(self, contender, round_, measure):
        if contender in self.skipped:
            return
        print(f"round {round_ + 1} of {self.args.rounds}: {contender}", file=sys.stderr)
        try:
            self.note(contender, measure(), round_)
        except RuntimeError as error:
            self.skipped[contender] = str(error)
            print(f"  left out: {error}", file=sys.stderr)

    def recipe(self, threads, config, *changes):
        """A whole `train` process: its seconds and memory, and its summary."""
        run = tempfile.mkdtemp(prefix="run-", dir=self.work)
        os.rmdir(run)
        sets = [part for change in changes for part in ("--set", change)]
        command = [self.train, "--config", ROOT / config, "--run-dir", run, "--quiet", "--json", *sets]
        text, seconds, memory = self.run(command, threads)
        shutil.rmtree(run)
        return json.loads(text), seconds, memory

    def pytorch(self, mode, task, *options):
        text, seconds, memory = self.run([self.python, ROOT / "bench" / "pytorch.py", mode, task, *options], self.args.threads)
        return json.loads(text.splitlines()[-1]), seconds, memory

    def rounds(self):
        quick, threads = self.args.quick, self.args.threads
        effort = ["--steps", 30 if quick else 80, "--answers", 200 if quick else 400]
        # Burn alone takes a second where the others take a hundredth.
        few = {"stock-flex": ["--steps", 8, "--warm-up", 2, "--passes", 1],
               "stock-ndarray": ["--steps", 2, "--warm-up", 1, "--passes", 1]}

        def burn(name, threads, *options):
            layers, backend = name.split("-")
            stock = ["--stock"] if layers == "stock" else []
            return json.loads(self.run([self.bench, "--backend", backend, *stock, *few.get(name, effort), *options], threads)[0])

        def one_thread():
            measures = ["--measures", "train-norm,train-plain"]
            both = {count: burn("ours-ndarray", count, *measures) for count in (1, 2)}
            return {f"speedup-{name}": both[2][f"train-{name}"] / both[1][f"train-{name}"] for name in ("norm", "plain")}

        def ours(backend):
            summary, _, _ = self.recipe(threads, "bench/one-epoch.toml", f"backend={backend}")
            fast, seconds, memory = self.recipe(threads, "configs/fast.toml", f"backend={backend}")
            batch_128, _, _ = self.recipe(threads, "configs/fast.toml", f"backend={backend}", "training.batch_size=128",
                                          "training.epochs=1", "network.order=conv-norm-relu-pool")
            return {"one-epoch": summary["train"]["seconds"], "one-epoch.accuracy": accuracy(summary),
                    "process": seconds, "process.accuracy": accuracy(fast), "process.memory": memory,
                    "train-binary": batch_128["train"]["images_per_second"]}

        def torch(mode):
            one_epoch, _, _ = self.pytorch(mode, "one-epoch")
            process, seconds, memory = self.pytorch(mode, "process")
            return {"one-epoch": one_epoch["train.seconds"], "one-epoch.accuracy": one_epoch["test.accuracy"],
                    "process": seconds, "process.accuracy": process["test.accuracy"], "process.memory": memory}

        for round_ in range(self.args.rounds):
            # Each round begins elsewhere in the circle.
            contenders = [(name, lambda name=name: burn(name, threads))
                          for name in ("ours-ndarray", "ours-flex", "stock-ndarray", "stock-flex")]
            contenders += [(f"train-{backend}", lambda backend=backend: ours(backend)) for backend in ("ndarray", "flex")]
            if self.python:
                contenders += [(f"pytorch-{mode}", lambda mode=mode: self.pytorch(mode, "speed", *effort)[0]) for mode in MODES]
                contenders += [(f"pytorch-run-{mode}", lambda mode=mode: torch(mode)) for mode in MODES]
            contenders += [("speedup", one_thread)]
            turn = round_ * 3 % len(contenders)
            for name, measure in contenders[turn:] + contenders[:turn]:
                self.attempt(name, round_, measure)

    def series(self):
        """Time over images and memory over epochs: doubling series of `train`, medians of three."""
        threads, repeats = self.args.threads, 1 if self.args.quick else 3
        images = []
        for count in (2000, 4000, 8000, 16000, 32000):
            runs = [self.recipe(threads, "configs/fast.toml", "training.epochs=1", f"data.limit={count}") for _ in range(repeats)]
            images.append([count, table.median([run[0]["train"]["seconds"] for run in runs]), table.median([run[1] for run in runs])])
        memory = []
        for epochs in (1, 2) if self.args.quick else (1, 2, 4, 12):
            _, seconds, peak = self.recipe(threads, "configs/default.toml", f"training.epochs={epochs}")
            memory.append([epochs, peak, seconds])
        return {"images": images, "memory": memory}


def accuracy(summary):
    return summary["test"]["accuracy"]


def find_python(args):
    own = ROOT / "bench" / ".venv" / "bin" / "python"
    candidates = [args.python] if args.python else [own, sys.executable, "python3"]
    for python in candidates:
        try:
            if subprocess.run([str(python), "-c", "import torch"], capture_output=True).returncode == 0:
                return shutil.which(str(python))
        except OSError:
            pass
    if args.python:
        sys.exit(f"{args.python}: can't import torch")
    if args.install:
        subprocess.run([sys.executable, "-m", "venv", own.parent.parent], check=True)
        subprocess.run([own, "-m", "pip", "install", "--quiet", "torch", "numpy"], check=True)
        return str(own)
    print("no Python with torch found: PyTorch is left out (--python PATH, or --install)", file=sys.stderr)
    return None


def conditions(bench):
    """What the figures depend on."""
    def first(command):
        return subprocess.run(command, capture_output=True, text=True).stdout.strip().splitlines()[0]
    info = pathlib.Path("/proc/cpuinfo")
    lines = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line) if info.exists() else {}
    lines = {key.strip(): value.strip() for key, value in lines.items()}
    flags = lines.get("flags", "").split()
    release = pathlib.Path("/etc/os-release")
    names = dict(line.split("=", 1) for line in release.read_text().splitlines() if "=" in line) if release.exists() else {}
    lock = (ROOT / "Cargo.lock").read_text()
    torch = first([bench.python, "-c", "import torch; print(torch.__version__)"]) if bench.python else None
    return {
        "cpu": lines.get("model name", platform.processor()),
        "cores": os.cpu_count(),
        "instruction sets": ", ".join(flag for flag in ("avx2", "fma", "avx512f", "avx512_bf16") if flag in flags),
        "os": names.get("PRETTY_NAME", platform.platform()).strip('"'),
        "rustc": first(["rustc", "--version"]).split()[1],
        "burn": lock.split('name = "burn"\nversion = "', 1)[1].split('"', 1)[0],
        "torch": torch,
        "threads": bench.args.threads,
        "rounds": bench.args.rounds,
        "openmp wait policy": bench.args.openmp_wait or "default",
        **({"date": bench.args.date} if bench.args.date else {}),
    }


def main():
    args = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Before the build, which is a load of its own.
    load = [os.getloadavg()[0]]
    bench = Bench(args)
    series = {"images": [], "memory": []}
    try:
        bench.rounds()
        series = bench.series()
    except KeyboardInterrupt:
        print("interrupted: what is complete is saved", file=sys.stderr)
    finally:
        shutil.rmtree(bench.work)
    load.append(os.getloadavg()[0])
    result = {"conditions": conditions(bench), "load": load, "measured": bench.measured,
              "skipped": bench.skipped, "series": series}
    docs = ROOT / "docs"
    docs.mkdir(exist_ok=True)
    (docs / "benchmarks.json").write_text(json.dumps(result, indent=1) + "\n")
    text = table.render(result)
    (docs / "benchmarks.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
