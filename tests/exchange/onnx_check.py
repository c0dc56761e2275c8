"""An exported network beside the checkpoint that it is of, in the programs that people run it with.

    cargo run --release -p digits --example answers -- artifacts/pretrained /tmp/answers
    target/release/digits export artifacts/pretrained --to /tmp/onnx --format onnx
    python tests/exchange/onnx_check.py /tmp/onnx/model.onnx /tmp/answers

checks the file with ONNX's own checker and prints, for onnxruntime and OpenVINO, the greatest difference between
logits and how many classes, decisions and reasons differ. Exits with 1 if one does, or a logit by more than 1e-4.
"""

import argparse
import csv
import json
import pathlib
import sys

import numpy as np
import onnx

OUTPUTS = ["logits", "probabilities", "class", "accepted", "reason"]
BATCH = 250


def reference(folder):
    """The images, and class, reason and logits of each as the checkpoint gives them."""
    rows = list(csv.reader((folder / "answers.csv").open()))[1:]
    table = np.array(rows, dtype=np.float64)
    return table[:, 1].astype(np.int64), table[:, 2].astype(np.int64), table[:, 3:]


def onnxruntime_session(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return f"onnxruntime {onnxruntime.__version__}", lambda images: session.run(OUTPUTS, {"images": images})


def openvino_session(path):
    import openvino

    # On processors that have it, the default is bfloat16, with logits that differ in the second place.
    model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(images):
        found = model([images])
        return [found[name] for name in OUTPUTS]

    return f"OpenVINO {openvino.__version__.split('-')[0]}", run


def compare(name, run, images, classes, reasons, logits):
    parts = [run(images[at : at + BATCH]) for at in range(0, len(images), BATCH)]
    found = dict(zip(OUTPUTS, (np.concatenate(part) for part in zip(*parts))))
    assert np.allclose(found["probabilities"].sum(axis=1), 1.0, atol=1e-5), "probabilities add up to 1"
    difference = np.abs(found["logits"] - logits).max()
    counts = [
        int((found["class"] != classes).sum()),
        int((found["accepted"] != (reasons == 0)).sum()),
        int((found["reason"] != reasons).sum()),
    ]
    print(f"| {name} | {len(images)} | {difference:.1e} | {counts[0]} | {counts[1]} | {counts[2]} |")
    return difference <= 1e-4 and not any(counts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("answers", type=pathlib.Path)
    parser.add_argument("--only", choices=["onnxruntime", "openvino"], help="where the other isn't installed")
    arguments = parser.parse_args()

    model = onnx.load(arguments.model)
    onnx.checker.check_model(model, full_check=True)
    said = {entry.key: entry.value for entry in model.metadata_props}
    print(
        f"{len(json.loads(said['classes']))} classes, {said['members']} networks on {said['views']} views, "
        f"{len(model.graph.node)} nodes, operators {model.opset_import[0].version}, IR {model.ir_version}: "
        "the checker finds nothing wrong\n"
    )
    shape = [size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim][1:]
    images = np.fromfile(arguments.answers / "images.u8", dtype=np.uint8).reshape(-1, *shape)
    expected = reference(arguments.answers)

    print("| | images | greatest logit difference | classes | decisions | reasons that differ |")
    print("|---|---|---|---|---|---|")
    sessions = {"onnxruntime": onnxruntime_session, "openvino": openvino_session}
    wanted = [arguments.only] if arguments.only else sessions
    alike = [compare(*sessions[name](arguments.model), images, *expected) for name in wanted]
    return 0 if all(alike) else 1


if __name__ == "__main__":
    sys.exit(main())
