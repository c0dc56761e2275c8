"""Writes the network of a checkpoint as ONNX, bytes of one image in, calibrated probabilities out, for bench/serving.py.

    python serving_onnx.py CHECKPOINT NETWORK.onnx      after `cargo build --release -p model --example weights`

Normalization, views and temperature are in the graph; batch normalization is folded into the layer before it, as
onnxruntime does where it can.
"""

import json
import pathlib
import subprocess
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parent.parent
EPSILON = 1e-5


class Graph:
    def __init__(self):
        self.nodes, self.constants, self.count = [], [], 0

    def constant(self, value) -> str:
        self.count += 1
        self.constants.append(numpy_helper.from_array(numpy.asarray(value), f"c{self.count}"))
        return f"c{self.count}"

    def add(self, kind: str, *inputs: str, **attributes) -> str:
        self.count += 1
        self.nodes.append(helper.make_node(kind, list(inputs), [f"v{self.count}"], **attributes))
        return f"v{self.count}"


def network(checkpoint: pathlib.Path) -> onnx.ModelProto:
    manifest = json.loads((checkpoint / "checkpoint.json").read_text())
    file = checkpoint.parent / f".{checkpoint.name}-weights"
    said = subprocess.run([ROOT / "target/release/examples/weights", checkpoint, file], check=True, capture_output=True)
    shapes = json.loads(said.stdout)["shapes"]
    values = numpy.frombuffer(file.read_bytes(), numpy.float32)
    file.unlink()
    offsets = numpy.cumsum([0] + [int(numpy.prod(shape)) for shape in shapes])
    tensors = iter([values[a:b].reshape(shape) for a, b, shape in zip(offsets, offsets[1:], shapes)])
    architecture, graph = manifest["architecture"], Graph()
    assert manifest["members"] == 1 and architecture["norm"], "one network with batch normalization"

    def norm():
        gamma, beta, mean, variance = (next(tensors) for _ in range(4))
        scale = gamma / numpy.sqrt(variance + EPSILON)
        return scale, beta - mean * scale

    normalization = manifest["normalization"]
    mean, deviation = (numpy.float32(255 * normalization[key]) for key in ("mean", "std"))
    x = graph.add("Cast", "images", to=TensorProto.FLOAT)
    x = graph.add("Div", graph.add("Sub", x, graph.constant(mean)), graph.constant(deviation))
    if manifest["views"] > 1:
        shifts = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)][: manifest["views"]]
        pads = graph.constant(numpy.array([0, 0, 1, 1, 0, 0, 1, 1], numpy.int64))
        padded, axes = graph.add("Pad", x, pads, graph.constant(-mean / deviation)), graph.constant(numpy.array([2, 3], numpy.int64))
        views = [
            graph.add("Slice", padded, graph.constant(numpy.array([1 - down, 1 - right], numpy.int64)),
                      graph.constant(numpy.array([29 - down, 29 - right], numpy.int64)), axes)
            for down, right in shifts
        ]
        x = graph.add("Concat", *views, axis=0)
    for block in architecture["blocks"]:
        weight, (scale, shift) = next(tensors), norm()
        pad = block["padding"]
        if architecture["order"] == "conv-pool-norm-relu" and block["pool"]:
            # A negative scale turns a maximum into a minimum: it stays behind the pool.
            x = graph.add("Conv", x, graph.constant(weight), pads=[pad] * 4)
            x = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
            x = graph.add("Mul", x, graph.constant(scale.reshape(-1, 1, 1)))
            x = graph.add("Relu", graph.add("Add", x, graph.constant(shift.reshape(-1, 1, 1))))
        else:
            weight = weight * scale.reshape(-1, 1, 1, 1)
            x = graph.add("Relu", graph.add("Conv", x, graph.constant(weight), graph.constant(shift), pads=[pad] * 4))
            if block["pool"]:
                x = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = graph.add("Flatten", x)
    for _ in architecture["dense"]:
        weight, (scale, shift) = next(tensors), norm()
        x = graph.add("Relu", graph.add("Gemm", x, graph.constant(weight * scale), graph.constant(shift)))
    x = graph.add("Gemm", x, graph.constant(next(tensors)), graph.constant(next(tensors)))
    if manifest["views"] > 1:
        x = graph.add("Softmax", x, axis=1)
        x = graph.add("Log", graph.add("ReduceMean", x, graph.constant(numpy.array([0], numpy.int64))))
    calibration = manifest["calibration"]
    x = graph.add("Div", x, graph.constant(numpy.float32(calibration["temperature"])))
    graph.nodes.append(helper.make_node("Softmax", [x], ["probabilities"], axis=1))
    size = manifest["input"]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, [1, size["channels"], size["height"], size["width"]])
    answer = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, len(manifest["classes"])])
    made = helper.make_graph(graph.nodes, "network", [images], [answer], graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    onnx.save(network(pathlib.Path(sys.argv[1])), sys.argv[2])
