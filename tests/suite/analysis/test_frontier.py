"""Length limits: budgets, and architectures that fail or are not supported."""

from __future__ import annotations

import pytest

from suite.analysis import frontier
from suite.analysis.frontier import FRAMEWORK_BYTES, Budget, find_length_limits
from suite.api import Status
from suite.execution.preparation import make_limits
from suite.matrix.request import Request
from suite.records.store import Store
from tests.suite.analysis.test_crossover import measured
from tests.suite.records.test_store import make_record


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "home")


def run(prepared):
    """End each probe at once: a step takes 1 s at 300 tokens, and vanilla fails."""
    (cell,) = (planned.cell for planned in prepared.plan.cells)
    if cell.architecture == "vanilla":
        return [make_record(cell=cell, status=Status.FAILED, reason="no such operation")]
    taken = {"step_seconds": cell.sequence_length / 300, "peak_memory_bytes": 300.0 * 2**20}
    return [
        make_record(
            cell=cell,
            measurements={"training": {name: measured(value) for name, value in taken.items()}},
        )
    ]


def limits_of(store, budget, *architectures):
    request = Request(benchmark="smoke", architectures=architectures or None)
    found = find_length_limits(request, store, run, budget)
    return {limit.architecture: limit for limit in found}


def test_a_search_over_all_architectures_names_the_unsupported_and_the_failed(store):
    found = limits_of(store, Budget(step_seconds=1.0))
    assert "has no encoder form" in found["gpt"].unsupported
    assert "failed: no such operation" in found["vanilla"].failed
    assert found["bert"].longest <= 300 < found["bert"].beyond
    assert {"longformer", "reformer", "vit"} <= set(found)
    assert str(found["bert"]).endswith("does not fit)")


def test_a_limit_below_the_first_length_says_what_that_takes(store):
    found = limits_of(store, Budget(step_seconds=0.1), "bert")["bert"]
    assert str(found) == "not even 128, which takes 300 MiB, 0.427 s a step"
    assert found.to_dict()["taken"]["peak_memory_bytes"] == 300 * 2**20


def test_an_accelerator_s_memory_bounds_no_process_of_the_host(monkeypatch):
    budget = Budget(memory_bytes=2**30)
    monkeypatch.setattr(frontier, "has_accelerator", lambda: False)
    assert budget.limits("smoke").memory_bytes <= 2**30 + FRAMEWORK_BYTES
    monkeypatch.setattr(frontier, "has_accelerator", lambda: True)
    assert budget.limits("smoke").memory_bytes == make_limits("smoke").memory_bytes
