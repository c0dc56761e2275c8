"""Weights exchanged with PyTorch, both ways: see docs/exchange.md.

    python tests/exchange/torch_check.py [--digits target/release/digits] [--train target/release/train]

Needs what torch-requirements.txt names. Exits with 1 at the first thing that isn't so.
"""

import argparse
import csv
import gzip
import importlib.util
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
MNIST = ROOT / "crates/data/mnist"


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def check(right, what):
    print(("ok    " if right else "WRONG ") + what, flush=True)
    if not right:
        sys.exit(1)


def idx(path):
    """An IDX file, compressed or not."""
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    sizes = np.frombuffer(data, ">i4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(sizes)


def write_idx(path, values):
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes()
    path.write_bytes(header + values.astype(np.uint8).tobytes())


def load_network(folder):
    """network.py of an export, as somebody who has the folder would load it."""
    text = (folder / "network.py").read_text()
    check(len(text.splitlines()) <= 40 or "Committee" in text, f"network.py has {len(text.splitlines())} lines")
    spec = importlib.util.spec_from_file_location("network", folder / "network.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.load(str(folder / "model.safetensors"))
    stated, built = set(load_file(folder / "model.safetensors")), set(network.state_dict())
    check(stated == built, f"the file has PyTorch's {len(built)} names and no others")
    return network


def logits(network, images, size=1000):
    with torch.inference_mode():
        parts = [network(torch.from_numpy(images[at : at + size].copy())) for at in range(0, len(images), size)]
    return torch.cat(parts).double()


def views(images, count):
    """The image and its shifts by a pixel, in any order: their average is taken."""
    shifts = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)][:count]
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    height, width = images.shape[2:]
    for down, right in shifts:
        yield np.ascontiguousarray(padded[:, :, 1 - down : 1 - down + height, 1 - right : 1 - right + width])


def combined(rows):
    """The probabilities of several views, averaged; a single one is itself."""
    if len(rows) == 1:
        return rows[0]
    rows = torch.stack(rows)
    sums = rows.logsumexp(2, keepdim=True)
    return (rows - sums).logsumexp(0) - math.log(len(rows)) + sums.mean(0)


def exported(digits, checkpoint, folder, data, images, labels):
    """The export of a checkpoint beside what `digits evaluate --dump` says of the same images."""
    run(digits, "export", checkpoint, "--to", folder, "--format", "safetensors")
    manifest = json.loads((Path(checkpoint) / "checkpoint.json").read_text())
    network = load_network(folder)
    dump = folder.with_suffix(".csv")
    run(digits, "evaluate", checkpoint, "--data-dir", data, "--dump", dump, "--json")
    with dump.open() as file:
        ours = np.array([[float(cell) for cell in row] for row in list(csv.reader(file))[1:]])
    check((ours[:, 0] == labels).all(), f"both see the same {len(labels)} images")
    temperature = manifest["calibration"]["temperature"]
    said = [logits(network, view) for view in views(images, manifest["views"])]
    theirs = (combined(said) / temperature).log_softmax(1)
    probabilities = torch.from_numpy(ours[:, 1:])
    differing = int((theirs.argmax(1) != probabilities.argmax(1)).sum())
    check(differing == 0, f"{manifest['views']} views: {differing} of {len(labels)} classes differ")
    # Probabilities near 0 say nothing of logits after they were written; differences of logits do.
    sure = probabilities > 1e-6
    gap = (theirs - probabilities.clamp_min(1e-300).log()) * temperature
    largest = float(gap[sure].abs().max())
    check(largest < 1e-4, f"logits differ by {largest:.1e} at most, from log-probabilities above 1e-6")
    return network


