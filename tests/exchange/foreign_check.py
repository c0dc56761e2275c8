"""Networks for MNIST as people write them in PyTorch, through `digits import`: see docs/exchange.md.

    python tests/exchange/foreign_check.py [--digits target/release/digits]

Needs what torch-requirements.txt names. Each network is trained a little, saved in the ways that people save one, and
imported: `digits evaluate` has to answer each of 2,000 test images as PyTorch does. What can't be imported has to
be refused by one line that names it. Exits with 1 at the first thing that isn't so.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch_check import ARCHITECTURE, MNIST, ROOT, check, idx, logits, run, write_idx

F = nn.functional
SHOWN, TESTED = 2000, 2000
# Answers nearer to each other than this are the same class in one rounding and another in the next.
NEAR = 1e-4


class Tutorial(nn.Module):
    """Two blocks in containers of their own and a single layer at the end, as `layer1`, `layer2`, `fc`."""

    def __init__(self, first=16, second=32):
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(1, first, 5, padding=2), nn.BatchNorm2d(first), nn.ReLU(), nn.MaxPool2d(2))
        self.layer2 = nn.Sequential(nn.Conv2d(first, second, 5, padding=2), nn.BatchNorm2d(second), nn.ReLU(), nn.MaxPool2d(2))
        self.fc = nn.Linear(second * 49, 10)

    def forward(self, x):
        return self.fc(self.layer2(self.layer1(x)).flatten(1))


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


class Named(nn.Module):
    """`conv1`, `bn1`, …, of which some are alike, so that numbers alone tell them apart."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv3, self.bn3 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.fc1, self.bn4, self.fc2 = nn.Linear(72, 32), nn.BatchNorm1d(32), nn.Linear(32, 10)

    def forward(self, x):
        for conv, norm in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)):
            x = F.max_pool2d(F.relu(norm(conv(x))), 2)
        return self.fc2(F.dropout(F.relu(self.bn4(self.fc1(x.flatten(1)))), 0.5, self.training))


class Split(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Linear(16 * 49, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class Perceptron(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(784, 128), nn.Linear(128, 10)

    def forward(self, x):
        return F.log_softmax(self.fc2(F.relu(self.fc1(x.flatten(1)))), 1)


class Deep(nn.Module):
    """Hidden layers of one width, in an `nn.ModuleList`, and a last one with a name of its own."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.ModuleList([nn.Linear(784, 64), nn.Linear(64, 64), nn.Linear(64, 64)])
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        x = x.flatten(1)
        for layer in self.hidden:
            x = F.relu(layer(x))
        return self.out(x)


class Pooled(nn.Module):
    """The parts of a block in the order in which some write them: the pool before the ReLU."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 10, 5), nn.Conv2d(10, 20, 5)
        self.conv2_drop = nn.Dropout2d()
        self.fc1, self.fc2 = nn.Linear(320, 50), nn.Linear(50, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 2))
        return F.log_softmax(self.fc2(F.relu(self.fc1(x.flatten(1)))), 1)


def numeric():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(200, 10),
    )  # fmt: skip


def network(blocks, dense, norm=False):
    def block(channels, kernel, padding=0, pool=True):
        return f"{{ channels = {channels}, kernel = {kernel}, padding = {padding}, pool = {str(pool).lower()} }}"

    blocks = ", ".join(block(*found) for found in blocks)
    tail = f'blocks = [{blocks}]\nnorm = {str(norm).lower()}\norder = "conv-norm-relu-pool"\n'
    return ARCHITECTURE.replace("dense = [32]", f"dense = {dense}") + tail


NETS = {
    "layer1.0, layer1.1, layer2.0, layer2.1, fc": (Tutorial, network([(16, 5, 2), (32, 5, 2)], [], True)),
    "the same with alike layers": (lambda: Tutorial(16, 16), network([(16, 5, 2), (16, 5, 2)], [], True)),
    "LeNet: conv1, conv2, fc1, fc2, fc3": (LeNet, network([(6, 5, 2), (16, 5)], [120, 84])),
    "conv1, bn1, … fc2, alike": (Named, network([(8, 3, 1)] * 3, [32], True)),
    "features.0, … classifier.3": (
        Split,
        network([(8, 3, 1, False), (8, 3, 1), (16, 3, 1, False), (16, 3, 1)], [64]),
    ),
    "a perceptron 784-128-10: fc1, fc2": (Perceptron, network([], [128])),
    "a perceptron with a ModuleList: hidden.0, … out": (Deep, network([], [64, 64, 64])),
    "conv1, conv2 with the pool before the ReLU, Dropout2d": (Pooled, network([(10, 5), (20, 5)], [50])),
    "nn.Sequential: 0, 3, 7": (numeric, network([(8, 3), (8, 3)], [])),
}


def trained(make, shown, labels):
    torch.manual_seed(0)
    made = make()
    optimizer = torch.optim.Adam(made.parameters(), 2e-3)
    for batch in torch.randperm(len(shown)).split(64):
        optimizer.zero_grad()
        F.cross_entropy(made(shown[batch]), labels[batch]).backward()
        optimizer.step()
    return made.eval()


class Digits:
    def __init__(self, program, folder):
        self.program, self.folder, self.count = program, folder, 0
        self.data = folder / "data"
        self.data.mkdir()
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
            write_idx(self.data / f"t10k-{kind}", idx(MNIST / f"t10k-{kind}.gz")[:TESTED])

    def command(self, state, architecture, to):
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, self.folder / "model.safetensors")
        (self.folder / "net.toml").write_text(architecture)
        files = "--from", self.folder / "model.safetensors", "--architecture", self.folder / "net.toml"
        return [str(part) for part in (self.program, "import", *files, "--to", to)]

    def answers(self, state, architecture):
        """The probabilities that an import gives the test images."""
        self.count += 1
        to, dump = self.folder / f"net{self.count}", self.folder / "dump.csv"
        run(*self.command(state, architecture, to))
        run(self.program, "evaluate", to, "--data-dir", self.data, "--dump", dump, "--json")
        with dump.open() as file:
            return np.array([[float(cell) for cell in row] for row in list(csv.reader(file))[1:]])[:, 1:]

    def refuses(self, name, state, architecture, *parts):
        to = self.folder / "refused"
        done = subprocess.run(self.command(state, architecture, to), capture_output=True, text=True)
        line = done.stderr.strip()
        right = done.returncode == 1 and not to.exists() and "\n" not in line
        check(right and all(part in line for part in parts), f"refused: {name}: {line.split('safetensors: ')[-1]}")


