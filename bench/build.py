#!/usr/bin/env python3
"""Times builds from a fresh clone: on the clock, in processor time, and crate by crate.

    python3 bench/build.py                              the two builds of the README
    python3 bench/build.py --cold-registry              the same, every dependency downloaded again
    python3 bench/build.py "cargo build -p train --release && cargo build -p digits --release"

Each argument is built in a scratch folder of its own: the last commit, cloned, an empty target. Commands
joined by && follow one another in it, so that the later ones show what they compile again. Prints a
table in Markdown for docs/build.md; what cargo says goes to stderr.
"""

import argparse
import collections
import dataclasses
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILDS = ["cargo build -p train --release --locked", "cargo build -p train --release --locked --features wgpu"]

# Stands between cargo and rustc, and writes what each call took: the first line is its arguments, the
# last that of its children's processor time, user and system.
WRAPPER = """#!/bin/sh
"$@"
status=$?
{ echo "$*"; times; } > "$RUSTC_TIMES/$$-$(date +%s%N)"
exit $status
"""


ASKED, SCRIPTS, RUN = "cargo's questions to rustc", "all build scripts, compiled", ", its build script"


@dataclasses.dataclass
class Build:
    """What one command took, in seconds; by crate, processor time and the time from start to end."""

    command: str
    wall: float
    cpu: float
    crates_cpu: dict[str, float]
    crates_wall: dict[str, float]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("builds", nargs="*", default=BUILDS, metavar="COMMANDS", help="cargo commands, joined by &&")
    parser.add_argument("--cold-registry", action="store_true", help="an empty CARGO_HOME: downloads count")
    parser.add_argument("--crates", type=int, default=20, help="how many crates to list")
    parser.add_argument("--scratch", type=pathlib.Path, help="where to build (default: the system's folder for temporary files)")
    return parser.parse_args()


def package(name: str) -> str:
    """A crate and its package may differ in these."""
    return name.replace("_", "-")


def minutes(text: str) -> float:
    """Seconds of `1m2.34s`."""
    whole, rest = text.split("m")
    return 60 * float(whole) + float(rest.rstrip("s"))


def processor_time(folder: pathlib.Path) -> dict[str, float]:
    """Seconds by crate, of what the wrapper wrote."""
    found = collections.Counter()
    for path in folder.iterdir():
        arguments, *_, children = path.read_text().splitlines()
        name = re.search(r"--crate-name (\S+)", arguments)
        # Without a crate, or with the crate ___, it is cargo that asks what rustc can do.
        crate = package(name[1]) if name and name[1] != "___" else ASKED
        found[SCRIPTS if crate.startswith("build-script-") else crate] += sum(map(minutes, children.split()))
    return found


def timings(target: pathlib.Path) -> dict[str, float]:
    """Seconds from start to end by crate, of cargo's own report."""
    text = (target / "cargo-timings" / "cargo-timing.html").read_text()
    units = re.search(r"const UNIT_DATA = (\[.*?\n\]);", text, re.DOTALL)
    if not units:
        sys.exit("cargo --timings: its report holds no UNIT_DATA; this cargo is newer than bench/build.py")
    found = collections.Counter()
    for unit in json.loads(units[1]):
        runs = "run-custom-build" in unit["mode"] or "(run)" in unit["target"]
        found[package(unit["name"]) + (RUN if runs else "")] += unit["duration"]
    return found


def measure(commands: list[str], args: argparse.Namespace) -> list[Build]:
    with tempfile.TemporaryDirectory(prefix="build-", dir=args.scratch) as scratch:
        scratch = pathlib.Path(scratch)
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, scratch / "clone"], check=True)
        wrapper = scratch / "rustc"
        wrapper.write_text(WRAPPER)
        wrapper.chmod(0o755)
        target = scratch / "clone" / "target"
        environment = {**os.environ, "RUSTC_WRAPPER": str(wrapper), "CARGO_TARGET_DIR": str(target)}
        if args.cold_registry:
            environment["CARGO_HOME"] = str(cold_home(scratch / "cargo"))
        return [build(command, scratch, environment) for command in commands]


def cold_home(home: pathlib.Path) -> pathlib.Path:
    """A CARGO_HOME without any crate, with the user's settings."""
    home.mkdir()
    settings = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo")) / "config.toml"
    if settings.exists():
        shutil.copy(settings, home)
    return home


def build(command: str, scratch: pathlib.Path, environment: dict[str, str]) -> Build:
    cargo, verb, *rest = shlex.split(command)
    times = pathlib.Path(tempfile.mkdtemp(prefix="times-", dir=scratch))
    print(command, file=sys.stderr)
    started = time.perf_counter()
    child = subprocess.Popen([cargo, verb, "--timings", *rest], cwd=scratch / "clone", stdout=sys.stderr,
                             env=environment | {"RUSTC_TIMES": str(times)})
    # The processor time of a process includes that of the children that it waited for.
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{command}: ended with {child.returncode}")
    cpu = usage.ru_utime + usage.ru_stime
    return Build(command, wall, cpu, processor_time(times), timings(scratch / "clone" / "target"))


def render(builds: list[Build], count: int) -> str:
    lines = ["| command | on the clock, s | processor time, s | crates compiled |", "|---|---|---|---|"]
    for build in builds:
        compiled = len(build.crates_cpu.keys() - {ASKED, SCRIPTS})
        lines.append(f"| `{build.command}` | {build.wall:.0f} | {build.cpu:.0f} | {compiled} |")
    for build in builds:
        rest = build.cpu - sum(build.crates_cpu.values())
        lines += ["", f"`{build.command}`:", "", "| crate | processor time, s | from start to end, s |", "|---|---|---|"]
        for name in sorted(build.crates_cpu, key=build.crates_cpu.get, reverse=True)[:count]:
            wall = f"{build.crates_wall[name]:.1f}" if name in build.crates_wall else ""
            lines.append(f"| {name} | {build.crates_cpu[name]:.1f} | {wall} |")
        scripts = sorted(((seconds, name) for name, seconds in build.crates_wall.items() if name.endswith(RUN)), reverse=True)
        longest = ", ".join(f"{name.removesuffix(RUN)} {seconds:.1f} s" for seconds, name in scripts[:3])
        lines.append(f"| cargo and what it ran, build scripts first of all (the longest: {longest}) | {rest:.1f} | |")
    return "\n".join(lines)


def main() -> None:
    args = parse()
    builds = [build for commands in args.builds for build in measure([part.strip() for part in commands.split("&&")], args)]
    print(render(builds, args.crates))


if __name__ == "__main__":
    main()