def raw_logits(digits, folder, data, images, network):
    """Logits themselves: a copy of the checkpoint that looks at one view, uncalibrated, back from its export."""
    config = json.loads((folder / "config.json").read_text()) | {"views": 1}
    one = folder.with_name(folder.name + "-one.json")
    one.write_text(json.dumps(config))
    again = folder.with_name(folder.name + "-again")
    run(digits, "import", "--from", folder / "model.safetensors", "--architecture", one, "--to", again)
    back = folder.with_name(folder.name + "-back")
    run(digits, "export", again, "--to", back, "--format", "safetensors")
    same = (back / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    check(same, "exported, imported and exported again, the weights are the same bytes")
    dump = folder.with_name(folder.name + "-one.csv")
    run(digits, "evaluate", again, "--data-dir", data, "--dump", dump, "--json")
    with dump.open() as file:
        ours = torch.tensor([[float(cell) for cell in row] for row in list(csv.reader(file))[1:]]).double()[:, 1:]
    theirs = logits(network, images)
    differing = int((theirs.argmax(1) != ours.argmax(1)).sum())
    largest = float((theirs.softmax(1) - ours).abs().max())
    check(differing == 0 and largest < 1e-4, f"1 view: {differing} classes differ, probabilities by {largest:.1e} at most")


class Net(nn.Module):
    """The layers of PyTorch's own example for MNIST, with fewer channels."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, 1)
        self.conv2 = nn.Conv2d(8, 16, 3, 1)
        self.fc1 = nn.Linear(16 * 12 * 12, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        x = torch.relu(self.fc1(nn.functional.max_pool2d(x, 2).flatten(1)))
        return nn.functional.log_softmax(self.fc2(x), 1)


def sequential():
    """Biases before normalizations, as `nn.Conv2d` has by default."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8 * 7 * 7, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10),
    )  # fmt: skip


ARCHITECTURE = """
classes = 10
picture = "framed"
input = { channels = 1, height = 28, width = 28 }
normalization = { mean = 0.1307, std = 0.3081 }
[network]
dense = [32]
dropout = 0.0
"""
NETS = {
    "Net of conv1, conv2, fc1, fc2": (
        Net,
        'blocks = [{ channels = 8, kernel = 3, pool = false }, { channels = 16, kernel = 3 }]\n'
        'norm = false\norder = "conv-norm-relu-pool"\n',
    ),
    "nn.Sequential with BatchNorm": (
        sequential,
        'blocks = [{ channels = 8, kernel = 3, padding = 1 }, { channels = 8, kernel = 3, padding = 1 }]\n'
        'norm = true\norder = "conv-norm-relu-pool"\n',
    ),
}


def imported(digits, folder, name, make, table, images, labels):
    """A network trained here, and what `digits` makes of it."""
    torch.manual_seed(0)
    network, began = make(), time.time()
    learn = idx(MNIST / "train-images-idx3-ubyte.gz")[:12000, None], idx(MNIST / "train-labels-idx1-ubyte.gz")[:12000]
    x = (torch.from_numpy(learn[0]).float() / 255 - 0.1307) / 0.3081
    y = torch.from_numpy(learn[1].astype(np.int64))
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    for batch in torch.randperm(len(x)).split(64):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
        optimizer.step()
    network.eval()
    seconds = time.time() - began
    folder.mkdir()
    save_file(network.state_dict(), folder / "model.safetensors")
    (folder / "net.toml").write_text(ARCHITECTURE + table)
    checkpoint = folder / "checkpoint"
    run(digits, "import", "--from", folder / "model.safetensors", "--architecture", folder / "net.toml", "--to", checkpoint)
    normal = lambda bytes: (bytes.float() / 255 - 0.1307) / 0.3081
    theirs = logits(lambda bytes: network(normal(bytes)), images).argmax(1).numpy()
    right = int((theirs == labels).sum())
    dump = folder / "ours.csv"
    ours = json.loads(run(digits, "evaluate", checkpoint, "--data-dir", MNIST, "--dump", dump, "--json"))
    with dump.open() as file:
        rows = np.array([[float(cell) for cell in row] for row in list(csv.reader(file))[1:]])
    differing = int((rows[:, 1:].argmax(1) != theirs).sum())
    check(
        ours["test"]["errors"] == len(labels) - right and differing == 0,
        f"{name}: trained in {seconds:.0f} s, PyTorch has {right} of {len(labels)} right; "
        f"digits has {ours['test']['errors']} wrong, {differing} classes differ",
    )
    check(ours["test"]["evaluation"]["selective"]["accepted"] == 0, "uncalibrated, it accepts nothing")
    held = folder / "held"
    held.mkdir()
    write_idx(held / "t10k-images-idx3-ubyte", idx(MNIST / "train-images-idx3-ubyte.gz")[50000:])
    write_idx(held / "t10k-labels-idx1-ubyte", idx(MNIST / "train-labels-idx1-ubyte.gz")[50000:])
    run(digits, "calibrate", checkpoint, "--data-dir", held, "--risk", "0.01", "--to", folder / "calibrated")
    test = json.loads(run(digits, "evaluate", folder / "calibrated", "--data-dir", MNIST, "--json"))["test"]
    selective = test["evaluation"]["selective"]
    check(
        test["errors"] == len(labels) - right and selective["errors"] <= 0.02 * selective["accepted"] and selective["accepted"] > 1000,
        f"calibrated on 10,000 others, it is as often right, accepts {selective['accepted']}, {selective['errors']} of them wrong",
    )


