"""What a run announces before its first cell."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest

from suite.actions import runs
from suite.api import RequestError
from tests.builders.frozen import tuned
from tests.builders.records import TASK
from tests.conftest import FAKES

__all__ = ["tuned"]  # a fixture
FINAL = {"benchmark": "miniature"}


@pytest.mark.parametrize(
    ("dirty", "fields", "announced"),
    [
        (True, FINAL, "the checkout has uncommitted changes: `bench publish` will refuse these"),
        (None, FINAL, "git does not report the commit: `bench publish` will refuse these"),
        (False, FINAL, ""),
        (True, {**FINAL, "steps": 3}, ""),  # a trial
        (True, {"benchmark": "smoke"}, ""),  # never ranked
    ],
)
def test_final_runs_that_could_not_be_published_are_announced(
    tmp_path, monkeypatch, dirty, fields, announced
):
    monkeypatch.setenv("BENCH_PATH", str(FAKES))
    monkeypatch.setattr(runs, "describe_commit", lambda: {"commit": "c", "dirty": dirty})
    request = {"task": "ner", "architecture": "vanilla", "length": 128, **fields}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with runs.open_run("run", {**request, "home": tmp_path / "home", "tracking": False}):
            pass
    said = [str(warning.message) for warning in caught]
    assert len(said) == bool(announced) and "".join(said).startswith(announced)
    assert not any("\n" in line for line in said)


@pytest.mark.parametrize("rate", [3e-3, 1e-2])
def test_a_final_run_with_an_edited_learning_rate_does_not_start(tuned, rate):
    registry, cell, choice = tuned
    edited = choice.model_copy(update={"learning_rate": rate})
    ranking = SimpleNamespace(tuning=edited, entry="vanilla")
    prepared = SimpleNamespace(
        plan=SimpleNamespace(to_run=[SimpleNamespace(cell=cell, ranking=ranking)]),
        benchmark=registry.benchmarks.get("miniature"),
        digests={"ner": "d"},
        tasks={"ner": TASK},
    )
    if rate == choice.learning_rate:
        runs.check_choices(prepared)
    else:
        with pytest.raises(RequestError, match="does not follow from its trials"):
            runs.check_choices(prepared)
