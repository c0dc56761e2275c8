"""Turns what bench/run.py measured into docs/benchmarks.md."""

NAMES = {
    "ours-ndarray": "this project, ndarray",
    "ours-flex": "this project, flex",
    "stock-ndarray": "Burn alone, ndarray",
    "stock-flex": "Burn alone, flex",
    "pytorch-eager": "PyTorch, eager",
    "pytorch-channels-last": "PyTorch, channels_last",
    "pytorch-compile": "PyTorch, torch.compile",
    "speedup": "this project, ndarray",
}

MEASURES = {
    "train-norm": "training with BatchNorm, batch 128, images/s",
    "train-pool-norm": "the same with BatchNorm after the pool, images/s",
    "train-plain": "training without BatchNorm, batch 128, images/s",
    "train-binary": "the binary `train`, with BatchNorm, batch 128, images/s",
    "one-epoch": "one epoch of the 215,194-parameter network, batch 256, seconds of training",
    "one-epoch.accuracy": "its share of right test images",
    "process": "whole process, start to tested (`configs/fast.toml`), seconds",
    "process.accuracy": "its share of right test images",
    "process.memory": "its peak memory, MB",
    "inference": "inference in batches of 500, images/s",
    "latency": "one image, bytes to logits, ms",
    "peak": "f32 matrix product of 512³, GFLOP/s",
    "train-norm.cpu": "training with BatchNorm, images per second of processor time",
    "train-pool-norm.cpu": "the same with BatchNorm after the pool, images per second of processor time",
    "train-plain.cpu": "training without BatchNorm, images per second of processor time",
    "inference.cpu": "inference, images per second of processor time",
}

LESS_IS_BETTER = {"one-epoch", "process", "process.memory", "latency"}

PYTORCH = ["pytorch-eager", "pytorch-channels-last", "pytorch-compile"]

# Measure, contenders compared with, at least, aim.
GOALS = [
    ("train-norm", PYTORCH, 2.0, 4.0),
    ("train-pool-norm", PYTORCH, None, None),
    ("train-plain", PYTORCH, 3.0, 5.0),
    ("one-epoch", PYTORCH, 2.0, 4.0),
    ("process", PYTORCH, 2.5, 5.0),
    ("train-norm", ["stock-ndarray"], 40.0, 80.0),
    ("train-plain", ["stock-ndarray"], None, None),
    ("inference", PYTORCH, 2.0, 4.0),
    ("latency", PYTORCH, 5.0, 20.0),
    ("train-norm.cpu", PYTORCH, None, None),
    ("train-plain.cpu", PYTORCH, None, None),
    ("inference.cpu", PYTORCH, None, None),
]


def render(result):
    measured, conditions, series = result["measured"], result["conditions"], result["series"]
    out = [
        "# Benchmarks",
        "",
        "Written by `python3 bench/run.py`: this project, Burn without it, and PyTorch, in turn on the same "
        f"{conditions['threads']} threads. Medians of {conditions['rounds']} rounds, lowest to highest in brackets.",
        "",
        "; ".join(f"{key}: {value}" for key, value in conditions.items()) + ".",
        "",
        *loaded(result),
        "## Against the goals",
        "",
        "This project on the backend ndarray. A ratio is formed within each round, against the mode of PyTorch with "
        "the best median; more than 1 is faster than it.",
        "",
        "| measure | this project | compared with | ratio | at least | aim |",
        "|---|---|---|---|---|---|",
    ]
    for measure, rivals, least, aim in GOALS:
        out.append(goal(measured.get(measure, {}), measure, rivals, least, aim))
    for name, text in (("norm", "with"), ("plain", "without")):
        values = rounds(measured.get(f"speedup-{name}", {}).get("speedup"))
        out.append(f"| 1 to 2 threads, training {text} BatchNorm | {spread(values)} | 1 thread | {spread(values)} | 1.70 | 1.90 |")
    if series["memory"]:
        most = max(peak for _, peak, _ in series["memory"])
        out.append(f"| peak memory of `configs/default.toml`, MB | {most:.0f} | | | 500 | 250 |")
    share = product_share(measured)
    out.append(f"| share of the matrix-product peak, training without BatchNorm | {spread(share, percent=True)} | "
               "the fastest product of the round, whoever's | | 35 % | 50 % |")
    out += ["", "## All figures", ""]
    contenders = [name for name in NAMES if name != "speedup" and any(name in rows for rows in measured.values())]
    out.append("| measure | " + " | ".join(NAMES[name] for name in contenders) + " |")
    out.append("|---" * (len(contenders) + 1) + "|")
    for measure, text in MEASURES.items():
        rows = measured.get(measure, {})
        if rows:
            out.append(f"| {text} | " + " | ".join(spread(rounds(rows.get(name))) for name in contenders) + " |")
    for name, reason in result["skipped"].items():
        out += ["", f"Left out: {name}: {reason}"]
    out += ["", *grows(series), *NOTES]
    return "\n".join(out) + "\n"


