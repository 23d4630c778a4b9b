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
    methods = ("--methods", "none;biases", "--no-tracking")
    run = ("run", "--task", "larger", "--architectures", "mean", "--benchmark", "smoke")
    result = bench(*run, *methods, BENCH_PATH=str(folder))
    assert result.returncode == 0, result.stderr
    assert "test accuracy" in result.stdout and "mean + biases" in result.stdout
    report = json.loads(bench("report", "--json", BENCH_PATH=str(folder)).stdout)
    scores = {
        row["line"]: row["figures"]["test.accuracy"] for table in report for row in table["rows"]
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
