"""Evaluation lengths in requests, cells and benchmarks, and the errors of a plan."""

from __future__ import annotations

import dataclasses
import json

import pytest

from suite.api import Cell, Form, Metric, Mode, PluginError, Task
from suite.api.errors import RequestError
from suite.api.task import Generation
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.publish.verify import request_of
from suite.records.benchmarks import read_benchmark
from tests.builders.records import CELL

REGISTRY = load_registry(())
COPY = Request(
    tasks=("duplication",), architectures=("vanilla",), lengths=(64,), evaluation_lengths=(64, 256)
)


def test_evaluation_lengths_are_no_part_of_the_id_of_a_cell():
    (planned,) = expand(dataclasses.replace(COPY, seeds=(0,)), REGISTRY)
    cell = planned.cell
    assert cell.evaluation_lengths == (64, 256)
    plain = dataclasses.replace(cell, evaluation_lengths=())
    assert cell != plain and cell.id == plain.id
    fields = json.loads(json.dumps(dataclasses.asdict(cell)))
    assert Cell.from_dict(fields) == cell
    former = dataclasses.asdict(plain)
    del former["evaluation_lengths"]
    assert Cell.from_dict(former).id == plain.id


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evaluation_lengths": (32, 128)}, "at least the training length. Received: evaluation "),
        ({"lengths": (64, 128)}, "Received: evaluation length 64 after training at 128"),
        ({"evaluation_lengths": (64, 129)}, "needs even lengths of at least 4"),
        ({"evaluation_lengths": (64, 129)}, "Received: evaluation length 129. Choose other "),
        (
            {
                "tasks": ("associative_recall",),
                "evaluation_lengths": (256, 1_024),
                "options": {"vocabulary": "100"},
            },
            "cannot fit 64 pairs into 1,024 symbols: a pair needs 4 positions and one of the 49 "
            "keys; choose fewer `pairs`, another length or a larger `vocabulary`. Received: "
            "evaluation length 1024, vocabulary=100. ",
        ),
        ({"evaluation_lengths": (256, 128)}, "in increasing order, each once. Received: 256,128"),
        ({"evaluation_lengths": (128, 128)}, "in increasing order, each once. Received: 128,128"),
        ({"tasks": ("ner",), "lengths": (128,)}, "'ner' is scored at its training length alone"),
        ({"mode": Mode.PROBE, "tasks": None}, "A probe or a decoding trains no model"),
        ({"mode": Mode.DECODE, "tasks": None}, "A probe or a decoding trains no model"),
    ],
)
def test_bad_evaluation_lengths_are_refused_in_one_line(changes, message):
    with pytest.raises(RequestError) as caught:
        expand(dataclasses.replace(COPY, **changes), REGISTRY)
    assert message in str(caught.value) and "\n" not in str(caught.value)


BENCHMARK = """
name = "longer"
version = 1
summary = "trained at one length, scored at several"
model_size = "tiny"
seeds = [0]
time_limit_seconds = 60
architectures = ["vanilla"]
ranked = false

[tasks.duplication]
lengths = [64]
evaluation_lengths = [64, 128]
steps = 10
positions_per_step = 128
"""


def test_a_benchmark_states_evaluation_lengths(tmp_path):
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    path = folder / "longer.toml"
    path.write_text(BENCHMARK)
    former = read_benchmark(path).content_hash
    registry = load_registry((str(tmp_path),))
    whole = Request(mode=None, benchmark="longer")
    (planned,) = expand(whole, registry)
    assert planned.of_benchmark and planned.cell.evaluation_lengths == (64, 128)
    (longer,) = expand(dataclasses.replace(whole, lengths=(128,)), registry)
    assert longer.cell.evaluation_lengths == (128,)
    for others in ((), (64, 256)):
        (other,) = expand(dataclasses.replace(whole, evaluation_lengths=others), registry)
        assert not other.of_benchmark and other.cell.evaluation_lengths == others
    path.write_text(BENCHMARK.replace("[64, 128]", "[64, 256]"))
    assert read_benchmark(path).content_hash != former
    path.write_text(BENCHMARK.replace("[64, 128]", "[128, 64]"))
    with pytest.raises(PluginError, match="increasing order"):
        read_benchmark(path)


def test_verification_repeats_the_evaluation_lengths():
    cell = dataclasses.replace(
        CELL,
        task="duplication",
        source="synthetic",
        options={},
        architecture="vanilla",
        evaluation_lengths=(512, 1_024),
    )
    for lengths in ((512, 1_024), ()):
        cell = dataclasses.replace(cell, evaluation_lengths=lengths)
        assert request_of(cell, REGISTRY).evaluation_lengths == lengths


def test_a_task_that_generates_has_no_evaluation_lengths():
    with pytest.raises(PluginError, match="generates answers"):

        class Generates(Task):
            form = Form.ENCODER_DECODER
            primary_metric = Metric("bleu")
            generation = Generation(1, 2)
            evaluation_lengths_supported = True
