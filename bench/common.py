"""What the rivals' scripts share: MNIST, a stopwatch, and how one answer is timed."""

import gzip
import os
import pathlib
import statistics
import time

import numpy

DATA = pathlib.Path(__file__).resolve().parent.parent / "crates" / "data" / "mnist"
EVALUATION_BATCH = 500
MEAN, DEVIATION = 0.13066048, 0.30810780


def threads() -> int:
    """How many threads a contender may use, as bench/run.py says."""
    return int(os.environ.get("OMP_NUM_THREADS", "2"))


def split(name: str) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Images [count, 1, 28, 28] as bytes, and labels [count]."""
    def read(kind: str, header: int) -> numpy.ndarray:
        with gzip.open(DATA / f"{name}-{kind}-ubyte.gz") as file:
            return numpy.frombuffer(bytearray(file.read()[header:]), dtype=numpy.uint8)
    return read("images-idx3", 16).reshape(-1, 1, 28, 28), read("labels-idx1", 8).astype(numpy.int64)


class Network:
    """A network by what it is made for: bench/src/shape.rs has the same."""

    def __init__(self, batch: int, input: tuple[int, int, int], blocks: list[tuple[int, int, int, bool]], width: int = 128):
        """Blocks are output channels, kernel, padding, and whether there is a pool."""
        self.batch, self.input, self.blocks, self.width = batch, input, blocks, width


NETWORKS = {
    "small": Network(128, (1, 28, 28), [(16, 3, 0, True), (32, 3, 0, True)]),
    "deep": Network(256, (1, 28, 28), [(32, 3, 1, False), (32, 3, 1, True), (64, 3, 1, False), (64, 3, 1, True)]),
    "colour": Network(128, (3, 32, 32), [(64, 3, 1, True), (64, 3, 1, True)]),
    "large": Network(64, (1, 64, 64), [(16, 3, 1, True), (32, 3, 1, True), (64, 3, 1, True)]),
}


def images_for(name: str, part: str) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Images of the shape that a network takes and their labels, of MNIST's: the larger networks get the first of
    them, with the nearest pixel in each place of each channel."""
    images, labels = split(part)
    if name == "small":
        return images, labels
    count = {"train": 10_000, "t10k": 2_000}[part]
    channels, height, width = NETWORKS[name].input
    rows, columns = numpy.arange(height) * 28 // height, numpy.arange(width) * 28 // width
    return numpy.repeat(images[:count, :, rows][..., columns], channels, axis=1), labels[:count]


class Stopwatch:
    """Images per second on the clock, and per second of processor time."""

    def __init__(self):
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def speed(self, name: str, images: int) -> dict[str, float]:
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        return {name: images / wall, f"{name}.cpu": images / cpu}


def latency(answer, images: numpy.ndarray, count: int) -> float:
    """Median milliseconds of `answer` to one image, after a quarter as many that are not timed."""
    seconds = []
    for index in range(count + count // 4):
        image = images[index:index + 1]
        started = time.perf_counter()
        answer(image)
        seconds.append(time.perf_counter() - started)
    return 1e3 * statistics.median(seconds[count // 4:])
