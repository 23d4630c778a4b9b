"""The plug-ins and the benchmarks of the guides, run from a folder of their own."""

from __future__ import annotations

import json
import re

from tests.conftest import ROOT, read_records

PLUG_INS = {
    "baselines/mean.py": "add-an-architecture.md",
    "tasks/larger.py": "add-a-task.md",
    "methods/biases.py": "add-a-method.md",
    "benchmarks/small.toml": "add-a-benchmark.md",
    "benchmarks/parity.toml": "reproduce-a-paper.md",
}
"""The guide that shows each file."""


def write_plug_ins(folder):
    """Write the files that the guides show: the first block of its language in each guide."""
    for name, guide in PLUG_INS.items():
        language = "toml" if name.endswith(".toml") else "python"
        text = (ROOT / "docs" / guide).read_text()
        assert f"mine/{name}" in text
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(re.search(rf"```{language}\n(.*?)```", text, re.DOTALL).group(1))


def test_the_plug_ins_of_the_guides_run(bench, tmp_path):
    folder = tmp_path / "mine"
    write_plug_ins(folder)
    listing = json.loads(bench("list", "--json", BENCH_PATH=str(folder)).stdout)
    supported = {name for name, reason in listing["supports"]["larger"].items() if reason is None}
    assert {"mean", "vanilla", "longformer"} <= supported
    assert {"small", "parity"} <= set(listing["benchmarks"])
    assert len(listing["benchmarks"]["parity"]["expected"]) == 3
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
