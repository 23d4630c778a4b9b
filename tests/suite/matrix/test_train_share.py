"""`train_share` is an option of every task; by default it changes nothing."""

from __future__ import annotations

import pytest

from suite.api import RequestError, Track, track_of
from suite.api.errors import PluginError
from suite.matrix.expansion import expand
from suite.matrix.freezing import checked_cells
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from tasks.duplication import Duplication
from tests.builders.benchmarks import SMALL

REGISTRY = load_registry(())
TASKS = sorted(REGISTRY.tasks.plugins)


def plan(task, **options):
    request = Request(tasks=(task,), architectures=("vanilla",), seeds=(0,), options=options)
    return expand(request, REGISTRY)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_the_option_and_the_whole_is_the_cell_that_it_always_was(task):
    whole, asked, tenth = (
        plan(task, **options) for options in ({}, {"train_share": "1"}, {"train_share": "0.1"})
    )
    assert [one.cell for one in asked] == [one.cell for one in whole]
    for cell, less in zip(whole, tenth, strict=True):
        assert cell.cell.options == {} and less.cell.options == {"train_share": 0.1}
        assert less.cell.id != cell.cell.id
        assert (less.unsupported is None) == (cell.unsupported is None)


def test_the_share_belongs_to_the_comparison_and_to_the_standard_track():
    (first, *_), (other, *_) = plan("ner", train_share="0.1"), plan("ner", train_share="0.2")
    assert first.ranking.task_options == {"train_share": 0.1}
    assert other.ranking.task_options == {"train_share": 0.2}
    assert first.ranking.entry == other.ranking.entry == "vanilla"
    assert track_of(REGISTRY.tasks.get("ner"), first.cell.options) is Track.STANDARD
    assert not first.of_benchmark and not first.cell.scores_test


@pytest.mark.parametrize("share", ["0", "0.009", "1.01", "-1"])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(RequestError, match=r"'train_share' must be from 0.01 to 1.*Received: "):
        plan("sentiment", train_share=share)


def test_a_probe_has_no_training_examples():
    request = Request(mode="probe", architectures=("vanilla",), options={"train_share": "0.1"})
    with pytest.raises(RequestError, match="There is no option of that name"):
        expand(request, REGISTRY)


def test_a_task_cannot_have_an_option_of_that_name():
    with pytest.raises(PluginError, match=r"of an option of every task. Received: train_share"):
        type("Clashing", (Duplication,), {"options": {"train_share": 0.5}})


def test_a_benchmark_may_set_it_for_a_task(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    text = SMALL.replace("dropout = 0.3", "train_share = 0.1")
    (tmp_path / "benchmarks" / "small.toml").write_text(text)
    registry = load_registry((str(tmp_path),))
    cells = checked_cells(registry.benchmarks.get("small"), registry)
    assert {(one.cell.task, one.cell.options.get("train_share")) for one in cells} == {
        ("ner", None), ("image_classification", 0.1)
    }  # fmt: skip
