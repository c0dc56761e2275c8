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
    """Blocks of convolution, normalization, ReLU and max-pool, then a dense head.

    norm is "conv" (normalize after the convolution), "pool" (after the pool) or None. Without it the
    pool comes before ReLU, which gives the same values for less work.
    """

    def __init__(self, shape, norm):
        super().__init__()
        channels, side, _ = shape.input
        self.norm = norm
        self.pools = [pool for *_, pool in shape.blocks]
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for filters, kernel, padding, pool in shape.blocks:
            self.convs.append(nn.Conv2d(channels, filters, kernel, padding=padding, bias=norm is None))
            if norm:
                self.norms.append(nn.BatchNorm2d(filters))
            channels, side = filters, (side + 2 * padding - kernel + 1) // (2 if pool else 1)
        self.dense = nn.Linear(channels * side * side, shape.width, bias=norm is None)
        self.dense_norm = nn.BatchNorm1d(shape.width) if norm else nn.Identity()
        self.output = nn.Linear(shape.width, 10)

    def forward(self, x):
        for index, (conv, pools) in enumerate(zip(self.convs, self.pools)):
            def pool(x, pools=pools):
                return functional.max_pool2d(x, 2) if pools else x
            x = conv(x)
            if self.norm == "conv":
                x = pool(functional.relu(self.norms[index](x)))
            elif self.norm == "pool":
                x = functional.relu(self.norms[index](pool(x)))
            else:
                x = functional.relu(pool(x))
        return self.output(functional.relu(self.dense_norm(self.dense(x.flatten(1)))))


class FromBytes(nn.Module):
    """A network that takes the bytes of images."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(normalized(images))


ONE_EPOCH = common.Network(256, (1, 28, 28), [(24, 5, 0, True), (32, 3, 0, True)], 256)


class Contender:
    """One way to run PyTorch."""

    def __init__(self, mode):
        self.compiled = mode.endswith("compile")
        self.bf16 = mode.startswith("bf16")
        self.format = torch.channels_last if self.bf16 or mode == "channels-last" else torch.contiguous_format

    def network(self, shape, norm, seed=0):
        torch.manual_seed(seed)
        network = Network(shape, norm).to(memory_format=self.format)
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
    shape = common.NETWORKS[args.network]
    batch = args.batch or shape.batch
    network = contender.network(shape, norm).train()
    optimizer = adamw(network)
    # Whole batches only.
    images, labels = (values[:len(labels) // batch * batch] for values in (images, labels))
    batches = shuffled(images, labels, batch)
    for _ in range(args.warm_up):
        contender.step(network, optimizer, *next(batches))
    watch = common.Stopwatch()
    for _ in range(args.steps):
        contender.step(network, optimizer, *next(batches))
    return watch.speed(name, args.steps * batch)


def inference(contender, images, args):
    """Images per second in batches, and milliseconds of one image with one thread or all, whichever is less."""
    # Folds normalization and lays out the weights anew.
    torch._inductor.config.freezing = contender.compiled
    with torch.no_grad():
        shape = common.NETWORKS[args.network]
        answer = contender.answering(contender.network(shape, "conv"))
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
            answer = contender.answering(contender.network(shape, "conv"))
            milliseconds.append(common.latency(answer, images, args.answers))
    return {**result, "latency": min(milliseconds)}


def speed(contender, args):
    images, labels = map(torch.from_numpy, common.images_for(args.network, "train"))
    images = normalized(images)
    test, _ = map(torch.from_numpy, common.images_for(args.network, "t10k"))
    orders = {"train-norm": "conv", "train-pool-norm": "pool", "train-plain": None}
    result = {}
    for name, norm in orders.items():
        if name in args.measures:
            result |= training(name, contender, norm, images, labels, args)
    return result | (inference(contender, test, args) if "inference" in args.measures else {})


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


def export(folder, name):
    """The network with batch normalization, from bytes to logits, for batches of a fixed size."""
    shape = common.NETWORKS[name]
    network = FromBytes(Contender("eager").network(shape, "conv")).eval()
    for size in (1, common.EVALUATION_BATCH):
        images = torch.zeros(size, *shape.input, dtype=torch.uint8)
        path = str(folder / f"batch-{size}.onnx")
        torch.onnx.export(network, (images,), path, input_names=["images"], output_names=["logits"], dynamo=True, verbose=False)
    return {}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest="task", required=True)
    task = tasks.add_parser("speed")
    task.add_argument("mode", choices=MODES)
    task.add_argument("--network", choices=common.NETWORKS, default="small")
    task.add_argument("--measures", type=lambda text: text.split(","), default=["train-norm", "train-pool-norm", "train-plain", "inference"])
    for name, default in [("steps", 60), ("warm-up", 10), ("batch", None), ("passes", 3), ("answers", 300)]:
        task.add_argument(f"--{name}", type=int, default=default)
    task = tasks.add_parser("one-epoch")
    task.add_argument("mode", choices=MODES)
    task.add_argument("--seed", type=int, default=0)
    task = tasks.add_parser("export")
    task.add_argument("folder", type=pathlib.Path)
    task.add_argument("--network", choices=common.NETWORKS, default="small")
    args = parser.parse_args()
    torch.set_num_threads(common.threads())
    if args.task == "speed":
        result = speed(Contender(args.mode), args)
    elif args.task == "one-epoch":
        result = one_epoch(Contender(args.mode), args)
    else:
        result = export(args.folder, args.network)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
