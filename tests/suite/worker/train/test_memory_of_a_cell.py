"""The memory of a train cell does not depend on whether its data was in the cache."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.builders.cells import outcome_of
from tests.builders.trainings import make_job

MEBIBYTE = 2**20
TOLD = """
import os
from pathlib import Path
from tasks.ner.task import NamedEntityRecognition

class Told(NamedEntityRecognition):
    def load(self, request, sequence_length, options):
        by_worker = os.getpid() == os.getpgrp()  # the worker leads its process group
        with open(Path(request.cache_dir) / "encoded_by", "a") as file:
            file.write("worker " if by_worker else "child ")
        return super().load(request, sequence_length, options)

TASK = Told()
"""


@pytest.mark.slow
def test_the_first_cell_on_new_data_reports_the_memory_of_later_cells(tmp_path):
    """The heap that encoding leaves behind would change what the model seems to need."""
    plugins, cache = tmp_path / "plugins", tmp_path / "cache"
    (plugins / "tasks").mkdir(parents=True)
    (plugins / "tasks" / "told.py").write_text(TOLD)
    cache.mkdir()
    peaks = []
    for name in ("cold", "warm"):
        (tmp_path / name).mkdir()
        job = make_job(tmp_path / name, "ner", "vanilla", 8)
        job = replace(
            job,
            cell=replace(job.cell, task="told"),
            search_path=(str(plugins),),
            cache=cache,
            checkpoint=tmp_path / name / "cell.npz",
        )
        outcome = outcome_of(job, spawn=False)
        assert outcome["status"] == "ok", outcome
        measured = outcome["measurements"]
        assert (cache / "encoded_by").read_text() == "child "
        peaks.append(measured["inference"]["peak_memory_bytes"]["value"])
    cold, warm = peaks
    assert abs(cold - warm) <= max(0.03 * warm, MEBIBYTE), peaks
