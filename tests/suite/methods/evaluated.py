"""Small trainings with methods in the process of the tests, each with the parents that it needs."""

from __future__ import annotations

import shutil

from tests.suite.methods.planned_runs import job_of, plan, run


def train_with(folder, *methods, task="sentiment", architecture="vanilla", steps=4, **options):
    """Return the outcome of a cell by its methods; a parent of several cells is trained once.

    Each of `methods` is a set such as "typos:strengths=0.1".
    """
    sets = tuple(tuple(text.split()) for text in methods)
    settings = {"steps": steps, "options": options, "score_test": True, "methods": sets}
    outcomes = {}
    for planned in plan(task, architecture, **settings):
        assert not planned.unsupported, planned.unsupported
        job = job_of(planned, folder)
        shutil.rmtree(job.folder, ignore_errors=True)
        outcomes[" ".join(method.text for method in planned.cell.methods)] = run(job)
    return outcomes
