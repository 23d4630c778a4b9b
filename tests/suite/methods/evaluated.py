"""Small trainings with methods in the process of the tests, each with the parents that it needs."""

from __future__ import annotations

import shutil
from dataclasses import replace

from suite.api import Job
from suite.api.plugins import ARCHITECTURES, TASKS, find_plugin
from suite.matrix.expansion import expand
from suite.matrix.model_sizes import MODEL_SIZES
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.worker.data import encoded
from suite.worker.train import cell as train


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
        job = Job(
            cell=planned.cell,
            model_size=replace(MODEL_SIZES["tiny"], num_layers=1),
            recipe=planned.recipe,
            source=planned.source,
            search_path=(),
            folder=folder / planned.cell.id,
            cache=folder / "cache",
            checkpoint=folder / planned.cell.id / "cell.npz",
            source_digest="d",
            parents={role: folder / parent / "weights" for role, parent in planned.parents.items()},
            keeps_weights=planned.keeps_weights,
        )
        shutil.rmtree(job.folder, ignore_errors=True)
        job.folder.mkdir(parents=True)
        outcomes[" ".join(method.text for method in planned.cell.methods)] = train.run(
            job,
            find_plugin(TASKS, planned.cell.task),
            find_plugin(ARCHITECTURES, architecture),
            (),
            lambda *progress: None,
            lambda outcome: None,
        )
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
