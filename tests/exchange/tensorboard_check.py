"""Reads a run's event files with TensorBoard's own reader and compares them with metrics.jsonl.

    pip install tensorboard
    target/release/train --config configs/smoke.toml --tensorboard --run-dir run   # killed and resumed, or not
    python3 tests/exchange/tensorboard_check.py run

The run has to have ended: one that was interrupted has no end.
"""

import json
import logging
import pathlib
import sys

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

complaints = []


class Listener(logging.Handler):
    def emit(self, record):
        complaints.append(record.getMessage())


def main(run):
    from tensorboard.util import tb_logging

    tb_logging.get_logger().addHandler(Listener())
    everything = {kind: 0 for kind in ("scalars", "images", "histograms", "tensors")}
    events = event_accumulator.EventAccumulator(str(run), size_guidance=everything)
    events.Reload()

    metrics = [json.loads(line) for line in (run / "metrics.jsonl").open()]
    epochs = max(m["epoch"] for m in metrics)
    last = {m["epoch"]: m["step"] for m in metrics if "step" in m}

    def near(a, b):
        return abs(a - b) <= 1e-6 * max(1.0, abs(b))

    for name in ("loss", "accuracy", "learning_rate"):
        expected = [(m["step"], m["value"]) for m in metrics if "step" in m and m["name"] == name]
        found = [(e.step, e.value) for e in events.Scalars(f"step/{name}")]
        assert [step for step, _ in found] == [step for step, _ in expected], name
        assert all(near(a[1], b[1]) for a, b in zip(found, expected)), name
    found = [(e.step, e.value) for e in events.Scalars("epoch/number")]
    assert found == [(last[epoch], epoch) for epoch in range(1, epochs + 1)], found
    times = epochs + 1  # and before training
    assert len(events.Scalars("epoch/validation_accuracy")) == times
    assert len(events.Histograms("weights/blocks.0.conv.weight")) == times
    for image in events.Images("validation/worst_errors"):
        assert image.encoded_image_string.startswith(b"\x89PNG") and image.width > 0
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    given = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert given["training.epochs"].number_value == epochs, given
    content = events.SummaryMetadata("_hparams_/session_end_info").plugin_data.content
    ended = plugin_data_pb2.HParamsPluginData.FromString(content).session_end_info
    assert ended.status == api_pb2.STATUS_SUCCESS and ended.end_time_secs > 0, ended
    assert events.SummaryMetadata("validation/worst_errors_label_to_answer").plugin_data.plugin_name == "text"
    assert not complaints, complaints
    print(f"{run}: {len(last)} epochs, {last[epochs]} steps, {len(events.Tags()['histograms'])} histograms, no complaint")


main(pathlib.Path(sys.argv[1]))
