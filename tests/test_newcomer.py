"""The task, the architecture and the method of the guides, run from a folder of their own."""

from __future__ import annotations

import json
import re

from tests.conftest import ROOT, read_records


def code(guide):
    """Return the Python file that a guide shows."""
    text = (ROOT / "docs" / guide).read_text()
    return re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)


ARCHITECTURE = code("add-an-architecture.md")
TASK = code("add-a-task.md")
METHOD = code("add-a-method.md")


def test_the_plug_ins_of_the_guides_run(bench, tmp_path):
    folder = tmp_path / "mine"
    for kind, name, content in (
        ("baselines", "mean", ARCHITECTURE),
        ("tasks", "larger", TASK),
        ("methods", "biases", METHOD),
    ):
        (folder / kind).mkdir(parents=True)
        (folder / kind / f"{name}.py").write_text(content)
    listing = json.loads(bench("list", "--json", BENCH_PATH=str(folder)).stdout)
    supported = {name for name, reason in listing["supports"]["larger"].items() if reason is None}
    assert {"mean", "vanilla", "longformer"} <= supported
    checked = bench("check", "mean", BENCH_PATH=str(folder))
    assert checked.returncode == 0, checked.stdout
    assert listing["methods"]["biases"]["stage"] == "train"
    arguments = ("run", "--task", "larger,ner", "--architectures", "mean", "--benchmark", "smoke")
    result = bench(*arguments, "--no-tracking", BENCH_PATH=str(folder))
    assert result.returncode == 0, result.stderr
    assert "test accuracy" in result.stdout and "test entity_f1" in result.stdout
    report = json.loads(bench("report", "--json", BENCH_PATH=str(folder)).stdout)
    scores = {table["title"].split()[0]: table["rows"][0]["figures"] for table in report}
    assert scores["larger"]["test.accuracy"]["value"] > 0.8
    assert scores["ner"]["test.entity_f1"]["n"] == 1
    method = ("--methods", "none;biases", "--no-dashboard", "--no-tracking")
    request = ("run", "--task", "larger", "--architectures", "mean", "--steps", "8", *method)
    result = bench(*request, "--lengths", "16", "--threads", "1", BENCH_PATH=str(folder))
    assert result.returncode == 0, result.stderr
    assert "mean + biases" in result.stdout
    *_, record = read_records(tmp_path / "home")
    trained = record["details"]["methods"]["biases"]["num_trained_weights"]
    assert 0 < trained < record["parameter_count"] / 10
