"""The gain and the price of methods, and scores of disturbed examples."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from suite.actions.results import Records
from suite.analysis.boards import UNDISTURBED, rank_comparisons
from suite.analysis.comparisons import compare
from suite.analysis.estimates import Estimate
from suite.analysis.method_effects import (
    _gain,
    condition_scores,
    data_size_scores,
    method_effects,
)
from suite.analysis.ranking import Scores
from suite.api import Status
from suite.matrix.planned_cells import ranking_facts
from suite.records.schema import Measurement, TuningChoice, Variant
from tests.builders.method_runs import run
from tests.builders.records import CELL, REGISTRY


def effects_of(*records):
    comparisons = compare(records)
    return next(found for one in comparisons if (found := method_effects(one)))


def test_a_method_is_measured_against_the_entry_without_it_seed_by_seed():
    plain = [run(seed, score) for seed, score in enumerate((0.5, 0.6, 0.7))]
    smooth = [
        run(seed, score, "smooth", seconds=1.5) for seed, score in enumerate((0.6, 0.71, 0.79))
    ]
    (effect,) = effects_of(*plain, *smooth)
    assert (effect.entry, effect.reference) == (
        "longformer (window=[64]) + smooth",
        "longformer (window=[64])",
    )
    assert effect.gain.value == pytest.approx(0.1) and effect.gain.n == 3
    assert effect.gain.low == pytest.approx(0.1 - 4.303 * 0.01 / 3**0.5, abs=1e-4)
    assert effect.prices["training.step_seconds"].value == pytest.approx(1.5)
    assert "inference.step_seconds" not in effect.prices


def test_the_interval_of_a_gain_covers_the_choice_of_examples():
    """The method helps on one half of the test split alone, with every seed alike."""
    metric = SimpleNamespace(higher_is_better=False)
    parts = {"without": [0.5] * 20, "with": [0.3] * 10 + [0.5] * 10}
    losses = {
        name: Scores(dict.fromkeys(range(3), sum(of) / 20), dict.fromkeys(range(3), of))
        for name, of in parts.items()
    }
    changed, plain = (
        SimpleNamespace(metric=metric, scores=lambda name=name: losses[name])
        for name in ("with", "without")
    )
    gain = _gain(changed, plain)
    assert gain.value == pytest.approx(0.1) and gain.n == 3
    margin = 2.093 * np.std([0.2] * 10 + [0.0] * 10, ddof=1) / 20**0.5
    assert (gain.low, gain.high) == pytest.approx((0.1 - margin, 0.1 + margin), abs=1e-4)


def test_the_last_method_is_measured_where_the_entry_without_it_is_there():
    records = [run(0, 0.5), run(0, 0.6, "first"), run(0, 0.55, "first", "second")]
    first, both = effects_of(*records)
    assert both.reference == first.entry
    assert both.gain == Estimate(pytest.approx(-0.05), None, None, 1)
    (alone,) = effects_of(records[0], records[2])
    assert alone.gain.value == pytest.approx(0.05)


def test_without_a_reference_an_entry_has_a_score_and_no_gain():
    (alone,) = effects_of(run(0, 0.6, "first"))
    assert (alone.reference, alone.gain, alone.prices) == (None, None, {})
    assert alone.score.value == 0.6
    (comparison,) = compare([run(0, 0.6, "first", status=Status.UNSUPPORTED, reason="no part")])
    assert method_effects(comparison) == []


def test_a_pretraining_is_no_entry_and_can_be_a_reference():
    def pretraining(score, *methods):
        cell = run(0, score, *methods).record.cell
        task = REGISTRY.tasks.get("ner")
        facts = ranking_facts(cell, task, None, objective="nats_per_token")
        return run(0, score, *methods, ranking=facts)

    (comparison,) = compare([pretraining(4.5, "first")])
    assert comparison.entries and method_effects(comparison) == []
    (effect,) = effects_of(pretraining(4.5, "first"), pretraining(4.0, "first", "second"))
    assert effect.reference.endswith("+ first") and effect.gain


def test_a_compressed_model_has_the_costs_before_its_compression_as_reference():
    def inference(seconds):
        return {"inference": {"step_seconds": Measurement(value=seconds, n=1)}}

    before = {"trained": Variant(measurements=inference(4.0))}
    squeezed = run(0, 0.5, "squeezed", measurements=inference(2.0), variants=before)
    (effect,) = effects_of(run(0, 0.5, measurements=inference(100.0)), squeezed)
    assert effect.prices["inference.step_seconds"].value == pytest.approx(0.5)


def test_scores_by_strength_begin_with_the_undisturbed_one():
    conditions = {
        f"typos={strength}": {"validation": {"entity_f1": score}}
        for strength, score in (("0.2", 0.3), ("0.05", 0.4), ("much", 0.1))
    }
    (comparison,) = compare([run(seed, 0.5, "typos", conditions=conditions) for seed in (0, 1)])
    (found,) = condition_scores(comparison)
    assert (found.disturbance, found.sequence_length) == ("typos", CELL.sequence_length)
    assert {at: (one.value, one.n) for at, one in found.by_strength.items()} == {
        "0": (0.5, 2),
        "0.05": (0.4, 2),
        "0.2": (0.3, 2),
    }
    assert list(found.by_strength) == ["0", "0.05", "0.2"]
    frame = Records([run(0, 0.5, "typos", conditions=conditions).record]).to_frame()
    assert frame["validation.entity_f1 (typos=0.2)"].tolist() == [0.3]


def test_a_disturbance_of_the_test_examples_has_no_gain():
    plain, first = run(0, 0.5), run(0, 0.6, "first")
    (effect,) = effects_of(plain, first, run(0, 0.6, "first", "typos"))
    assert effect.entry == "longformer (window=[64]) + first"
    disturbed = compare([plain, run(0, 0.5, "typos")])
    assert [method_effects(comparison) for comparison in disturbed] == [[] for _ in disturbed]
    rows = [row for board in rank_comparisons(disturbed) for row in board.rows]
    assert {row.entry.endswith("+ typos"): UNDISTURBED in row.note for row in rows} == {
        True: True,
        False: False,
    }


def test_scores_by_the_share_of_the_training_examples_need_three_shares():
    def trained_on(share, seed, score):
        return run(seed, score, options={} if share == 1 else {"train_share": share})

    records = [trained_on(share, seed, share / 2) for share in (0.1, 0.01, 1) for seed in range(2)]
    (found,) = data_size_scores(compare(records))
    assert found.comparison.key.task_options == ""
    assert {share: (one.value, one.n) for share, one in found.by_share.items()} == {
        0.01: (0.005, 2),
        0.1: (0.05, 2),
        1.0: (0.5, 2),
    }
    assert list(found.by_share) == [0.01, 0.1, 1.0]
    assert data_size_scores(compare(records[2:])) == []


def test_a_comparison_of_methods_has_the_plain_entries_and_theirs_stays_as_it_is():
    opened, plain = compare([run(0, 0.6, "first"), run(0, 0.5)])
    assert {opened.key.track, plain.key.track} == {"open", "standard"}
    opened, plain = (opened, plain) if opened.key.track == "open" else (plain, opened)
    assert len(opened.entries) == 2 and len(plain.entries) == 1


TUNED = TuningChoice(learning_rate=1e-3, metric="entity_f1", setting={})


def test_untuned_and_submitted_entries_are_measured_against_their_like():
    """The plain entry of the same kind is the reference, and never the entry itself."""
    plain = [run(seed, 0.6) for seed in range(2)]
    smooth = [run(seed, 0.65, "smooth") for seed in range(2)]
    both = (*plain, *smooth)
    tuned = [
        run(one.record.cell.seed, one.record.metrics["validation"]["entity_f1"],
            *(method.name for method in one.record.cell.methods), options={"learning_rate": 1e-3},
            ranking=one.record.ranking.model_copy(update={"tuning": TUNED}))
        for one in both
    ]  # fmt: skip
    found = {one.entry: one for one in effects_of(*plain, *smooth, *tuned)}
    name = "longformer (window=[64])"
    assert found[f"{name} + smooth (untuned)"].reference == f"{name} (untuned)"
    assert found[f"{name} + smooth"].reference == name
    assert all(one.gain.value == pytest.approx(0.05) for one in found.values())
