"""Small trainings with methods in the process of the tests, each with the parents that it needs."""

from __future__ import annotations

import shutil
from dataclasses import replace

from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.worker.data import encoded
from tests.suite.methods.planned_runs import job_of, run


def train_with(folder, *methods, task="sentiment", architecture="vanilla", steps=4, **options):
    """Return the outcome of a cell by its methods; a parent of several cells is trained once.

    Each of `methods` is a set such as "typos:strengths=0.1".
    """
    request = Request(
        tasks=(task,),
        architectures=(architecture,),
        lengths=(32,),
        seeds=(0,),
        steps=steps,
        batch_size=4,
        options=options,
        score_test=True,
        methods=tuple(tuple(text.split()) for text in methods),
    )
    outcomes = {}
    for planned in expand(request, load_registry(())):
        assert not planned.unsupported, planned.unsupported
        job = job_of(planned, folder)
        shutil.rmtree(job.folder, ignore_errors=True)
        outcomes[" ".join(method.text for method in planned.cell.methods)] = run(job)
    return outcomes


def score_few(monkeypatch, count=48):
    """Score the first examples of each split only; the training is the same."""
    load = encoded.load

    def cut(examples):
        parts = (examples.features, examples.targets)
        return type(examples)(
            *({name: values[:count] for name, values in part.items()} for part in parts)
        )

    def load_few(*arguments):
        data = load(*arguments)
        return replace(data, validation=cut(data.validation), test=cut(data.test))

    monkeypatch.setattr(encoded, "load", load_few)
