"""Turns what bench/run.py measured into docs/benchmarks.md and the table of speed in README.md."""

import pathlib

NAMES = {
    "ours-ndarray": "this project, ndarray",
    "ours-flex": "this project, flex",
    "stock-ndarray": "Burn alone, ndarray",
    "stock-flex": "Burn alone, flex with `x86-v4`",
    "pytorch-eager": "PyTorch, eager",
    "pytorch-channels-last": "PyTorch, channels_last",
    "pytorch-compile": "PyTorch, torch.compile",
    "pytorch-bf16": "PyTorch, bf16 and channels_last",
    "pytorch-bf16-compile": "PyTorch, bf16 and torch.compile",
    "jax": "JAX",
    "onnxruntime": "onnxruntime",
    "onnxruntime-streams": "onnxruntime, a batch per thread",
    "openvino": "OpenVINO",
    "openvino-streams": "OpenVINO, a batch per thread",
    "openvino-bf16": "OpenVINO, bf16",
}

# Title, unit, whether less is better, and where the processor time of it is kept.
MEASURES = {
    "train-norm": ("training with BatchNorm, batch 128", "images/s", False),
    "train-pool-norm": ("training with BatchNorm after the pool, batch 128", "images/s", False),
    "train-plain": ("training without BatchNorm, batch 128", "images/s", False),
    "inference": ("inference in batches of 500", "images/s", False),
    "latency": ("one image, bytes to logits", "ms", True),
    "one-epoch": ("one epoch of the 215,194-parameter network, training only", "s", True),
    "to-99": ("the whole process to about 99 % on test", "s", True),
} | {
    f"{network}.{measure}": (f"{title}, {description}", "images/s", False)
    for network, description in {
        "deep": "conv3x3-32 twice, conv3x3-64 twice, 1x28x28, batch 256",
        "colour": "conv3x3-64 twice, 3x32x32, batch 128",
        "large": "conv3x3-16, -32, -64, 1x64x64, batch 64",
    }.items()
    for measure, title in {
        "train-norm": "training with BatchNorm",
        "train-plain": "training without BatchNorm",
        "inference": "inference in batches of 500",
    }.items()
}

BEGIN, END = "<!-- bench/run.py writes from here -->", "<!-- to here -->"


class Results:
    """The samples, by measure and contender."""

    def __init__(self, result: dict):
        self.samples = result["samples"]

    def values(self, measure: str, contender: str) -> list[float]:
        """What a contender reached; this project before each rival, too."""
        found = [sample["values"].get(measure) for sample in self.samples if sample["contender"] == contender]
        if contender == "ours-ndarray":
            found += [sample.get("ours", {}).get(measure) for sample in self.samples if sample["contender"] != contender]
        return [value for value in found if value is not None]

    def ratios(self, measure: str, contender: str) -> list[float]:
        """How many times as fast this project was just before, or as little time it took."""
        less = MEASURES[measure.removesuffix(".cpu")][2]
        pairs = [(sample["ours"].get(measure), sample["values"].get(measure))
                 for sample in self.samples if sample["contender"] == contender and "ours" in sample]
        return [theirs / ours if less else ours / theirs for ours, theirs in pairs if ours and theirs]

    def ranked(self, measure: str) -> list[str]:
        """Contenders, the best first."""
        known = [name for name in NAMES if self.values(measure, name)]
        return sorted(known, key=lambda name: median(self.values(measure, name)), reverse=not MEASURES[measure][2])

    def rivals(self, measure: str) -> list[str]:
        return [name for name in self.ranked(measure) if not name.startswith("ours")]