def forms(folder, train, images, labels):
    """26 classes of 32×32 in colour: MNIST's digits, turned and coloured, in the way of a data set."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for split, count in (("train", 2600), ("t10k", 2000)):
        pixels, found = images[split][:count], labels[split][:count]
        classes = (found + 10 * rng.integers(0, 3, count)) % 26
        grey = np.zeros((count, 32, 32), np.uint8)
        grey[:, 2:30, 2:30] = pixels
        turned = np.where((classes >= 10)[:, None, None], grey.transpose(0, 2, 1), grey)
        colours = np.stack([turned, np.where((classes >= 20)[:, None, None], 255 - turned, turned), turned // 2], 1)
        write_idx(folder / f"{split}-images-idx4-ubyte", colours)
        write_idx(folder / f"{split}-labels-idx1-ubyte", classes)
    run(
        train, "--config", "configs/smoke.toml", "--data-dir", folder, "--run-dir", folder / "run", "--set",
        "data.validation=500", "--set", "network.dropout=0.1", "--quiet",
        "--set", "network.blocks=[{channels=8,kernel=3,padding=1},{channels=16,kernel=3}]",
        "--set", "network.order=conv-norm-relu-pool",
    )  # fmt: skip
    return folder / "run/model"


def hub(digits, checkpoint, folder):
    """The folder is what huggingface_hub takes for a model's."""
    from huggingface_hub import ModelCard, ModelCardData
    from huggingface_hub.repocard import metadata_load
    from huggingface_hub.repocard_data import model_index_to_eval_results

    run(digits, "export", checkpoint, "--to", folder, "--format", "hub", "--license", "mit")
    card = ModelCard.load(folder / "README.md")
    metadata = metadata_load(folder / "README.md")
    name, results = model_index_to_eval_results(metadata["model-index"])
    stated = json.loads((Path(checkpoint) / "checkpoint.json").read_text())["metrics"]
    values = {result.metric_type: result.metric_value for result in results}
    check(values["accuracy"] == stated["validation.accuracy"], f"the card of {name} states {values}")
    data = ModelCardData(**card.data.to_dict())
    check((data.license, data.library_name, data.datasets) == ("mit", "burn", ["ylecun/mnist"]), "and what it is")
    check(card.data.to_dict() == metadata, "and survives being read")
    for name in ("config.json", "model.safetensors", "network.py", "model.onnx", "checkpoint/checkpoint.json"):
        check((folder / name).is_file(), name)
    run("sh", "-c", f"cd {folder} && sha256sum -c SHA256SUMS")
    run(digits, "verify", folder / "checkpoint")
    load_network(folder)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--digits", type=Path, default=ROOT / "target/release/digits")
    options.add_argument("--train", type=Path, default=ROOT / "target/release/train")
    options = options.parse_args()
    torch.set_num_threads(2)
    images = {split: idx(MNIST / f"{split}-images-idx3-ubyte.gz") for split in ("train", "t10k")}
    labels = {split: idx(MNIST / f"{split}-labels-idx1-ubyte.gz") for split in ("train", "t10k")}
    test = np.ascontiguousarray(images["t10k"][:, None]), labels["t10k"]
    with tempfile.TemporaryDirectory() as temporary:
        temporary = Path(temporary)
        pretrained = ROOT / "artifacts/pretrained"
        print("artifacts/pretrained in PyTorch")
        network = exported(options.digits, pretrained, temporary / "digits", MNIST, *test)
        raw_logits(options.digits, temporary / "digits", MNIST, test[0], network)
        print("26 classes of 32×32 in colour in PyTorch")
        checkpoint = forms(temporary / "forms", options.train, images, labels)
        data = temporary / "forms"
        shown = idx(data / "t10k-images-idx4-ubyte"), idx(data / "t10k-labels-idx1-ubyte")
        network = exported(options.digits, checkpoint, temporary / "colour", data, *shown)
        raw_logits(options.digits, temporary / "colour", data, shown[0], network)
        print("networks of PyTorch in digits")
        for number, (name, (make, table)) in enumerate(NETS.items()):
            imported(options.digits, temporary / f"net{number}", name, make, table, *test)
        print("a hub folder")
        hub(options.digits, pretrained, temporary / "hub")


if __name__ == "__main__":
    main()