def loaded(result):
    """A warning where other jobs held the processor."""
    threads = result["conditions"]["threads"]
    if result["load"][0] <= 0.5:
        return []
    return [f"**Other jobs ran on the machine**: load average {result['load'][0]:.1f} when the run began, on "
            f"{result['conditions']['cores']} cores. Times on the clock are long and spread widely, and threads that wait for "
            f"one another ({threads} here) lose most. Read the rows of processor time, and repeat on a quiet machine.", ""]


def goal(rows, measure, rivals, least, aim):
    ours = rows.get("ours-ndarray")
    rivals = [name for name in rivals if rounds(rows.get(name))]
    show = lambda value: "" if value is None else f"{value:g}"
    text = MEASURES[measure]
    if not rounds(ours) or not rivals:
        return f"| {text} | {spread(rounds(ours))} | not measured | | {show(least)} | {show(aim)} |"
    less = measure in LESS_IS_BETTER
    best = (min if less else max)(rivals, key=lambda name: median(rounds(rows[name])))
    pairs = [(a, b) for a, b in zip(ours, rows[best]) if a and b]
    ratios = [b / a if less else a / b for a, b in pairs]
    return (f"| {text} | {spread(rounds(ours))} | {NAMES[best]}: {spread(rounds(rows[best]))} | **{spread(ratios)}** | "
            f"{show(least)} | {show(aim)} |")


def product_share(measured):
    """Floating-point operations of training without BatchNorm over the matrix-product peak, by round."""
    macs = 26 * 26 * 16 * 9 + 11 * 11 * 32 * 16 * 9 + 800 * 128 + 128 * 10
    # Forward, and twice that backward, but no gradient of the first layer's input.
    flops = 2 * (3 * macs - 26 * 26 * 16 * 9)
    speeds = measured.get("train-plain", {}).get("ours-ndarray", [])
    peaks = list(measured.get("peak", {}).values())
    shares = []
    for index, speed in enumerate(speeds):
        known = [peak[index] for peak in peaks if index < len(peak) and peak[index]]
        if speed and known:
            shares.append(1e-9 * flops * speed / max(known))
    return shares


def grows(series):
    lines = ["## Doubling series", "", "One epoch of `configs/fast.toml` over more and more images:", "",
             "| images | seconds of training | per 1,000 images, ms | seconds of the process |", "|---|---|---|---|"]
    for count, seconds, process in series["images"]:
        lines.append(f"| {count:,} | {seconds:.3f} | {1e6 * seconds / count:.1f} | {process:.2f} |")
    lines += ["", "`configs/default.toml` with more and more epochs:", "",
              "| epochs | peak memory, MB | seconds of the process |", "|---|---|---|"]
    lines += [f"| {epochs} | {peak:.0f} | {seconds:.1f} |" for epochs, peak, seconds in series["memory"]]
    return lines + [""]


NOTES = [
    "## What is compared",
    "",
    "- The network of the speed rows: conv3x3-16, conv3x3-32 without padding, each with ReLU and a 2x2 max-pool, dense-128, "
    "10 logits. A training step gathers a shuffled batch of MNIST, runs forward and backward, and updates with AdamW (PyTorch: "
    "`fused=True`). Warm-up steps, PyTorch's compilation and its normalization of all images are not timed.",
    "- Burn alone is the same network and weights through `burn::nn` and Burn's AdamW, in the same binary and with the same "
    "allocator (mimalloc). It gets few steps, because it is slow.",
    "- Inference goes from bytes to logits, normalization included; PyTorch runs under `torch.inference_mode`.",
    "- `train` as a whole process holds out 5,000 images, validates after each epoch, writes its checkpoints with checksums, fits "
    "the calibration and tests what it saved. PyTorch's script trains on as many images with the same schedule, tests, and does "
    "nothing else.",
    "- Floating-point operations: two per multiply-add, backward twice the forward, no input gradient in the first layer.",
    "- Processor time adds up all threads; waiting by spinning counts.",
]


def rounds(values):
    """The rounds in which there was a value."""
    return [value for value in values or [] if value is not None]


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else 0.5 * (values[middle - 1] + values[middle])


def spread(values, percent=False):
    if not values:
        return "–"
    def show(value):
        if percent:
            return f"{100 * value:.0f} %"
        return f"{value:,.0f}" if value >= 100 else f"{value:.4f}" if value < 1 else f"{value:.2f}"
    low, middle, high = min(values), median(values), max(values)
    return show(middle) if len(values) == 1 else f"{show(middle)} ({show(low)}–{show(high)})"