def same(name, ours, theirs, labels):
    top = theirs.topk(2, 1).values
    sure = (top[:, 0] - top[:, 1] > NEAR).numpy()
    differing = int(((ours.argmax(1) != theirs.argmax(1).numpy()) & sure).sum())
    gap = float(np.abs(theirs.softmax(1).numpy() - ours).max())
    right = int((ours.argmax(1) == labels).sum())
    check(differing == 0 and gap < 1e-4, f"{name}: {right} right, {differing} classes differ, probabilities by {gap:.1e}")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--digits", type=Path, default=ROOT / "target/release/digits")
    options = options.parse_args()
    torch.set_num_threads(2)
    normal = lambda pixels: (pixels.float() / 255 - 0.1307) / 0.3081
    shown = normal(torch.from_numpy(idx(MNIST / "train-images-idx3-ubyte.gz")[:SHOWN, None].copy()))
    learned = torch.from_numpy(idx(MNIST / "train-labels-idx1-ubyte.gz")[:SHOWN].astype(np.int64))
    images = idx(MNIST / "t10k-images-idx3-ubyte.gz")[:TESTED, None]
    labels = idx(MNIST / "t10k-labels-idx1-ubyte.gz")[:TESTED]
    with tempfile.TemporaryDirectory() as temporary:
        digits = Digits(options.digits, Path(temporary))
        kept = {}
        for name, (make, architecture) in NETS.items():
            made = trained(make, shown, learned)
            theirs = logits(lambda pixels: made(normal(pixels)), images)
            same(name, digits.answers(made.state_dict(), architecture), theirs, labels)
            kept[make] = made, architecture, theirs

        made, architecture, theirs = kept[LeNet]
        state = made.state_dict()
        for prefix in ("module.", "_orig_mod.", "_orig_mod.module.", "model.", "net."):
            wrapped = {prefix + name: tensor for name, tensor in state.items()}
            same(f"LeNet with {prefix}", digits.answers(wrapped, architecture), theirs, labels)
        names = {"conv1": "blocks.0.conv", "conv2": "blocks.1.conv", "fc1": "dense.0.linear", "fc2": "dense.1.linear", "fc3": "output"}
        ours = {".".join((names[name.split(".")[0]], name.split(".")[1])): tensor for name, tensor in state.items()}
        wrapped = {"module." + name: tensor for name, tensor in ours.items()}
        same("our names with module.", digits.answers(wrapped, architecture), theirs, labels)
        averaged = torch.optim.swa_utils.AveragedModel(made).state_dict()
        same("AveragedModel: module. and n_averaged", digits.answers(averaged, architecture), theirs, labels)
        for kind in (torch.float16, torch.bfloat16, torch.float64):
            made = kept[LeNet][0]
            rounded = {name: tensor.to(kind) for name, tensor in state.items()}
            made.load_state_dict({name: tensor.float() for name, tensor in rounded.items()})
            theirs = logits(lambda pixels: made(normal(pixels)), images)
            same(f"LeNet in {kind}", digits.answers(rounded, architecture), theirs, labels)

        more = state | {"ema.decay": torch.tensor([0.99]), "optimizer.step": torch.tensor(63)}
        digits.refuses("extra tensors", more, architecture, "unexpected: `ema.decay` [1], `optimizer.step` []")
        whole = {name: (tensor * 50).to(torch.int8) for name, tensor in state.items()}
        digits.refuses("int8", whole, architecture, "is of type I8", "model.float()")
        without = {name: tensor for name, tensor in state.items() if name != "conv1.bias"}
        digits.refuses("no bias", without, architecture, "missing: `conv1.bias` [6]", "one with zeros")
        strided = network([(6, 5, 2, False), (16, 5)], [120, 84])
        digits.refuses("another pool", state, strided, "none is a dense [120, 2304]")
        old = {"conv1.weight_g": torch.ones(6, 1, 1, 1), "conv1.weight_v": state["conv1.weight"]}
        old |= {name: tensor for name, tensor in state.items() if name != "conv1.weight"}
        digits.refuses("weight_norm", old, architecture, "`conv1`", "none is a convolution [6, 1, 5, 5]")
        made, architecture, _ = kept[numeric]
        deeper = network([(8, 3), (8, 3)], [32])
        digits.refuses("a layer too few", made.state_dict(), deeper, "`7` dense [10, 200]", "dense [32, 200]")


if __name__ == "__main__":
    main()
