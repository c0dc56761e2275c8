"""An exported network as other people's tools change it and run it, beside the checkpoint that it is of.

    python tests/exchange/onnx_variants.py /tmp/onnx/model.onnx /tmp/answers   # the files of onnx_check.py

runs it in onnxruntime with each level of its optimizations, in batches of 0, 1, 7 and 1000 images and on one and on
two threads; in ONNX's own reference evaluator; and after onnx.version_converter, onnxsim and onnxoptimizer have
rewritten it. Exits with 1 if a class, decision or reason differs, or a logit by more than 1e-4. What isn't installed
is left out, and says so.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

import numpy as np
from onnx_check import OUTPUTS, reference

FEW, MOST = 200, 2000


class Check:
    def __init__(self, folder, shape):
        self.images = np.fromfile(folder / "images.u8", dtype=np.uint8).reshape(-1, *shape)
        self.expected = reference(folder)
        self.right = True
        print("| | batch | images | greatest logit difference | classes | decisions | reasons that differ |")
        print("|---|---|---|---|---|---|---|")

    def __call__(self, name, run, batch, count):
        try:
            parts = [run(self.images[at : min(at + batch, count)]) for at in range(0, count, batch)]
        except Exception as error:  # noqa: BLE001: whatever a tool has to say
            self.right = False
            print(f"| {name} | {batch} | fails: {' '.join(str(error).split())[:200]} |")
            return
        found = dict(zip(OUTPUTS, (np.concatenate(part) for part in zip(*parts))))
        classes, reasons, logits = (expected[:count] for expected in self.expected)
        difference = np.abs(found["logits"] - logits).max()
        counts = [
            int((found["class"] != classes).sum()),
            int((found["accepted"] != (reasons == 0)).sum()),
            int((found["reason"] != reasons).sum()),
        ]
        self.right &= bool(difference <= 1e-4) and not any(counts)
        print(f"| {name} | {batch} | {count} | {difference:.1e} | {' | '.join(map(str, counts))} |", flush=True)


def session(model, level="ORT_ENABLE_ALL", threads=2):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.intra_op_num_threads = threads
    made = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda images: made.run(OUTPUTS, {"images": images})


def rewritten(model):
    """The model by the tools that rewrite one."""
    import onnx
    from onnx import version_converter

    for version in (17, 21):
        yield f"onnx.version_converter to {version}", lambda v=version: version_converter.convert_version(model, v)
    yield "onnx.shape_inference", lambda: onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    if importlib.util.find_spec("onnxsim"):
        import onnxsim

        def simplified():
            made, same = onnxsim.simplify(model)
            assert same, "onnxsim's own comparison fails"
            return made

        yield "onnxsim", simplified
    else:
        print("onnxsim isn't installed: left out")
    if importlib.util.find_spec("onnxoptimizer"):
        import onnxoptimizer

        yield "onnxoptimizer", lambda: onnxoptimizer.optimize(model)
        every = onnxoptimizer.get_fuse_and_elimination_passes()
        yield "onnxoptimizer, every fusion and elimination", lambda: onnxoptimizer.optimize(model, every, True)
    else:
        print("onnxoptimizer isn't installed: left out")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("answers", type=Path)
    parser.add_argument("--old", action="store_true", help="onnxruntime alone: with one that is older than onnx here")
    options = parser.parse_args()

    import onnxruntime

    file = options.model.read_bytes()
    shape = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).get_inputs()[0].shape[1:]
    check = Check(options.answers, shape)
    every = min(MOST, len(check.images))
    name = f"onnxruntime {onnxruntime.__version__}"
    for level in ("ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"):
        check(f"{name}, {level}", session(file, level), 1000, every)
        check(f"{name}, {level}, 1 thread", session(file, level, 1), 7, FEW)
        check(f"{name}, {level}", session(file, level), 1, FEW)
        none = session(file, level)(check.images[:0])
        if [part.shape[0] for part in none] != [0] * len(none):
            check.right = False
            print(f"| {name}, {level} | 0 | answers {[part.shape for part in none]} |")
        else:
            print(f"| {name}, {level} | 0 | 0 | no answers | | | |")
    if options.old:
        return 0 if check.right else 1

    import onnx
    from onnx.reference import ReferenceEvaluator

    model = onnx.load_from_string(file)
    evaluator = ReferenceEvaluator(model)
    check(f"onnx.reference {onnx.__version__}", lambda images: evaluator.run(OUTPUTS, {"images": images}), 100, FEW)
    for name, rewrite in rewritten(model):
        try:
            changed = rewrite()
            onnx.checker.check_model(changed, full_check=True)
            run = session(changed.SerializeToString())
        except Exception as error:  # noqa: BLE001
            check.right = False
            print(f"| {name} | fails: {' '.join(str(error).split())[:300]} |")
            continue
        said = {entry.key for entry in changed.metadata_props}
        if said != {entry.key for entry in model.metadata_props}:
            print(f"{name}: {len(said)} of {len(model.metadata_props)} metadata are left")
        check(f"{name}: {len(changed.graph.node)} nodes", run, 1000, every)
    return 0 if check.right else 1


if __name__ == "__main__":
    sys.exit(main())
