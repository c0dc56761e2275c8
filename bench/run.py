#!/usr/bin/env python3
"""Compares training and inference with the quickest that others offer, side by side on this machine:
PyTorch, JAX, onnxruntime, OpenVINO, and Burn without this project.

    python3 bench/run.py --install          puts the rivals from PyPI into bench/.venv first
    python3 bench/run.py                    about half an hour on two quiet cores
    python3 bench/run.py --quick            a few minutes: one short round, printed and not saved
    python3 bench/run.py --python VENV/bin/python   a Python that has the rivals

Needs Python 3.11. Every measurement is a process of its own with a warm-up before what is timed, on the
same cores as all others. Just before each rival this project is measured, and ratios are formed between
these two, so that what else the machine does falls on both alike. Writes docs/benchmarks.md,
docs/benchmarks.json and the table of speed in README.md.
"""

import argparse
import json
import os
import pathlib
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib

import table

ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
TRAINING = ["train-norm", "train-pool-norm", "train-plain"]
INFERENCE = ["inference", "latency"]
# Larger networks, of which a table of its own tells; bench/src/shape.rs says what they are.
LARGER = ["deep", "colour", "large"]
LARGER_MEASURES = ["train-norm", "train-plain", "inference"]
PYTORCH = ["eager", "channels-last", "compile", "bf16", "bf16-compile"]
ONNX = ["onnxruntime", "onnxruntime-streams", "openvino", "openvino-streams", "openvino-bf16"]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="one short round, printed and not saved")
    parser.add_argument("--only", metavar="TEXT", action="append", help="contenders whose names contain it (may be repeated)")
    parser.add_argument("--python", help="a Python that can import the rivals")
    parser.add_argument("--install", action="store_true", help="install the rivals into bench/.venv")
    parser.add_argument("--no-build", action="store_true", help="take the binaries as they are")
    parser.add_argument("--limit", type=float, default=300, help="seconds after which one process is given up")
    return parser.parse_args()


class Failed(Exception):
    """A process that ended badly, with its last line."""


