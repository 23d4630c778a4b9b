"""A new version of a benchmark keeps the runs of the tasks that did not change."""

from __future__ import annotations

import pytest

from suite.api import PluginError
from suite.matrix.expansion import expand
from suite.matrix.freezing import freeze
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.benchmarks import find_benchmark
from tests.builders.benchmarks import SMALL, UNRANKED

KEPT = "[unchanged_since]\nner = 1\n\n[frozen]"
SECOND = (("version = 1", "version = 2"), ("[frozen]", KEPT))


ADDED = '[[entries]]\narchitecture = "vanilla"\noptions = { positions = "rotary" }\n'
LEFT_OUT = '[[entries]]\narchitecture = "vanilla"\ntasks = ["image_classification"]\n'
"""A plain entry limits its architecture to the tasks that it names."""


@pytest.fixture
def path(tmp_path):
    """The frozen first version of the benchmark `small`."""
    path = tmp_path / "benchmarks" / "small.toml"
    path.parent.mkdir()
    path.write_text(SMALL.replace("seeds = [0]", UNRANKED))
    freeze(find_benchmark("small", (str(tmp_path),)))
    return path


def edit(path, *replacements):
    text = path.read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)


def planned(path):
    """Return the cells of all trainings and their facts, by task."""
    found = {}
    for one in expand(
        Request(mode=None, benchmark="small"), load_registry((str(path.parent.parent),))
    ):
        found.setdefault(one.cell.task, []).append((one.cell, one.ranking))
    return found


def test_the_runs_of_an_unchanged_task_count_in_the_new_version(path):
    first = planned(path)
    assert {cell.benchmark for cell, _ in first["ner"]} == {"small-1"}
    edit(path, *SECOND, ("examples_per_step = 4", "examples_per_step = 8"))
    freeze(find_benchmark("small", (str(path.parent.parent),)))
    second = planned(path)
    assert second["ner"] == first["ner"], "its cells and their hash are those of version 1"
    assert {cell.benchmark for cell, _ in second["image_classification"]} == {"small-2"}
    assert all(cell.scores_test for of_task in second.values() for cell, _ in of_task)
    benchmark = find_benchmark("small", (str(path.parent.parent),))
    assert {"1.ner", "2.image_classification"} <= set(benchmark.frozen)
    assert "2.ner" not in benchmark.frozen


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("steps = 10\npositions", "steps = 11\npositions"),
        ("seeds = [0]", "seeds = [1]"),
        ('model_size = "tiny"', 'model_size = "mini"'),
        ("window = [64]", "window = [32]"),
        ("window = [64] }", f"window = [64] }}\n{ADDED}"),
        ("window = [64] }", f"window = [64] }}\n{ADDED}tasks = []\n"),
        ("window = [64] }", f"window = [64] }}\n{LEFT_OUT}"),
        ("[unchanged_since]", "[tuning]\nlearning_rates = [1e-3, 1e-2, 1e-1]\n\n[unchanged_since]"),
    ],
)
def test_a_changed_task_keeps_no_runs(path, old, new):
    edit(path, *SECOND, (old, new))
    with pytest.raises(PluginError, match="the task ner is not as it was in version 1"):
        find_benchmark("small", (str(path.parent.parent),))


@pytest.mark.parametrize("line", ["ner = 2", "ner = 0", "listops = 1"])
def test_only_an_earlier_version_with_the_task_has_runs_to_keep(path, line):
    edit(path, *SECOND, ("ner = 1", line))
    with pytest.raises(PluginError, match="is not a frozen version before 2 that had this task"):
        find_benchmark("small", (str(path.parent.parent),))


def test_what_concerns_other_tasks_may_change(path):
    edit(
        path,
        *SECOND,
        ("window = [64] }", 'window = [64] }\n\n[[entries]]\narchitecture = "vanilla"'
         '\ntasks = ["image_classification"]\noptions = { positions = "rotary" }'),
    )  # fmt: skip
    assert find_benchmark("small", (str(path.parent.parent),)).label_of("ner") == "small-1"


def test_the_label_of_a_kept_task_in_each_version(path):
    edit(path, *SECOND, ("examples_per_step = 4", "examples_per_step = 8"))
    freeze(find_benchmark("small", (str(path.parent.parent),)))
    edit(path, ("version = 2", "version = 3"), ("examples_per_step = 8", "examples_per_step = 16"))
    benchmark = find_benchmark("small", (str(path.parent.parent),))
    labels = [benchmark.label_of("ner", version) for version in (1, 2, None)]
    assert labels == ["small-1"] * 3
    labels = [benchmark.label_of("image_classification", version) for version in (1, 2, None)]
    assert labels == ["small-1", "small-2", "small-3"]
