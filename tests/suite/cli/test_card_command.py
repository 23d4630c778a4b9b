"""`bench card` through the public path: its files, its continuation and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from baselines.layers.describe_model import main
from suite.actions import cards
from suite.analysis.cost_ratios import CostRatio
from suite.analysis.length_card import EndedLength
from suite.api import Mode, Status
from suite.execution.executors.base import ProcessResult
from suite.execution.executors.local import LocalExecutor
from suite.search import length_card
from tests.builders import given_models
from tests.conftest import read_records
from tests.fakes.baselines import hasty

SMALL = ("--layers", "1", "--width", "16", "--heads", "2", "--up-to", "128", "--no-references")


def test_a_card_is_written_and_the_same_command_runs_nothing_again(bench, tmp_path):
    first = bench("card", "hasty", *SMALL, "--time", "1s")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("hasty: ")
    folder = tmp_path / "home" / "cards"
    content = json.loads((folder / "hasty-1x16x2.json").read_text())
    points = content["model"]["costs"]["inference.step_seconds"]["measured"]
    assert [point["length"] for point in points][:1] == [128]
    assert "Length card: hasty" in (folder / "hasty-1x16x2.html").read_text()
    assert (folder / "hasty-1x16x2.md").is_file()
    records = read_records(tmp_path / "home")
    again = bench("card", "hasty", *SMALL, "--time", "1s", "--json")
    assert len(read_records(tmp_path / "home")) == len(records)
    assert json.loads(again.stdout)["sentence"] == content["sentence"]


def test_a_given_model_is_measured_checked_and_continued(bench, tmp_path, monkeypatch):
    forked, server_of = [], LocalExecutor._server

    def server(executor, environment):
        forked.append(found := server_of(executor, environment))
        return found

    monkeypatch.setattr(LocalExecutor, "_server", server)
    model = f"{given_models.__file__}:brisk_convolution"
    command = ("card", model, "--up-to", "128", "--time", "1s", "--no-references", "--json")
    first = bench(*command)
    assert first.returncode == 0, first.stderr
    assert forked[0] is forked[1], "the framework is imported again to look at the model"
    content = json.loads(first.stdout)
    assert content["model"]["parameters"] == 40 * 8 + 5 * 8 * 8 + 8 + 8 * 40 + 40
    assert not [name for name in content["facts"] if "size" in name and name != "batch size"]
    assert content["facts"]["each generated token"] == "computes all positions again"
    costs = content["model"]["costs"]
    assert {"training.step_seconds", "generation.step_seconds"} <= set(costs)
    assert {check["verdict"] for check in content["checks"]} == {"passed", "not applicable"}
    records = read_records(tmp_path / "home")
    assert str(tmp_path) not in json.dumps(records) and "given_models.py:" not in str(records)
    assert json.loads(bench(*command).stdout)["model"]["costs"].keys() == costs.keys()
    assert len(read_records(tmp_path / "home")) == len(records)


def test_a_model_against_another_has_ratios_and_an_exit_code(bench, tmp_path, monkeypatch):
    command = ("card", "hasty", "--against", "hasty", "--up-to", "128", "--time", "1s", "--json")
    result = bench(*command)
    assert result.returncode == 0, result.stderr
    content = json.loads(result.stdout)
    assert {ratio["length"] for ratio in content["ratios"]} == {128}
    assert len(read_records(tmp_path / "home")) == 2
    undecided = bench(*command, "--fail-above", "1000%")
    assert undecided.returncode == 2 and "needs 5 rounds of both models" in undecided.stderr
    some = [
        CostRatio("generation.step_seconds", 128, 1.0, 0.99, 1.01, 5),
        CostRatio("inference.step_seconds", 128, 1.5, None, None, 2),
    ]
    monkeypatch.setattr(cards, "cost_ratios", lambda records, others: some)
    undecided = bench(*command, "--fail-above", "5%")
    assert undecided.returncode == 2 and "suffices for fewer of inference time" in undecided.stderr
    slower = CostRatio("inference.step_seconds", 128, 1.08, 1.06, 1.10, 5)
    monkeypatch.setattr(cards, "cost_ratios", lambda records, others: [slower])
    passed = bench(*command, "--fail-above", "7%", "--up-to", "256")
    assert passed.returncode == 0 and "not compared: probe at 256" in passed.stderr
    failed = bench(*command, "--fail-above", "5%")
    assert failed.returncode == 1
    assert "above 1.05 times: inference time at 128: 1.080 [1.060, 1.100] times" in failed.stderr
    ended = EndedLength(Mode.DECODE, 2_048, Status.OUT_OF_MEMORY, "too much memory")
    monkeypatch.setattr(cards, "_lost_lengths", lambda *of_both: [str(ended)])
    failed = bench(*command, "--fail-above", "9%")
    assert failed.returncode == 1
    text = "decode at 2,048: out_of_memory (too much memory)"
    assert f"unlike the other model: {text}" in failed.stderr
    content = json.loads(failed.stdout)
    assert f"unlike hasty: {text}" in content["sentence"] and content["lost"] == [text]


@pytest.fixture
def described_here(monkeypatch):
    """Let this process find out what a given model is: another one imports the framework first.

    A brisk model must not change how this process measures.
    """

    def run_here(executor, program, *given):
        _, *arguments, file = program
        main(*arguments, file)
        return ProcessResult(json.loads(Path(file).read_text()), 0, None, "")

    monkeypatch.setattr(hasty, "measure_briefly", lambda: None)
    monkeypatch.setattr(LocalExecutor, "run_program", run_here)


@pytest.mark.usefixtures("described_here")
def test_a_card_with_quality_has_the_effective_length_of_each_task(bench, monkeypatch):
    monkeypatch.setattr(length_card, "REACH", "short_reach")
    model = f"{given_models.__file__}:brisk_reader"
    limits = ("--up-to", "128", "--time", "1s", "--no-references")
    result = bench("card", model, *limits, "--quality", "--json")
    assert result.returncode == 0, result.stderr
    (carried,) = json.loads(result.stdout)["quality"]
    assert carried["task"].startswith("State tracking")
    assert (carried["training_length"], carried["longest_tested"]) == (16, 32)
    assert (carried["model_size"], carried["effective_length"]) == ("its own", 0)
    assert 0 < carried["score"] < 0.9


@pytest.mark.usefixtures("described_here")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((f"{given_models.__file__}:convolution", "--quality"), "vocabulary of 40"),
        ((f"{given_models.__file__}:pooled_vectors", "--quality"), "one output for the whole"),
        (("bert", "--quality"), "associative_recall (pairs=4) · bert"),
        (("nothing-of-this-name",), "There is no architecture of that name"),
        (("missing.keras",), "There is no such file"),
        ((f"{given_models.__file__}:raises",), "The function raised an exception"),
        ((f"{given_models.__file__}:raises", "--model-size", "tiny"), "has its own size"),
        ((f"{given_models.__file__}:convolution", "--form", "encode"), "no form of that name"),
        ((f"{given_models.__file__}:raises", "--form", "encoder_decoder"), "encoder or a decoder"),
        ((f"{given_models.__file__}:in_bfloat16",), "Give --precision mixed_bfloat16"),
        (("llama", "--fail-above", "5%"), "--fail-above needs --against"),
        (("llama", "--against", "gpt", "--fail-above", "much"), "takes a percentage such as 5%"),
        (("llama", "--against", "gpt", "--fail-above", "5"), "takes a percentage such as 5%"),
        (("llama", "--layers", "2"), "layers, width and heads together"),
        (("llama", "--layers", "0", "--width", "8", "--heads", "2"), "at least 1 layer"),
        (("llama", "--threads", "0"), "number of threads"),
        (("llama", "--up-to", "100"), "starts at 128"),
        (("llama", "--output", "/dev/null/card"), "folder of the card must be writable"),
        (("llama", "--time", "soon"), "A duration is"),
        (("llama", "--memory", "much"), "A size is"),
        (("llama", "--option", "windw=3"), "windw"),
        (("gpt", "--form", "encoder"), "has no encoder form"),
        (("llama", "--layers", "1", "--width", "10", "--heads", "3"), "multiple of its heads"),
    ],
)
def test_bad_input_is_one_line(bench, arguments, message):
    result = bench("card", *arguments)
    assert result.returncode == 2
    assert message in result.stderr and "Traceback" not in result.stderr
