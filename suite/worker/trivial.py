"""Score a task's trivial predictor on the test split: `python -m suite.worker.trivial FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from suite.api import Job, Task, task_options
from suite.api.plugins import TASKS, find_plugin
from suite.worker.data import encoded


def trivial_score(folder: Path) -> float | None:
    """Return the primary metric of the job in `folder`; None without a trivial predictor."""
    job = Job.from_json((folder / "job.json").read_text())
    assert job.cell.task is not None
    task: Task = find_plugin(TASKS, job.cell.task, job.search_path)
    data = encoded.load(job, task, task_options(task, job.cell.options))
    predictions = task.predict_trivial(data.train, data.test, data.spec)
    if predictions is None:
        return None
    return task.score(data.test, predictions, data.spec).metrics[task.primary_metric.name]


if __name__ == "__main__":
    print(json.dumps(trivial_score(Path(sys.argv[1]))))
