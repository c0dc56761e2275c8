#!/usr/bin/env python3
"""Doubt goes to a person, the answers make the next model: the whole way, measured, through the real programs.

    python3 bench/learning.py --install              puts numpy and scikit-learn into bench/.venv first
    python3 bench/learning.py                        seeds 0 to 2, after 100, 200, 400 and 800 answers; writes docs/learning.*
    python3 bench/learning.py --errors 0.02          the reviewer is wrong about one in fifty
    python3 bench/learning.py --count 1 --rounds 100 --no-save

A place whose digits come from elsewhere: scikit-learn's 1,797 digits of 8×8 pixels, each pixel enlarged to a block so
that 28×28 are filled. 1,050 come in, in an order that the seed draws; the other 747, always the same, are only examined.
`serve` answers the 1,050 with artifacts/pretrained; a scripted reviewer, who knows the labels, answers what is left to people
by the same requests as the page. In each round: `serve export`, `train --config configs/adapt.toml`, `digits compare`, the new model
put into the served folder, and taken over or refused; then the unseen digits and MNIST's test images are asked again.
The figures are of the model that then is in service. A seed draws order, reviewer and training.
"""

import argparse
import base64
import gzip
import hashlib
import http.client
import importlib.util
import json
import os
import pathlib
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
COMING, SIDE = 1050, 28
# The split into what comes in and what stays unseen, whatever the seed.
SPLIT = 2026


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="install numpy and scikit-learn into bench/.venv")
    parser.add_argument("--rounds", type=lambda text: [int(part) for part in text.split(",")], default=[100, 200, 400, 800], help="answers after which a model is made")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=3, help="how many seeds")
    parser.add_argument("--errors", type=float, default=0.0, metavar="SHARE", help="of the reviewer's answers")
    parser.add_argument("--weight", type=float, default=20, help="how often a new image is shown where an old one is once")
    parser.add_argument("--config", default="configs/adapt.toml", help="the recipe, below the root of the workspace")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value of the recipe")
    parser.add_argument("--no-build", action="store_true", help="take the binaries as they are")
    parser.add_argument("--no-save", action="store_true", help="print only")
    return parser.parse_args()