class Bench:
    """The binaries, the environment, and what was measured.

    A sample is {"round", "contender", "values": {measure: value}}, and "ours" where this project was
    measured just before.
    """

    def __init__(self, args: argparse.Namespace):
        self.args = args
        release = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
        self.bench, self.stock, self.train = release / "bench", release / "bench-stock", release / "train"
        if not args.no_build:
            build(self.bench, self.stock)
        for binary in (self.bench, self.stock, self.train):
            if not binary.exists():
                sys.exit(f"{binary}: not built; run without --no-build")
        self.python = find_python(args)
        self.samples: list[dict] = []
        self.skipped: dict[str, str] = {}
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="bench-"))
        # Rayon for the kernels and flex, MATMUL for ndarray's matrix products, OMP and MKL for PyTorch.
        # JAX and OpenVINO go by the cores that they may run on, see `pin`.
        names = ["RAYON_NUM_THREADS", "MATMUL_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"]
        self.environment = {
            **os.environ,
            **dict.fromkeys(names, str(args.threads)),
            "TORCHINDUCTOR_CACHE_DIR": str(self.work / "inductor"),
            "JAX_PLATFORMS": "cpu",
        }

    def run(self, command: list, **environment: str) -> tuple[str, float, float, float]:
        """Runs a process: its output, its seconds, its seconds of processor time, its peak memory in MB."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            started = time.perf_counter()
            child = subprocess.Popen([str(part) for part in command], cwd=self.work, env=self.environment | environment,
                                     stdout=out, stderr=err)
            timer = threading.Timer(self.args.limit, child.kill)
            timer.start()
            try:
                _, status, usage = os.wait4(child.pid, 0)
            except KeyboardInterrupt:
                child.kill()
                child.wait()
                raise
            finally:
                timer.cancel()
            seconds = time.perf_counter() - started
            child.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0), err.seek(0)
            if child.returncode != 0:
                lines = err.read().decode(errors="replace").strip().splitlines()
                raise Failed(lines[-1] if lines else f"ended with {child.returncode} after {seconds:.0f} s")
            unit = 1 if platform.system() == "Darwin" else 1024
            return out.read().decode().strip(), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6

    def answer(self, command: list, **environment: str) -> dict:
        """The JSON object on the last line of a process."""
        return json.loads(self.run(command, **environment)[0].splitlines()[-1])

    def speed(self, backend: str, measures: list[str], threads: int | None = None) -> dict:
        """This project."""
        effort = ["--steps", 30] if self.args.quick else ["--steps", 200, "--passes", 10, "--answers", 2000]
        command = [self.bench, "--backend", backend, "--measures", ",".join(measures), *effort]
        return self.answer(command, RAYON_NUM_THREADS=str(threads or self.args.threads))

    def larger_speed(self, network: str, *command: object) -> dict:
        """Of a larger network, as {"network.measure": value}: a contender's process, told which network."""
        effort = ["--steps", 3, "--warm-up", 1, "--passes", 1] if self.args.quick else ["--steps", 20, "--warm-up", 3, "--passes", 2]
        effort = effort if "onnx" not in str(command) else effort[4:]
        found = self.answer([*command, "--network", network, *effort])
        return {f"{network}.{name}": value for name, value in found.items()}

    def our_larger_speed(self, network: str, measures: list[str]) -> dict:
        return self.larger_speed(network, self.bench, "--backend", "ndarray", "--measures", ",".join(measures))

    def pytorch_larger_speed(self, mode: str, network: str) -> dict:
        measures = ["--measures", ",".join(LARGER_MEASURES), "--answers", 20]
        return self.larger_speed(network, *self.script("pytorch.py", "speed", mode, *measures))

    def onnx_larger_speed(self, mode: str, network: str) -> dict:
        folder = self.work / network
        if not (folder / "batch-1.onnx").exists():
            folder.mkdir(exist_ok=True)
            self.run(self.script("pytorch.py", "export", folder, "--network", network))
        return self.larger_speed(network, *self.script("onnx_inference.py", mode, folder, "--answers", 20))

    def stock_speed(self, backend: str, measures: list[str]) -> dict:
        """Burn without it: takes a second where the others take a hundredth, so it gets few steps."""
        steps, warm_up = (2, 1) if backend == "ndarray" else (10, 2)
        return self.answer([self.stock, "--stock", "--backend", backend, "--measures", ",".join(measures),
                            "--steps", steps, "--warm-up", warm_up, "--passes", 1])

    def script(self, *command: object) -> list:
        if not self.python:
            raise Failed("no Python with the rivals found (--python PATH, or --install)")
        return [self.python, BENCH / command[0], *command[1:]]

    def pytorch_speed(self, mode: str) -> dict:
        effort = ["--steps", 20, "--passes", 1, "--answers", 100] if self.args.quick else ["--steps", 80]
        return self.answer(self.script("pytorch.py", "speed", mode, *effort))

    def jax_speed(self) -> dict:
        return self.answer(self.script("jax_training.py", "--steps", 10 if self.args.quick else 40))

    def onnx_speed(self, mode: str) -> dict:
        if not (self.work / "batch-1.onnx").exists():
            self.run(self.script("pytorch.py", "export", self.work))
        effort = [] if self.args.quick else ["--passes", 10, "--answers", 2000]
        return self.answer(self.script("onnx_inference.py", mode, self.work, *effort))

    def recipe(self, config: str, *changes: str, seed: int = 0) -> tuple[dict, float, float, float]:
        """A whole `train` process: its summary, seconds, seconds of processor time, memory."""
        sets = [part for change in changes for part in ("--set", change)]
        with tempfile.TemporaryDirectory(dir=self.work) as folder:
            run = ["--run-dir", pathlib.Path(folder) / "run", "--quiet", "--json"]
            text, *costs = self.run([self.train, "--config", ROOT / config, "--seed", seed, *run, *sets])
        return json.loads(text), *costs

    def whole_runs(self, backend: str, seed: int) -> dict:
        """To about 99 % as this project's users get there, and PyTorch's recipe for that."""
        one_epoch, *_ = self.recipe("bench/one-epoch.toml", f"backend={backend}", seed=seed)
        fast, seconds, cpu, memory = self.recipe("configs/fast.toml", f"backend={backend}", seed=seed)
        return {"one-epoch": one_epoch["train"]["seconds"], "one-epoch.accuracy": one_epoch["test"]["accuracy"],
                "to-99": seconds, "to-99.cpu": cpu, "to-99.memory": memory, "to-99.accuracy": fast["test"]["accuracy"]}

    def pytorch_run(self, mode: str, seed: int) -> dict:
        text, seconds, cpu, memory = self.run(self.script("pytorch.py", "one-epoch", mode, "--seed", seed))
        found = json.loads(text.splitlines()[-1])
        return {"one-epoch": found["seconds"], "one-epoch.accuracy": found["accuracy"],
                "to-99": seconds, "to-99.cpu": cpu, "to-99.memory": memory, "to-99.accuracy": found["accuracy"]}

    def alone(self) -> dict:
        """What is compared with nobody: the share of the peak, two threads beside one, the binary."""
        found = self.speed("ndarray", ["fma-peak", "train-norm", "train-plain", "inference"])
        values = {name: found[name] for name in found if name.startswith("fma-peak")} | table.shares(found)
        one = self.speed("ndarray", ["train-norm", "train-plain"], threads=1)
        values |= {f"speedup.{name}": found[name] / one[name] for name in ("train-norm", "train-plain")}
        network = ["network.blocks=[{channels=16,kernel=3},{channels=32,kernel=3}]", "network.dense=[128]", "network.order=conv-norm-relu-pool"]
        batch_128, *_ = self.recipe("configs/fast.toml", "training.batch_size=128", "training.epochs=1", *network)
        return values | {"train-binary": batch_128["train"]["images_per_second"]}

    def contenders(self, seed: int) -> list[tuple]:
        """Name, how it is measured, and how this project is measured before it."""
        def ours(measures):
            return lambda: self.speed("ndarray", measures)

        def our_runs():
            return self.whole_runs("ndarray", seed)

        both = TRAINING + INFERENCE
        return [
            ("ours-ndarray", self.alone, None),
            ("ours-flex", lambda: self.speed("flex", both), ours(both)),
            ("stock-ndarray", lambda: self.stock_speed("ndarray", both), ours(both)),
            ("stock-flex", lambda: self.stock_speed("flex", both), ours(both)),
            *[(f"pytorch-{mode}", lambda mode=mode: self.pytorch_speed(mode), ours(both)) for mode in PYTORCH],
            ("jax", self.jax_speed, ours(TRAINING)),
            *[(mode, lambda mode=mode: self.onnx_speed(mode), ours(INFERENCE)) for mode in ONNX],
            *[(f"pytorch-{mode}", lambda mode=mode, network=network: self.pytorch_larger_speed(mode, network),
               lambda network=network: self.our_larger_speed(network, LARGER_MEASURES))
              for network in LARGER for mode in PYTORCH],
            *[(mode, lambda mode=mode, network=network: self.onnx_larger_speed(mode, network),
               lambda network=network: self.our_larger_speed(network, ["inference"]))
              for network in LARGER for mode in ONNX],
            ("ours-flex", lambda: self.whole_runs("flex", seed), our_runs),
            *[(f"pytorch-{mode}", lambda mode=mode: self.pytorch_run(mode, seed), our_runs) for mode in PYTORCH],
        ]

    def round(self, index: int) -> None:
        contenders = self.contenders(index)
        # Each round begins elsewhere in the circle.
        turn = index * 7 % len(contenders)
        for name, measure, ours in contenders[turn:] + contenders[:turn]:
            if name in self.skipped or (self.args.only and not any(text in name for text in self.args.only)):
                continue
            print(f"round {index + 1} of {self.args.rounds}: {name}", file=sys.stderr)
            sample = {"round": index, "contender": name} | ({"ours": ours()} if ours else {})
            try:
                self.samples.append(sample | {"values": measure()})
            except Failed as error:
                if name.startswith("ours"):
                    raise
                self.skipped[name] = str(error)
                print(f"  left out: {error}", file=sys.stderr)

    def series(self) -> dict[str, list]:
        """Time over images and memory over epochs: doubling series of `train`, medians of three."""
        images = []
        for count in (2000, 4000, 8000, 16000, 32000):
            runs = [self.recipe("configs/fast.toml", "training.epochs=1", f"data.limit={count}") for _ in range(3)]
            images.append([count, table.median([run[0]["train"]["seconds"] for run in runs]), table.median([run[1] for run in runs])])
        memory = []
        for epochs in (1, 2, 4, 12):
            _, seconds, _, peak = self.recipe("configs/default.toml", f"training.epochs={epochs}")
            memory.append([epochs, peak, seconds])
        return {"images": images, "memory": memory}


