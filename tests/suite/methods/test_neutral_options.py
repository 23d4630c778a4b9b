"""Methods that train change nothing with neutral options."""

from __future__ import annotations

import pytest

from tests.suite.methods.planned_runs import job_of, plan, run
from tests.suite.worker.train.test_checkpoint import results

NEUTRAL = ("pruning:sparsity=0.0", "distillation:weight=0.0,temperature=3.0")


@pytest.mark.usefixtures("eager", "few_scored_examples", "brief_measurements")
def test_neutral_options_are_plain_training_to_the_digit(tmp_path):
    (plain,), (neutral,) = (
        plan("language_modeling", "vanilla", *given, steps=8) for given in ((), NEUTRAL)
    )
    assert plain.cell.id != neutral.cell.id
    expected, found = (run(job_of(one, tmp_path)) for one in (plain, neutral))
    assert results(found) == results(expected)
    for curves in (found["curves"], expected["curves"]):
        assert curves.pop("training_seconds")["tokens"]  # times differ between runs
    assert found["curves"] == expected["curves"]
    assert found["details"]["methods"]["pruning"] == {"zero_weight_share": 0.0}
