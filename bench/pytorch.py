"""PyTorch's side of bench/run.py: the same networks, batches and optimizer, one process per call.

    python pytorch.py speed MODE      images per second, milliseconds
    python pytorch.py one-epoch MODE  the recipe of bench/one-epoch.toml, from data to tested
    python pytorch.py export FOLDER   the network for inference as batch-1.onnx and batch-500.onnx

MODE is eager, channels-last, compile, bf16 (autocast, channels-last) or bf16-compile. Prints one JSON
object on its last line.
"""

import argparse
import contextlib
import json
import math
import pathlib

import torch
from torch import nn
from torch.nn import functional

import common

MODES = ["eager", "channels-last", "compile", "bf16", "bf16-compile"]


def split(name):
    """Images [count, 1, 28, 28] as bytes, and labels [count]."""
    return tuple(torch.from_numpy(array) for array in common.split(name))


def normalized(images):
    """Bytes as the network's input: mean 0, deviation 1."""
    return images.float().div(255).sub(common.MEAN).div(common.DEVIATION)


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


class FromBytes(nn.Module):
    """A network that takes the bytes of images."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(normalized(images))


SMALL = ((16, 3), (32, 3)), 128
ONE_EPOCH = ((24, 5), (32, 3)), 256


class Contender:
    """One way to run PyTorch."""

    def __init__(self, mode):
        self.compiled = mode.endswith("compile")
        self.bf16 = mode.startswith("bf16")
        self.format = torch.channels_last if self.bf16 or mode == "channels-last" else torch.contiguous_format

    def network(self, shape, norm, seed=0):
        torch.manual_seed(seed)
        network = Network(*shape, norm).to(memory_format=self.format)
        return torch.compile(network, dynamic=False) if self.compiled else network

    def answering(self, network):
        """A function from bytes to logits. Weights are brought into bf16 once, not at every call."""
        network = network.eval()
        precision = torch.bfloat16 if self.bf16 else torch.float32
        network = network.to(precision)
        return lambda images: network(self.batch(normalized(images).to(precision))).float()

    def batch(self, images):
        return images.contiguous(memory_format=self.format)

    def step(self, network, optimizer, images, labels):
        precision = torch.autocast("cpu", torch.bfloat16) if self.bf16 else contextlib.nullcontext()
        with precision:
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


def training(name, contender, norm, images, labels, args):
    """Images per second: gathering a shuffled batch, forward, backward, AdamW."""
    network = contender.network(SMALL, norm).train()
    optimizer = adamw(network)
    batches = shuffled(images, labels, args.batch)
    for _ in range(args.warm_up):
        contender.step(network, optimizer, *next(batches))
    watch = common.Stopwatch()
    for _ in range(args.steps):
        contender.step(network, optimizer, *next(batches))
    return watch.speed(name, args.steps * args.batch)


def inference(contender, images, args):
    """Images per second in batches, and milliseconds of one image with one thread or all, whichever is less."""
    # Folds normalization and lays out the weights anew.
    torch._inductor.config.freezing = contender.compiled
    with torch.no_grad():
        answer = contender.answering(contender.network(SMALL, "conv"))
        batches = images.split(common.EVALUATION_BATCH)
        for batch in batches:
            answer(batch)
        watch = common.Stopwatch()
        for _ in range(args.passes):
            for batch in batches:
                answer(batch)
        result = watch.speed("inference", args.passes * len(images))
        milliseconds = []
        for count in {1, common.threads()}:
            torch.set_num_threads(count)
            torch.compiler.reset()
            answer = contender.answering(contender.network(SMALL, "conv"))
            milliseconds.append(common.latency(answer, images, args.answers))
    return {**result, "latency": min(milliseconds)}


def speed(contender, args):
    images, labels = split("train")
    images = normalized(images)
    test, _ = split("t10k")
    return {
        **training("train-norm", contender, "conv", images, labels, args),
        **training("train-pool-norm", contender, "pool", images, labels, args),
        **training("train-plain", contender, None, images, labels, args),
        **inference(contender, test, args),
    }


def one_cycle(step, steps, warm_up=0.3):
    """The share of the peak rate at a step: the schedule of crates/train/src/schedule.rs."""
    position = (step + 1) / (steps + 1)
    if position < warm_up:
        return position / warm_up
    return 0.5 * (1 + math.cos(math.pi * (position - warm_up) / (1 - warm_up)))


def one_epoch(contender, args):
    """The quickest recipe to 99 %: Adam, peak rate 1e-2, one cycle, batch 256, no augmentation."""
    images, labels = split("train")
    images = normalized(images)
    network = contender.network(ONE_EPOCH, None, args.seed).train()
    # Without decay of the weights AdamW is Adam.
    optimizer = adamw(network, 1e-2, (0.7, 0.9), 0.0)
    batch = 256
    steps = math.ceil(len(labels) / batch)
    if contender.compiled:
        # The compiler's own time stays out of the seconds of training, not of the process. Both
        # sizes of batch are compiled for; an optimizer without a rate leaves the weights alone.
        idle = adamw(network, 0.0, (0.7, 0.9), 0.0)
        for size in (batch, len(labels) % batch or batch):
            contender.step(network, idle, images[:size], labels[:size])
    batches = shuffled(images, labels, batch)
    watch = common.Stopwatch()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 * one_cycle(step, steps)
        contender.step(network, optimizer, *next(batches))
    speed = watch.speed("speed", len(labels))
    test, answers = split("t10k")
    with torch.no_grad():
        answer = contender.answering(network)
        digits = torch.cat([answer(batch).argmax(1) for batch in test.split(common.EVALUATION_BATCH)])
    return {"seconds": len(labels) / speed["speed"], "accuracy": (digits == answers).double().mean().item()}


def export(folder):
    """The network with batch normalization, from bytes to logits, for batches of a fixed size."""
    network = FromBytes(Contender("eager").network(SMALL, "conv")).eval()
    for size in (1, common.EVALUATION_BATCH):
        images = torch.zeros(size, 1, 28, 28, dtype=torch.uint8)
        path = str(folder / f"batch-{size}.onnx")
        torch.onnx.export(network, (images,), path, input_names=["images"], output_names=["logits"], dynamo=True, verbose=False)
    return {}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest="task", required=True)
    task = tasks.add_parser("speed")
    task.add_argument("mode", choices=MODES)
    for name, default in [("steps", 60), ("warm-up", 10), ("batch", 128), ("passes", 3), ("answers", 300)]:
        task.add_argument(f"--{name}", type=int, default=default)
    task = tasks.add_parser("one-epoch")
    task.add_argument("mode", choices=MODES)
    task.add_argument("--seed", type=int, default=0)
    tasks.add_parser("export").add_argument("folder", type=pathlib.Path)
    args = parser.parse_args()
    torch.set_num_threads(common.threads())
    if args.task == "speed":
        result = speed(Contender(args.mode), args)
    elif args.task == "one-epoch":
        result = one_epoch(Contender(args.mode), args)
    else:
        result = export(args.folder)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