def build(bench: pathlib.Path, stock: pathlib.Path) -> None:
    """This project as its users build it, and Burn without it at its best."""
    cargo = ["cargo", "build", "--release", "--locked", "-p", "bench", "-p", "train"]
    # The workspace may compile parts of Burn with less effort, as nothing of it is in its hot path.
    profile = tomllib.loads((ROOT / "Cargo.toml").read_text())["profile"]["release"]
    best = [part for name in profile.get("package", {}) for part in ("--config", f'profile.release.package."{name}".opt-level=3')]
    subprocess.run([*cargo, "--features", "bench/x86-v4", *best], cwd=ROOT, check=True)
    shutil.copy2(bench, stock)
    subprocess.run(cargo, cwd=ROOT, check=True)


def find_python(args: argparse.Namespace) -> str | None:
    own = BENCH / ".venv" / "bin" / "python"
    if args.install:
        subprocess.run([sys.executable, "-m", "venv", own.parent.parent], check=True)
        subprocess.run([own, "-m", "pip", "install", "--quiet", "--requirement", BENCH / "requirements.txt"], check=True)
    for python in [args.python] if args.python else [own, sys.executable]:
        if shutil.which(python) and subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0:
            return os.path.abspath(shutil.which(python))
    if args.python:
        sys.exit(f"{args.python}: can't import torch")
    print("no Python with torch found: only Burn is compared with (--python PATH, or --install)", file=sys.stderr)
    return None


