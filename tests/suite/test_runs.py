"""What a run announces before its first cell."""

from __future__ import annotations

import pytest

from suite import runs
from suite.matrix.request import Request
from suite.records.store import Store
from tests.conftest import FAKES

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
    request = Request(tasks=("ner",), architectures=("vanilla",), lengths=(128,), **fields)
    said = []
    runs.prepare_run(request, Store(tmp_path / "home"), on_warning=said.append)
    assert len(said) == bool(announced) and "".join(said).startswith(announced)
    assert not any("\n" in line for line in said)