class Server:
    """`serve`, running, as its clients see it."""

    def __init__(self, target, model, database):
        command = [target / "serve", f"digits={model}", "--listen", "127.0.0.1:0", "--log", "warn",
                   "--database", database, "--second-opinion", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().split("http://")[1].strip().rstrip("/")
        self.connection = http.client.HTTPConnection(self.address, timeout=60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.process.terminate()
        self.process.wait()

    def ask(self, method, path, body=None, headers=()):
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        self.connection.request(method, path, body, dict(headers))
        reply = self.connection.getresponse()
        content = reply.read()
        if reply.status != 200:
            raise SystemExit(f"{method} {path}: {reply.status} {content.decode()}")
        return json.loads(content)

    def examine(self, images, labels):
        """What the model in service makes of images: how many are right, accepted, and wrong among the accepted."""
        right = accepted = wrong = 0
        for begin in range(0, len(images), 500):
            pixels, known = images[begin:begin + 500], labels[begin:begin + 500]
            head = json.dumps({
                "inputs": [{"name": "images", "datatype": "UINT8", "shape": [len(pixels), 1, SIDE, SIDE], "parameters": {"binary_data_size": pixels.size}}],
                "outputs": [{"name": "class"}, {"name": "accepted"}],
            }).encode()
            found = self.ask("POST", "/v2/models/digits/infer", head + pixels.tobytes(), [("Inference-Header-Content-Length", str(len(head)))])
            classes, kept = (output["data"] for output in found["outputs"])
            for label, found, keep in zip(known, classes, kept):
                right += int(found == label)
                accepted += int(keep)
                wrong += int(keep and found != label)
        return {"images": len(images), "right": right, "accepted": accepted, "wrong": wrong}


class Reviewer:
    """Knows the label of each image by its bytes, and is wrong about a share of them."""

    def __init__(self, server, images, labels, seed, errors):
        self.server, self.errors, self.random = server, errors, random.Random(seed)
        self.labels = {image.tobytes(): int(label) for image, label in zip(images, labels)}
        self.answered = 0

    def answer_up_to(self, count):
        while self.answered < count:
            item = self.server.ask("POST", "/review/next", {"reviewer": "script"})["item"]
            if item is None:
                break
            label = self.labels[base64.b64decode(item["input"])]
            if self.random.random() < self.errors:
                label = self.random.choice([other for other in range(10) if other != label])
            answer = {"reviewer": "script", "lease": item["lease"], "answer": str(label), "key": item["id"]}
            self.server.ask("POST", f"/review/{item['id']}/answer", answer)
            self.answered += 1


def digits():
    """What comes in and what stays unseen: images [n, 28, 28] and labels of each."""
    import numpy
    from sklearn.datasets import load_digits
    found = load_digits()
    nearest = numpy.arange(SIDE) * 8 // SIDE
    images = numpy.rint(found.images * 255 / 16).astype(numpy.uint8)[:, nearest][:, :, nearest]
    order = numpy.random.default_rng(SPLIT).permutation(len(images))
    return [(images[part], found.target[part]) for part in (order[:COMING], order[COMING:])]


def mnist():
    import numpy
    def read(kind, header):
        with gzip.open(ROOT / "crates" / "data" / "mnist" / f"t10k-{kind}-ubyte.gz") as file:
            return numpy.frombuffer(file.read()[header:], dtype=numpy.uint8)
    return read("images-idx3", 16).reshape(-1, SIDE, SIDE), read("labels-idx1", 8)


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def swap(server, folder, new):
    """Puts a new model into the served folder; the old one back, where the server refuses it."""
    version = hashlib.sha256((new / "SHA256SUMS").read_bytes()).hexdigest()[:12]
    old = folder.with_name("old")
    os.rename(folder, old)
    shutil.copytree(new, folder.with_name("arriving"))
    os.rename(folder.with_name("arriving"), folder)
    until = time.monotonic() + 120
    while time.monotonic() < until:
        time.sleep(0.2)
        told = server.ask("GET", "/api/status")["replacement"]
        if told and told["version"] == version:
            away = old if told["taken"] else folder
            if not told["taken"]:
                os.rename(folder, folder.with_name("refused"))
                os.rename(old, folder)
                away = folder.with_name("refused")
            shutil.rmtree(away)
            return told
    raise SystemExit("the server took no notice of the new model")


def learn(args, target, work, server, model, seed, mnist_test, unseen, answered):
    """One round: export, train, compare, swap, ask again."""
    answers, out = work / "answers", work / f"run-{answered}"
    exported = run([target / "serve", "export", "--to", answers, "--database", work / "reviews.sqlite"]).split()
    also = f'data.also=[{{dir="{answers}",weight={args.weight}}}]'
    changes = [part for change in args.set for part in ("--set", change)]
    # The server ends a connection on which nothing comes; the next request opens another.
    server.connection.close()
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    run([target / "train", "--config", ROOT / args.config, "--start-from", ROOT / "artifacts/pretrained", "--set", also,
         "--seed", str(seed), "--run-dir", out, "--quiet", *changes])
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    compared = {}
    for name, more in (("judge", ["--data-dir", answers]), ("test", [])):
        found = json.loads(run([target / "digits", "compare", model, out / "model", "--json", *more]))
        compared[name] = {key: found[key] for key in ("images", "difference", "verdict", "not_worse")}
    told = swap(server, model, out / "model")
    deferral = json.loads((model / "checkpoint.json").read_text())["calibration"]["deferral"]
    return {
        "seed": seed, "answers": answered, "learned": int(exported[0]), "judged": int(exported[5]), "seconds": seconds, "processor": processor,
        "compared": compared, "taken": told["taken"], "say": told["say"], "certified": deferral["certified"],
        "target_risk": deferral["target_risk"], "unseen": server.examine(*unseen), "mnist": server.examine(*mnist_test),
    }


def go(args, target, seed, tell):
    import numpy
    (images, labels), unseen = digits()
    order = numpy.random.default_rng(seed).permutation(len(images))
    images, labels = images[order], labels[order]
    mnist_test = mnist()
    with tempfile.TemporaryDirectory(prefix="learning-") as work:
        work = pathlib.Path(work)
        model = work / "model"
        shutil.copytree(ROOT / "artifacts/pretrained", model)
        with Server(target, model, work / "reviews.sqlite") as server:
            kept = sum(server.ask("POST", "/predict/pixels", image.tobytes())["accepted"] for image in images)
            deferral = json.loads((model / "checkpoint.json").read_text())["calibration"]["deferral"]
            tell({
                "seed": seed, "answers": 0, "kept": kept, "seconds": None, "taken": None, "certified": deferral["certified"],
                "target_risk": deferral["target_risk"], "unseen": server.examine(*unseen), "mnist": server.examine(*mnist_test),
            })
            reviewer = Reviewer(server, images, labels, seed, args.errors)
            for count in args.rounds:
                reviewer.answer_up_to(count)
                tell(learn(args, target, work, server, model, seed, mnist_test, unseen, reviewer.answered))


def spread(values, digits):
    if not values:
        return "–"
    sd = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.{digits}f} ± {sd:.{digits}f}"


def render(runs):
    lines = [
        "| answers | to learn from, to judge | right, of 747 unseen, % | accepted, % | wrong among the accepted, % | MNIST's test images right, % | accepted, % | wrong among them, % | target risk | taken over | training, seconds of processor time |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    share = lambda run, of, what, all_of: 100 * run[of][what] / max(1, run[of][all_of])
    for count in sorted({run["answers"] for run in runs}):
        rows = [run for run in runs if run["answers"] == count]
        over = lambda of, what, all_of: spread([share(run, of, what, all_of) for run in rows], 2)
        parts = "–" if not count else f"{spread([run['learned'] for run in rows], 0)}, {spread([run['judged'] for run in rows], 0)}"
        taken = "–" if not count else f"{sum(run['taken'] for run in rows)} of {len(rows)}"
        targets = sorted({f"{100 * run['target_risk']:g} %" for run in rows})
        lines.append(
            f"| {count} | {parts} | {over('unseen', 'right', 'images')} | {over('unseen', 'accepted', 'images')} | {over('unseen', 'wrong', 'accepted')} | "
            f"{over('mnist', 'right', 'images')} | {over('mnist', 'accepted', 'images')} | {over('mnist', 'wrong', 'accepted')} | {', '.join(targets)} | {taken} | "
            f"{spread([run['processor'] for run in rows if count], 0)} |"
        )
    return "\n".join(lines)


def save(runs):
    """Figures, and the table in docs/learning.md."""
    (ROOT / "docs" / "learning.json").write_text(json.dumps(runs, indent=1) + "\n")
    page = ROOT / "docs" / "learning.md"
    begin, end = "<!-- learning from here -->\n", "<!-- learning to here -->\n"
    before, rest = page.read_text().split(begin)
    after = rest.split(end)[1]
    page.write_text(f"{before}{begin}{render(runs)}\n{end}{after}")


def main():
    args = parse()
    own = BENCH / ".venv" / "bin" / "python"
    if args.install:
        subprocess.run([sys.executable, "-m", "venv", own.parent.parent], check=True)
        subprocess.run([own, "-m", "pip", "install", "--quiet", "--requirement", BENCH / "learning-requirements.txt"], check=True)
    if importlib.util.find_spec("sklearn") is None:
        if not own.exists():
            sys.exit("scikit-learn is not here: --install puts it into bench/.venv")
        os.execv(own, [own, __file__, *(argument for argument in sys.argv[1:] if argument != "--install")])
    if not args.no_build:
        subprocess.run(["cargo", "build", "--release", "--locked", "-p", "serve", "-p", "train", "-p", "digits"], cwd=ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    runs = []

    def tell(found):
        runs.append(found)
        unseen = found["unseen"]
        print(f"seed {found['seed']}, {found['answers']} answers: {unseen['right']} of {unseen['images']} unseen right, {unseen['accepted']} accepted, "
              f"{unseen['wrong']} of those wrong; {found['mnist']['right']} of MNIST's right. {found.get('say', '')}", file=sys.stderr)

    for seed in range(args.first, args.first + args.count):
        go(args, target, seed, tell)
    print(render(runs))
    # The page shows a reviewer who is always right.
    if not (args.no_save or args.errors):
        save(runs)


if __name__ == "__main__":
    main()
