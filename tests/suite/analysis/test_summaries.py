"""What the pages show beside boards: Pareto fronts, significant pairs, trials, learning rates."""

from __future__ import annotations

import dataclasses

import pytest

from suite.analysis.comparison_key import ComparisonKind
from suite.analysis.comparisons import compare
from suite.analysis.learning_rates import (
    count_unranked,
    search_summaries,
)
from suite.analysis.pairwise import pair_differences
from suite.analysis.tradeoffs import pareto_front
from suite.api import Mode, Status
from suite.records.measures import QUALITY
from suite.records.schema import Measurement, RateTrial, TrialRun, TuningChoice
from suite.records.tuned_rates import Tuned
from tests.builders.records import FINAL, PROBE, REGISTRY, TRIAL, make_record, stored

SPEED = "training.tokens_per_second"
TASKS = REGISTRY.tasks.plugins


def run(entry, score, speed, seed=0):
    cell = dataclasses.replace(FINAL, architecture=entry, seed=seed, options={})
    measured = {"training": {"tokens_per_second": Measurement(value=speed, n=1)}}
    metrics = {"test": {"entity_f1": score}}
    data = {"fingerprint": "f"}
    return stored(make_record(cell=cell, metrics=metrics, measurements=measured, data=data))


def test_a_pareto_front_has_the_points_that_no_other_beats():
    points = {"a": (0.5, 10.0), "b": (0.6, 8.0), "c": (0.55, 7.0), "d": (0.5, 9.0)}
    assert pareto_front(points) == ["a", "b"]
    assert pareto_front(points | {"e": (0.6, 8.0)}) == ["a", "b", "e"]
    # If a lower score is better, a is the fastest and the best.
    assert pareto_front({name: (-score, speed) for name, (score, speed) in points.items()}) == ["a"]


def test_a_pair_names_the_entry_that_is_significantly_better():
    runs = [
        run(entry, score + 0.001 * (seed % 2), speed * (1 + 0.001 * seed), seed)
        for entry, score, speed in (("a", 0.5, 100.0), ("b", 0.7, 50.0))
        for seed in range(3)
    ]
    (comparison,) = compare(runs)
    found = {pair.measure: pair.better for pair in pair_differences(comparison, [SPEED])}
    assert found == {QUALITY: "b", SPEED: "a"}


def test_pairs_without_three_common_seeds_are_left_out():
    runs = [
        run(entry, 0.5, 9.0, first + seed)
        for entry, first in (("a", 0), ("b", 2), ("c", 0))
        for seed in range(3)
    ]
    (comparison,) = compare(runs)
    found = {(pair.first, pair.second) for pair in pair_differences(comparison, [SPEED])}
    assert found == {("a", "c")}


def test_trials_are_counted_and_are_a_kind_of_their_own():
    cells = [TRIAL, dataclasses.replace(TRIAL, sequence_length=256), FINAL, PROBE]
    records = [stored(make_record(cell=cell)) for cell in cells]
    (count,) = count_unranked(records)
    assert (count.task, str(count)) == ("ner", "2 trials of 1 architecture at lengths 128, 256")
    kinds = {comparison.key.mode: comparison.key.kind for comparison in compare(records[2:])}
    assert kinds == {Mode.TRAIN: ComparisonKind.FINAL, Mode.PROBE: ComparisonKind.COSTS}
    assert {comparison.key.kind for comparison in compare(records[:2])} == {ComparisonKind.TRIAL}
    marked = dataclasses.replace(TRIAL, scores_test=True)  # a run with --test is no final run
    assert count_unranked([stored(make_record(cell=marked))])[0].num_trainings == 1


def test_final_runs_of_an_unranked_benchmark_are_counted_without_cells_that_never_started():
    unranked = make_record(cell=FINAL).ranking.model_copy(update={"ranked": False})
    skipped = dataclasses.replace(FINAL, architecture="bert")
    records = [
        make_record(cell=FINAL),
        make_record(cell=FINAL, ranking=unranked),
        make_record(cell=skipped, ranking=unranked, status=Status.UNSUPPORTED),
        make_record(cell=TRIAL),
    ]
    count, trials = count_unranked(map(stored, records))
    assert (count.benchmark, trials.benchmark) == (FINAL.benchmark, None)
    assert str(count) == f"1 run of 1 architecture at length {FINAL.sequence_length}"


def choice(task, score, **setting):
    fields = {"sequence_length": 128, "source": "tfds", "model_size": "tiny", "steps": 500}
    run: TrialRun = {"seed": 0, "status": "ok", "validation": score}
    trials: tuple[RateTrial, ...] = (
        {"learning_rate": 0.003, "steps": 100, "validation": score, "runs": [run, run]},
        {"learning_rate": 0.003, "steps": 50, "validation": 0.1, "runs": [run]},
        {"learning_rate": 0.001, "steps": 100, "validation": None, "runs": [run]},
    )
    return TuningChoice(
        learning_rate=0.003,
        metric=f"validation {TASKS[task].primary_metric.name}",
        setting={**fields, "options": {}, **setting},
        good_range_decades=0.5,
        cost=1.9,
        trials=trials,
    )


@pytest.mark.parametrize(
    ("task", "best"), [("ner", "bert"), ("language_modeling", "vanilla")], ids=["higher", "lower"]
)
def test_searches_have_the_best_score_first_and_their_trials_in_order(task, best):
    tuned = [
        Tuned(task, "vanilla", choice(task, 0.6)),
        Tuned(task, "bert", choice(task, 0.7)),
        Tuned(task, "bert", choice(task, 0.9, sequence_length=64)),
    ]
    searches = search_summaries(tuned, TASKS)
    assert [one.sequence_length for one in searches] == [64, 128, 128]
    assert searches[1].entry == best
    tried = [(one.steps, one.learning_rate, one.num_seeds) for one in searches[0].tried]
    assert tried == [(50, 0.003, 1), (100, 0.001, 1), (100, 0.003, 2)]
    assert (searches[0].num_trials, searches[0].window, searches[0].score) == (4, 0.5, 0.9)
    assert searches[0].data == "tfds, size tiny, final runs of 500 steps"


def test_a_search_states_the_options_of_the_task_with_its_data():
    options = {"validations": 2, "positions": "rotary"}
    (search,) = search_summaries(
        [Tuned("ner", "vanilla", choice("ner", 0.6, options=options))], TASKS
    )
    assert search.entry == "vanilla (positions=rotary)"
    assert search.data == "tfds, size tiny, final runs of 500 steps, validations=2"
