"""Encode the data of one cell into its cache: `python -m suite.worker.data.encode FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from suite.api import Job, task_options
from suite.api.plugins import TASKS, find_plugin
from suite.worker.data import encoded


def encode(folder: Path) -> None:
    """Encode the data of the job in `folder`; exported packs hold encoded data only."""
    job = Job.from_json((folder / "job.json").read_text())
    assert job.cell.task is not None
    task = find_plugin(TASKS, job.cell.task, job.search_path)
    encoded.load(job, task, task_options(task, job.cell.options))


if __name__ == "__main__":
    encode(Path(sys.argv[1]))
