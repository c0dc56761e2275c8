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