def shares(found: dict[str, float]) -> dict[str, float]:
    """Floating-point operations over what the threads could do, both per second of processor time."""
    if "fma-peak.cpu" not in found:
        return {}
    conv1, conv2, dense = 26 * 26 * 16 * 9, 11 * 11 * 32 * 16 * 9, 800 * 128 + 128 * 10
    # The last row and column of the second convolution fall out of its pool.
    pooled = 10 * 10 * 32 * 16 * 9
    # Backward twice the forward, but no gradient of the first layer's input.
    full = 2 * (3 * (conv1 + conv2 + dense) - conv1)
    # A max-pool lets one of four gradients through; the zeros need not be multiplied.
    needed = 2 * (conv1 + pooled + 3 * dense + conv1 // 4 + 2 * pooled // 4)
    peak = 1e9 * found["fma-peak.cpu"]
    return {
        "share.train-norm": full * found["train-norm.cpu"] / peak,
        "share.train-plain": full * found["train-plain.cpu"] / peak,
        "share.train-plain.needed": needed * found["train-plain.cpu"] / peak,
        "share.inference": 2 * (conv1 + pooled + dense) * found["inference.cpu"] / peak,
    }


def render(result: dict) -> str:
    conditions, results = result["conditions"], Results(result)
    out = [
        "# Benchmarks",
        "",
        "Written by `python3 bench/run.py`: this project beside the quickest that others offer, on the same "
        f"{conditions['threads']} cores. Medians over the rounds, lowest to highest in brackets. Ratios are "
        "between a rival and this project just before it; more than 1: this project is faster.",
        "",
        "; ".join(f"{key}: {value}" for key, value in conditions.items()) + ".",
        "",
        *disturbed(result),
        "## Against the strongest",
        "",
        "This project computes in f32, on the backend ndarray.",
        "",
        "| measure | this project | strongest rival | ratio | strongest in f32 | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for measure, (title, unit, _) in MEASURES.items():
        rivals = results.rivals(measure)
        ours = spread(results.values(measure, "ours-ndarray"))
        cells = []
        for kind in (rivals, [name for name in rivals if "bf16" not in name]):
            name = next(iter(kind), None)
            cells += [f"{NAMES[name]}: {spread(results.values(measure, name))}", f"**{spread(results.ratios(measure, name))}**"] if name else ["–", "–"]
        out.append(f"| {title}, {unit} | {ours} | {' | '.join(cells)} |")
    out += ["", *peak(results), "## All figures", ""]
    for measure in MEASURES:
        out += figures(results, measure)
    out += [f"- Left out: {NAMES[name]}: {reason}" for name, reason in result["skipped"].items()]
    out += ["", *grows(result["series"]), *NOTES]
    return "\n".join(out) + "\n"


def disturbed(result: dict) -> list[str]:
    """How much else the processor did."""
    others = result["others"]
    if others is None:
        return []
    if others <= 0.05:
        return [f"All else on the machine took {100 * others:.1f} % of its processor time meanwhile.", ""]
    return [f"**Other work took {100 * others:.0f} % of the processor time meanwhile**: times on the clock are long and spread widely, "
            "and threads that wait for one another lose most. Repeat on a quiet machine.", ""]


def peak(results: Results) -> list[str]:
    def line(text: str, name: str) -> str:
        return f"| {text} | {spread(results.values(name, 'ours-ndarray'), percent if name.startswith('share') else show)} |"
    return [
        "## Against what the processor can do",
        "",
        "The peak is a loop of independent fused multiply-adds in the widest vectors, in the same process. Shares are by "
        "processor time: operations per second of it, over the peak per second of it.",
        "",
        "| | |",
        "|---|---|",
        line("FMA peak of one thread alone, GFLOP/s", "fma-peak.thread"),
        line("FMA peak of all threads at once, GFLOP/s", "fma-peak"),
        line("the same per second of processor time", "fma-peak.cpu"),
        line("share of it, training with BatchNorm before the pool, every gradient counted", "share.train-norm"),
        line("share of it, training without BatchNorm, every gradient counted", "share.train-plain"),
        line("the same, without the gradients that a max-pool makes zero (they are not computed)", "share.train-plain.needed"),
        line("share of it, inference in batches", "share.inference"),
        line("2 threads beside 1, training with BatchNorm, times as fast", "speedup.train-norm"),
        line("2 threads beside 1, training without BatchNorm, times as fast", "speedup.train-plain"),
        line("the binary `train` itself, with BatchNorm, batch 128, images/s", "train-binary"),
        "",
    ]


def figures(results: Results, measure: str) -> list[str]:
    """Everybody's figures of one measure."""
    title, unit, less = MEASURES[measure]
    columns = {measure: unit}
    columns[f"{measure}.cpu"] = "seconds of processor time" if less else f"{unit.removesuffix('/s')} per second of processor time"
    columns |= {f"{measure}.accuracy": "right on test", f"{measure}.memory": "peak memory, MB"}
    contenders = results.ranked(measure)
    columns = {name: text for name, text in columns.items() if any(results.values(name, contender) for contender in contenders)}
    lines = [f"### {title[0].upper()}{title[1:]}", "", f"| | {' | '.join(columns.values())} | this project, times as fast |", "|---" * (len(columns) + 2) + "|"]
    for contender in contenders:
        cells = [spread(results.values(name, contender), hundredths if name.endswith(".accuracy") else show) for name in columns]
        lines.append(f"| {NAMES[contender]} | {' | '.join(cells)} | {spread(results.ratios(measure, contender))} |")
    return lines + [""]


def grows(series: dict) -> list[str]:
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
    "`fused=True`; JAX: the whole step in one `jit`). Warm-up steps, compilation and the rivals' normalization of all images are "
    "not timed.",
    "- The larger networks have 3x3 filters with padding 1, BatchNorm before the pool, dense-128 and 10 logits, and take MNIST's "
    "images, the first 10,000 and 2,000, enlarged by taking the nearest pixel. This project computes their wider layers with fewer "
    "multiplications than the definition has (Winograd's F(2x2, 3x3)).",
    "- bf16 is PyTorch's `autocast` in training, and for inference its weights are in bf16; in OpenVINO it is a hint. It halves the "
    "work and keeps 8 bits of precision. All else, this project included, computes in f32.",
    "- Burn alone is the same network and weights through `burn::nn` and Burn's AdamW, with the same allocator (mimalloc), all "
    "of Burn at `opt-level = 3` and flex with its feature `x86-v4`. It gets few steps, because it is slow.",
    "- Inference is of the network with BatchNorm, from bytes to logits, normalization included. PyTorch runs under `no_grad` "
    "and, compiled, with frozen weights. onnxruntime and OpenVINO run an ONNX file that PyTorch exported, with the normalization "
    "in its graph, for a fixed size of batch, with all of their optimizations; a batch on all threads, or as many batches at a "
    "time as there are threads. For one image each rival gets one thread or all, whichever is quicker; it is called from Python, "
    "whose own share is some microseconds.",
    "- To 99 %: this project runs `configs/fast.toml` as a whole process, which also holds out 5,000 images, validates after each "
    "epoch, writes its checkpoints with checksums, fits the calibration, tests what it saved and writes the report. PyTorch runs "
    "the quickest recipe its users have (`bench/one-epoch.toml`: one epoch over all 60,000 images with 215,194 parameters, Adam, "
    "peak rate 1e-2, one cycle, batch 256, no augmentation) as a script that trains, tests, and does nothing else. Compiled "
    "code comes from PyTorch's cache after the first round. Round `n` has seed `n - 1`.",
    "- Operations: two per multiply-add, backward twice the forward, no input gradient in the first layer.",
    "- Processor time adds up all threads; waiting by spinning counts.",
]


def update_readme(path: pathlib.Path, result: dict) -> None:
    """Replaces what stands between the two marks."""
    results = Results(result)
    lines = ["| | this project | strongest rival | ratio |", "|---|---|---|---|"]
    larger: dict[str, list[float]] = {"training": [], "inference": []}
    for measure, (title, unit, _) in MEASURES.items():
        rival = next(iter(results.rivals(measure)), None)
        if rival and "." in measure:
            larger["training" if "train" in measure else "inference"].append(median(results.ratios(measure, rival)))
        elif rival:
            ours, theirs = (show(median(results.values(measure, name))) for name in ("ours-ndarray", rival))
            lines.append(f"| {title}, {unit} | {ours} | {theirs} ({NAMES[rival]}) | {show(median(results.ratios(measure, rival)))} |")
    burn = [f"{show(median(ratios))} times as fast on `{backend}`" for backend in ("ndarray", "flex")
            if (ratios := results.ratios("train-norm", f"stock-{backend}"))]
    if burn:
        lines += ["", f"Against Burn alone, training with BatchNorm is {' and '.join(burn)}."]
    if all(larger.values()):
        spans = [f"{show(min(ratios))} to {show(max(ratios))} times as fast in {kind}" for kind, ratios in larger.items()]
        lines += [f"On three larger networks it is {' and '.join(spans)} as the strongest of all, which computes in bf16."]
    full, needed = (results.values(name, "ours-ndarray") for name in ("share.train-plain", "share.train-plain.needed"))
    if full:
        lines += [f"Training without BatchNorm runs at {percent(median(needed))} of the multiply-adds that the cores could do in the "
                  f"same processor time; counting the gradients that a max-pool makes zero, which are not computed, {percent(median(full))}."]
    before, rest = path.read_text().split(BEGIN)
    _, after = rest.split(END)
    path.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}")


def median(values: list[float]) -> float:
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else 0.5 * (values[middle - 1] + values[middle])


def show(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.5 else f"{value:.4f}"


def percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def hundredths(value: float) -> str:
    return f"{100 * value:.2f} %"


def spread(values: list[float], text=show) -> str:
    """Median, lowest and highest."""
    if not values:
        return "–"
    low, middle, high = min(values), median(values), max(values)
    return text(middle) if len(values) == 1 else f"{text(middle)} ({text(low)}–{text(high)})"
