"""Records of entries with methods."""

from __future__ import annotations

from dataclasses import replace

from suite.api import AppliedMethod, Stage
from suite.matrix.planned_cells import ranking_facts
from suite.records.schema import Measurement
from tests.builders.records import CELL, REGISTRY, make_record, stored


def run(seed, score, *methods, seconds=1.0, options=None, **fields):
    """Return a training of a trial with methods of these names, and further options."""
    stages = {"typos": Stage.EVALUATE}
    applied = tuple(AppliedMethod(name, 1, stage=stages.get(name, Stage.TRAIN)) for name in methods)
    cell = replace(CELL, seed=seed, methods=applied, scores_test=False, benchmark=None)
    cell = replace(cell, options={**CELL.options, **(options or {})})
    step = Measurement(value=seconds, n=1)
    given = {
        "metrics": {"validation": {"entity_f1": score}},
        "measurements": {"training": {"step_seconds": step}},
        "ranking": ranking_facts(cell, REGISTRY.tasks.get("ner"), None),
        "data": {"fingerprint": "f"},
    }
    return stored(make_record(minutes=seed, cell=cell, **{**given, **fields}))
