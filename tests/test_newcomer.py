"""The plug-ins and the benchmarks of the guides, run from a folder of their own."""

from __future__ import annotations

import json
import re
from textwrap import indent

import numpy as np
import pytest

from suite.api import SourceRequest
from suite.api.plugins import TASKS, find_plugin
from tests.builders.guides import PLUG_INS, TASK, write_plug_ins
from tests.conftest import ROOT, read_records

GUIDE_ON_TASKS = ROOT / "docs" / PLUG_INS["tasks/larger.py"]


def task_with_raw_text():
    """Return the task of the guide with its two methods for raw text."""
    methods = re.findall(r"```python\n(.*?)```", GUIDE_ON_TASKS.read_text(), re.DOTALL)[1]
    return TASK.replace("\n\n\nTASK = ", f"\n\n{indent(methods, '    ')}\n\nTASK = ")


def test_the_plug_ins_of_the_guides_run(bench, tmp_path):
    folder = tmp_path / "mine"
    write_plug_ins(folder)
    listing = json.loads(bench("list", "--json", BENCH_PATH=str(folder)).stdout)
    supported = {name for name, reason in listing["supports"]["larger"].items() if reason is None}
    assert {"mean", "vanilla", "longformer"} <= supported
    assert {"small", "parity"} <= set(listing["benchmarks"])
    assert len(listing["benchmarks"]["parity"]["expected"]) == 3
    assert listing["methods"]["biases"]["stage"] == "train"
    methods = ("--methods", "none;biases", "--test", "--no-tracking")
    run = ("run", "--task", "larger", "--architectures", "mean", "--benchmark", "smoke")
    result = bench(*run, *methods, BENCH_PATH=str(folder))
    assert result.returncode == 0, result.stderr
    assert "test accuracy" in result.stdout and "mean + biases" in result.stdout
    report = json.loads(bench("report", "--json", BENCH_PATH=str(folder)).stdout)
    scores = {
        row["entry"]: row["figures"]["test.accuracy"] for table in report for row in table["rows"]
    }
    assert scores["mean"]["value"] > 0.8
    records = {
        tuple(method["name"] for method in record["cell"]["methods"]): record
        for record in read_records(tmp_path / "home")
    }
    assert records.keys() == {(), ("biases",)}
    record = records["biases",]
    trained = record["details"]["methods"]["biases"]["num_trained_weights"]
    assert 0 < trained < record["parameter_count"] / 10
    plan = ("plan", "--task", "ner", "--architectures", "mean", "--benchmark", "smoke")
    assert "1 to run" in bench(*plan, BENCH_PATH=str(folder)).stdout


@pytest.mark.slow  # a minute each: test_conformance.py runs the kit on built-in and broken plug-ins
@pytest.mark.parametrize("name", ["mean", "averaging"])
def test_an_architecture_of_the_guide_passes_the_check(bench, tmp_path, name):
    write_plug_ins(tmp_path / "mine")
    checked = bench("check", name, BENCH_PATH=str(tmp_path / "mine"))
    assert checked.returncode == 0, checked.stdout


def test_the_guides_methods_for_raw_text_encode_and_read_it(tmp_path):
    """The features are those of `load`, and each real position has its prediction."""
    path = tmp_path / "tasks" / "larger.py"
    path.parent.mkdir()
    path.write_text(task_with_raw_text())
    task = find_plugin(TASKS, "larger", (str(tmp_path),))
    texts = ["a a", "one or three and a half"]
    found = task.encode_raw(texts, 4, {})
    assert found.features["values"].tolist() == [[1, 1, 0, 0], [3, 2, 5, 3]]
    loaded = task.load(SourceRequest("synthetic"), 4, {}).test
    for ours, theirs in ((found.features, loaded.features), (found.targets, loaded.targets)):
        assert {name: (values.dtype, values.shape[1:]) for name, values in ours.items()} == {
            name: (values.dtype, values.shape[1:]) for name, values in theirs.items()
        }
    predictions = np.array([[0, 1, 1, 1], [0, 0, 1, 0]])
    assert task.readable(texts, found, predictions, {}) == [[0, 1], [0, 0, 1, 0]]