def pin(threads: int) -> None:
    """All that is started from here on runs on the first so many cores; Linux only."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


class Others:
    """How much of the processor other work took, or the host beneath a virtual machine; Linux only."""

    def __init__(self):
        self.busy, self.own, self.started = self.read()

    @staticmethod
    def read() -> tuple[float, float, float]:
        stat = pathlib.Path("/proc/stat")
        busy = float("nan")
        if stat.exists():
            user, nice, system, _idle, _wait, irq, softirq, steal = map(int, stat.read_text().split()[1:9])
            busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
        usages = [resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
        return busy, sum(usage.ru_utime + usage.ru_stime for usage in usages), time.perf_counter()

    def share(self) -> float | None:
        busy, own, now = self.read()
        share = (busy - self.busy - own + self.own) / ((now - self.started) * os.cpu_count())
        return max(share, 0.0) if share == share else None


def conditions(bench: Bench) -> dict:
    """What the figures depend on."""
    def first(command: list) -> str:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip().splitlines()[0]
    info = pathlib.Path("/proc/cpuinfo")
    lines = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line) if info.exists() else {}
    lines = {key.strip(): value.strip() for key, value in lines.items()}
    flags = lines.get("flags", "").split()
    release = pathlib.Path("/etc/os-release")
    names = dict(line.split("=", 1) for line in release.read_text().splitlines() if "=" in line) if release.exists() else {}
    lock = (ROOT / "Cargo.lock").read_text()
    versions = {}
    if bench.python:
        packages = ["torch", "jax", "onnxruntime", "openvino"]
        code = "import importlib.metadata as m, json; print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
        installed = json.loads(first([bench.python, "-c", code]))
        versions = {name: installed[name] for name in packages if name in installed}
    return {
        "cpu": lines.get("model name", platform.processor()),
        "family and model": f"{lines.get('cpu family', '?')}, {lines.get('model', '?')}",
        "cores": os.cpu_count(),
        "instruction sets": ", ".join(flag for flag in ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags),
        "os": names.get("PRETTY_NAME", platform.platform()).strip('"'),
        "rustc": first(["rustc", "--version"]).split()[1],
        "burn": lock.split('name = "burn"\nversion = "', 1)[1].split('"', 1)[0],
        **versions,
        "threads": bench.args.threads,
        "rounds": bench.args.rounds,
        "date": time.strftime("%Y-%m-%d"),
    }


def main() -> None:
    args = parse()
    args.rounds = 1 if args.quick else args.rounds
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    bench = Bench(args)
    pin(args.threads)
    others = Others()
    series = {"images": [], "memory": []}
    complete = False
    try:
        for index in range(args.rounds):
            bench.round(index)
        if not args.quick and not args.only:
            series = bench.series()
            complete = True
    except KeyboardInterrupt:
        print("interrupted: what was measured is printed and not saved", file=sys.stderr)
    except Failed as error:
        sys.exit(f"this project could not be measured: {error}")
    finally:
        shutil.rmtree(bench.work)
    result = {"conditions": conditions(bench), "others": others.share(), "skipped": bench.skipped,
              "series": series, "samples": bench.samples}
    text = table.render(result)
    print(text)
    if complete:
        docs = ROOT / "docs"
        (docs / "benchmarks.json").write_text(json.dumps(result, indent=1) + "\n")
        (docs / "benchmarks.md").write_text(text)
        table.update_readme(ROOT / "README.md", result)


if __name__ == "__main__":
    main()
