"""PyTorch's side of bench/run.py: the same networks, batches and optimizer, one process per call.

    python pytorch.py MODE speed      images per second, milliseconds, GFLOP/s
    python pytorch.py MODE one-epoch  the network of bench/one-epoch.toml, one epoch over 60,000 images
    python pytorch.py MODE process    the recipe configs/fast.toml: three epochs over 55,000 images

MODE is eager, channels-last or compile. Prints one JSON object on its last line.
"""

import argparse
import gzip
import json
import math
import os
import pathlib
import time

import torch
from torch import nn
from torch.nn import functional

DATA = pathlib.Path(__file__).resolve().parent.parent / "crates" / "data" / "mnist"
EVALUATION_BATCH = 500


def split(name):
    """Images [count, 1, 28, 28] as bytes, and labels [count]."""
    def read(kind, header):
        with gzip.open(DATA / f"{name}-{kind}-ubyte.gz") as file:
            return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)
    return read("images-idx3", 16).view(-1, 1, 28, 28), read("labels-idx1", 8).long()


def normalized(images):
    """Bytes as the network's input: mean 0, deviation 1."""
    return images.float().div_(255).sub_(0.13066048).div_(0.30810780)


class Network(nn.Module):
    """Two blocks of convolution, normalization, ReLU and max-pool, then a dense head.

    norm is "conv" (normalize after the convolution), "pool" (after the pool) or None. Without it the
    pool comes before ReLU, which gives the same values for less work.
    """

    def __init__(self, filters, width, norm):
        super().__init__()
        (c1, k1), (c2, k2) = filters
        side = ((28 - k1 + 1) // 2 - k2 + 1) // 2
        self.norm = norm
        self.convs = nn.ModuleList(
            [nn.Conv2d(1, c1, k1, bias=norm is None), nn.Conv2d(c1, c2, k2, bias=norm is None)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(c1), nn.BatchNorm2d(c2)] if norm else [])
        self.dense = nn.Linear(c2 * side * side, width, bias=norm is None)
        self.dense_norm = nn.BatchNorm1d(width) if norm else nn.Identity()
        self.output = nn.Linear(width, 10)

    def forward(self, x):
        for index, conv in enumerate(self.convs):
            x = conv(x)
            if self.norm == "conv":
                x = functional.max_pool2d(functional.relu(self.norms[index](x)), 2)
            elif self.norm == "pool":
                x = functional.relu(self.norms[index](functional.max_pool2d(x, 2)))
            else:
                x = functional.relu(functional.max_pool2d(x, 2))
        return self.output(functional.relu(self.dense_norm(self.dense(x.flatten(1)))))


SMALL = ((16, 3), (32, 3)), 128
ONE_EPOCH = ((24, 5), (32, 3)), 256


class Contender:
    """One way to run PyTorch."""

    def __init__(self, mode):
        self.format = torch.channels_last if mode == "channels-last" else torch.contiguous_format
        self.compiled = mode == "compile"

    def network(self, shape, norm):
        torch.manual_seed(0)
        network = Network(*shape, norm).to(memory_format=self.format)
        return torch.compile(network) if self.compiled else network

    def batch(self, images):
        return images.contiguous(memory_format=self.format)

    def step(self, network, optimizer, images, labels):
        loss = functional.cross_entropy(network(self.batch(images)), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


def adamw(network, rate=1e-3, betas=(0.9, 0.999), decay=1e-2):
    return torch.optim.AdamW(network.parameters(), lr=rate, betas=betas, eps=1e-8, weight_decay=decay, fused=True)


def shuffled(images, labels, batch):
    """The batches of one epoch, forever; images are normalized already."""
    while True:
        for indices in torch.randperm(len(labels)).split(batch):
            yield images[indices], labels[indices]


class Stopwatch:
    """Images per second on the clock, and per second of processor time."""

    def __init__(self):
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def speed(self, name, images):
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        return {name: images / wall, f"{name}.cpu": images / cpu}


def training(name, contender, norm, images, labels, args):
    """Images per second: gathering a shuffled batch, forward, backward, AdamW."""
    network = contender.network(SMALL, norm).train()
    optimizer = adamw(network)
    batches = shuffled(images, labels, args.batch)
    for _ in range(args.warm_up):
        contender.step(network, optimizer, *next(batches))
    watch = Stopwatch()
    for _ in range(args.steps):
        contender.step(network, optimizer, *next(batches))
    return watch.speed(name, args.steps * args.batch)


@torch.inference_mode()
def logits(contender, network, images):
    """Bytes to logits, in batches of 500."""
    return torch.cat([network(contender.batch(normalized(batch))) for batch in images.split(EVALUATION_BATCH)])


def inference(contender, images, args):
    """Images per second."""
    network = contender.network(SMALL, "conv").eval()
    logits(contender, network, images)
    watch = Stopwatch()
    for _ in range(args.passes):
        logits(contender, network, images)
    return watch.speed("inference", args.passes * len(images))


def latency(contender, images, args):
    """Median milliseconds from the bytes of one image to its logits."""
    network = contender.network(SMALL, "conv").eval()
    seconds = []
    for index in range(args.answers + args.answers // 4):
        started = time.perf_counter()
        logits(contender, network, images[index:index + 1])
        seconds.append(time.perf_counter() - started)
    timed = sorted(seconds[args.answers // 4:])
    return 1e3 * timed[len(timed) // 2]


def peak():
    """GFLOP/s of a 512x512 by 512x512 product in f32, the fastest of many."""
    side = 512
    a, b = torch.rand(side, side), torch.rand(side, side)
    fastest = math.inf
    for _ in range(100):
        started = time.perf_counter()
        a @ b
        fastest = min(fastest, time.perf_counter() - started)
    return 2e-9 * side ** 3 / fastest


def speed(contender, args):
    images, labels = split("train")
    images = normalized(images)
    test, _ = split("t10k")
    return {
        **training("train-norm", contender, "conv", images, labels, args),
        **training("train-pool-norm", contender, "pool", images, labels, args),
        **training("train-plain", contender, None, images, labels, args),
        **inference(contender, test, args),
        "latency": latency(contender, test, args),
        "peak": peak(),
    }


def one_cycle(step, steps, warm_up=0.3):
    """The share of the peak rate at a step: the schedule of crates/train/src/schedule.rs."""
    position = (step + 1) / (steps + 1)
    if position < warm_up:
        return position / warm_up
    return 0.5 * (1 + math.cos(math.pi * (position - warm_up) / (1 - warm_up)))


def run(contender, shape, norm, count, epochs, betas, decay):
    """Trains and tests as the recipe does, without holding out, saving or logging anything."""
    images, labels = split("train")
    images, labels = normalized(images[:count]), labels[:count]
    network = contender.network(shape, norm).train()
    optimizer = adamw(network, 1e-2, betas, decay)
    batch = 256
    steps = epochs * math.ceil(count / batch)
    if contender.compiled:
        # The compiler's own time stays out of the seconds of training, not of the process. Both
        # sizes of batch are compiled for; an optimizer without a rate leaves the weights alone.
        idle = adamw(network, 0.0, betas, 0.0)
        for size in (batch, count % batch or batch):
            contender.step(network, idle, images[:size], labels[:size])
    batches = shuffled(images, labels, batch)
    started = time.perf_counter()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 * one_cycle(step, steps)
        contender.step(network, optimizer, *next(batches))
    seconds = time.perf_counter() - started
    test, answers = split("t10k")
    accuracy = (logits(contender, network.eval(), test).argmax(1) == answers).double().mean().item()
    return {"train.seconds": seconds, "test.accuracy": accuracy}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["eager", "channels-last", "compile"])
    parser.add_argument("task", choices=["speed", "one-epoch", "process"])
    for name, default in [("steps", 60), ("warm-up", 10), ("batch", 128), ("passes", 3), ("answers", 300)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    contender = Contender(args.mode)
    if args.task == "speed":
        result = speed(contender, args)
    elif args.task == "one-epoch":
        result = run(contender, ONE_EPOCH, None, 60_000, 1, (0.7, 0.9), 0.0)
    else:
        result = run(contender, SMALL, "pool", 55_000, 3, (0.9, 0.999), 1e-2)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
