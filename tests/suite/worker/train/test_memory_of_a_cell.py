"""The memory of a train cell does not depend on whether its data was in the cache."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.suite.execution.test_runner import outcome_of
from tests.suite.worker.train.test_checkpoint import make_job

MEBIBYTE = 2**20


@pytest.mark.slow
def test_the_first_cell_on_new_data_reports_the_memory_of_later_cells(tmp_path):
    """The heap that encoding leaves would hide a part of what the model needs."""
    peaks = []
    for name in ("cold", "warm"):
        (tmp_path / name).mkdir()
        job = make_job(tmp_path / name, "ner", "vanilla", 8)
        job = replace(job, checkpoint=tmp_path / name / "cell.npz", cache=tmp_path / "cache")
        assert (tmp_path / "cache").exists() is (name == "warm")
        measured = outcome_of(job, spawn=False)["measurements"]
        peaks.append(measured["inference"]["peak_memory_bytes"]["value"])
    cold, warm = peaks
    assert abs(cold - warm) <= max(0.03 * warm, MEBIBYTE), peaks
