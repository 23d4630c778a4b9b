"""Records that another invocation writes between the plan and the start of a cell."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from suite.api.code_digest import CodeDigests
from suite.execution.runner import Runner
from suite.matrix.plan import Plan
from suite.records.store import Store
from tests.builders.records import CELL, make_record


@pytest.mark.parametrize(
    ("keeps_weights", "parameters", "stands"),
    [(False, 1_000, True), (True, 1_000, False), (True, 10**12, True)],
)
def test_a_training_without_weights_does_not_stand_where_they_are_needed(
    tmp_path, keeps_weights, parameters, stands
):
    plan = Plan([], {}, frozenset(), frozenset(), True, lambda cell: CodeDigests())
    runner = Runner(SimpleNamespace(plan=plan), Store(tmp_path), None, None)
    planned = SimpleNamespace(cell=CELL, unsupported=None, keeps_weights=keeps_weights)
    record = make_record(cell=CELL, parameter_count=parameters)
    assert (runner._written_since_plan(planned, [record]) is not None) is stands
