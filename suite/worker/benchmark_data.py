"""Describe the data of jobs, without training: `python -m suite.worker.benchmark_data FOLDER…`.

The last line of the output is a JSON list with the fingerprint of each job's data and the test
score of the task's trivial predictor.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from suite.api import Job, Task, TaskData, task_options
from suite.api.plugins import TASKS, find_plugin
from suite.worker.data import encoded


def describe(folder: Path) -> Mapping[str, Any]:
    """Return the fingerprint and the trivial score of the job in `folder`."""
    job = Job.from_json((folder / "job.json").read_text())
    assert job.cell.task is not None
    task: Task = find_plugin(TASKS, job.cell.task, job.search_path)
    data = encoded.load(job, task, task_options(task, job.cell.options))
    return {"fingerprint": data.facts["fingerprint"], "trivial": _trivial_score(task, data)}


def _trivial_score(task: Task, data: TaskData) -> float | None:
    predictions = task.predict_trivial(data.train, data.test, data.spec)
    if predictions is None:
        return None
    return task.score(data.test, predictions, data.spec).metrics[task.primary_metric.name]


if __name__ == "__main__":
    print(json.dumps([describe(Path(folder)) for folder in sys.argv[1:]]))
