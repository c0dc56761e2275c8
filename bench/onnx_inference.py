"""onnxruntime's and OpenVINO's side of bench/run.py: inference with what `pytorch.py export` wrote.

    python onnx_inference.py MODE FOLDER      images per second, milliseconds

MODE is onnxruntime or openvino (one batch after the other, each on all threads), onnxruntime-streams or
openvino-streams (as many batches at a time as there are threads, each on one), or openvino-bf16. Prints
one JSON object.
"""

import argparse
import json
import pathlib
from concurrent.futures import ThreadPoolExecutor

import numpy
import onnxruntime
import openvino

import common


class OnnxRuntime:
    """Static shapes and all optimizations of the graph."""

    def __init__(self, folder, streams, input):
        self.folder, self.streams, self.input = folder, streams, input

    def session(self, size, threads):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(self.folder / f"batch-{size}.onnx", options, providers=["CPUExecutionProvider"])

    def answering(self, size, threads):
        """A function from the bytes of `size` images to their logits, in buffers that are bound once."""
        session = self.session(size, threads)
        images = numpy.empty((size, *self.input), numpy.uint8)
        logits = numpy.empty((size, 10), numpy.float32)
        binding = session.io_binding()
        binding.bind_cpu_input("images", images)
        binding.bind_output("logits", "cpu", 0, numpy.float32, logits.shape, logits.ctypes.data)

        def answer(batch):
            images[:] = batch
            session.run_with_iobinding(binding)
            return logits
        return answer

    def answer_all(self, size):
        """A function from batches to a list of logits."""
        if not self.streams:
            answer = self.answering(size, common.threads())
            return lambda batches: [answer(batch).copy() for batch in batches]
        # A session may be called from several threads at once; with one thread of its own it works on
        # the caller's.
        session = self.session(size, 1)
        pool = ThreadPoolExecutor(common.threads())
        return lambda batches: list(pool.map(lambda batch: session.run(None, {"images": batch})[0], batches))


class OpenVino:
    """Static shapes, and hints for the latency of one batch or the throughput of many."""

    def __init__(self, folder, streams, precision):
        self.folder, self.streams, self.precision = folder, streams, precision

    def compiled(self, size, threads, streams):
        options = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": streams, "INFERENCE_PRECISION_HINT": self.precision}
        return openvino.Core().compile_model(self.folder / f"batch-{size}.onnx", "CPU", options)

    def answering(self, size, threads):
        request = self.compiled(size, threads, 1).create_infer_request()
        return lambda images: request.infer({0: images}, share_inputs=True, share_outputs=True)[0]

    def answer_all(self, size):
        if not self.streams:
            answer = self.answering(size, common.threads())
            return lambda batches: [answer(batch).copy() for batch in batches]
        count = common.threads()
        queue = openvino.AsyncInferQueue(self.compiled(size, count, count), count)
        found = {}
        queue.set_callback(lambda request, index: found.__setitem__(index, request.get_output_tensor().data.copy()))

        def answer_all(batches):
            found.clear()
            for index, batch in enumerate(batches):
                queue.start_async({0: batch}, index, share_inputs=True)
            queue.wait_all()
            return [found[index] for index in range(len(batches))]
        return answer_all


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["onnxruntime", "onnxruntime-streams", "openvino", "openvino-streams", "openvino-bf16"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--network", choices=common.NETWORKS, default="small")
    for name, default in [("passes", 3), ("answers", 300)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    streams = args.mode.endswith("streams")
    if args.mode.startswith("onnxruntime"):
        engine = OnnxRuntime(args.folder, streams, common.NETWORKS[args.network].input)
    else:
        engine = OpenVino(args.folder, streams, "bf16" if args.mode.endswith("bf16") else "f32")
    images, _ = common.images_for(args.network, "t10k")
    batches = [images[start:start + common.EVALUATION_BATCH] for start in range(0, len(images), common.EVALUATION_BATCH)]
    answer_all = engine.answer_all(common.EVALUATION_BATCH)
    answer_all(batches)
    watch = common.Stopwatch()
    for _ in range(args.passes):
        answer_all(batches)
    result = watch.speed("inference", args.passes * len(images))
    if not streams:
        # One image: with one thread or all, whichever is less.
        counts = {1, common.threads()}
        result["latency"] = min(common.latency(engine.answering(1, count), images, args.answers) for count in counts)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
