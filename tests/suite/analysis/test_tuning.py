"""Tuning: validation alone chooses, and a rate is used for exactly its own setting."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from suite.analysis.tuning import LEARNING_RATES, choose, first_rates, next_rate, tune
from suite.api import DataError, Metric, Mode, RequestError, Status
from suite.execution.preparation import prepare
from suite.matrix.request import Request
from suite.records.store import Store
from tests.suite.records.test_store import make_record

ACCURACY, LOSS = Metric("accuracy"), Metric("loss", higher_is_better=False)


def runs(metric: Metric, *figures: float | None, test: float = 0.0):
    return [
        make_record(
            status=Status.OK if figure is not None else Status.DIVERGED,
            metrics={}
            if figure is None
            else {"validation": {metric.name: figure}, "test": {metric.name: test}},
        )
        for figure in figures
    ]


def test_the_best_mean_on_validation_is_chosen():
    chosen = choose(
        {
            1e-3: runs(ACCURACY, 0.8, 0.6, test=0.1),
            3e-3: runs(ACCURACY, 0.5, 0.7, test=0.99),
        },
        ACCURACY,
    )
    assert chosen is not None
    rate, trials = chosen
    assert rate == 1e-3
    assert [trial.validation for trial in trials] == pytest.approx([0.7, 0.6])


def test_lower_is_better_where_it_is():
    chosen = choose({1e-3: runs(LOSS, 2.0), 3e-3: runs(LOSS, 1.0)}, LOSS)
    assert chosen is not None and chosen[0] == 3e-3


def test_a_rate_with_a_seed_that_diverged_is_not_chosen():
    chosen = choose({1e-3: runs(ACCURACY, 0.5, 0.5), 3e-3: runs(ACCURACY, 0.9, None)}, ACCURACY)
    assert chosen is not None and chosen[0] == 1e-3
    assert choose({1e-3: runs(ACCURACY, None)}, ACCURACY) is None


def test_the_first_rates_surround_the_recipe_s_rate():
    assert first_rates(1e-3) == (3e-4, 1e-3, 3e-3)
    assert first_rates(2e-3) == (1e-3, 3e-3, 1e-2)
    assert first_rates(1e-9) == (1e-4, 3e-4, 1e-3)
    assert first_rates(1.0) == (3e-3, 1e-2, 3e-2)


@pytest.mark.parametrize(
    ("figures", "beyond"),
    [
        ({1e-3: 0.5, 3e-3: 0.7, 1e-2: 0.6}, None),
        ({1e-3: 0.5, 3e-3: 0.6, 1e-2: 0.7}, 3e-2),
        ({1e-3: 0.7, 3e-3: 0.6, 1e-2: 0.5}, 3e-4),
        ({1e-2: 0.6, 3e-2: 0.7}, None),
        ({1e-4: 0.7, 3e-4: 0.6}, None),
        ({1e-3: 0.5, 3e-3: None}, 3e-4),
        ({1e-3: None, 3e-3: None}, 3e-4),
    ],
)
def test_a_best_rate_at_an_end_asks_for_the_next_beyond(figures, beyond):
    tried = {rate: runs(ACCURACY, value) for rate, value in figures.items()}
    assert next_rate(tried, ACCURACY) == beyond


def learner(validation):
    """Return a `run` for `tune`: each cell ends at once with `validation(cell)` as its score."""

    def run(prepared):
        cells = [planned.cell for planned in prepared.plan.cells if not planned.unsupported]
        metric = prepared.tasks[cells[0].task].primary_metric.name
        return [
            make_record(cell=cell, metrics={"validation": {metric: validation(cell)}})
            for cell in cells
        ]

    return run


def peak_at(rate):
    """Score best at one learning rate."""

    def validation(cell):
        return 1.0 - abs(math.log(cell.options.get("learning_rate", 1e-3) / rate))

    return validation


def corpus(folder, word):
    folder.mkdir()
    for split in ("train", "valid", "test"):
        (folder / f"{split}.txt").write_text(f"{word} B-PER\nsings O\n. O\n\n" * 40)
    return f"files:{folder}"


def planned_rate(store, folder, **changes):
    """Return the tuned rate that a plan uses for vanilla, or None."""
    asked = Request(tasks=("ner",), architectures=("vanilla",), lengths=(128,), seeds=(5,))
    prepared = prepare(replace(asked, **changes), store, tuning=folder)
    (planned,) = prepared.plan.cells
    tuning = planned.ranking.tuning
    options = {**{"learning_rate": None}, **planned.cell.options}
    assert tuning is None or tuning.learning_rate == options["learning_rate"]
    return tuning and tuning.learning_rate


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "home")
    store.prepare()
    return store


def test_a_tuned_rate_is_used_only_for_the_setting_it_was_tuned_for(tmp_path, store):
    folder, source = tmp_path / "tuning", corpus(tmp_path / "corpus", "Bjork")
    request = Request(tasks=("ner",), architectures=("vanilla",), source=source, lengths=(128,))
    (tuned,) = tune(request, store, learner(peak_at(3e-3)), folder=folder)
    assert (tuned.learning_rate, tuned.sequence_length) == (3e-3, 128)
    written = json.loads(tuned.path.read_text())
    assert written["setting"]["source_digest"] and written["setting"]["steps"]
    assert [trial["learning_rate"] for trial in written["trials"]] == [3e-4, 1e-3, 3e-3, 1e-2]
    assert planned_rate(store, folder, source=source) == 3e-3
    for changes in (
        {"source": corpus(tmp_path / "other", "Ella")},
        {"source": None},
        {"lengths": (256,)},
        {"model_size": "small"},
        {"steps": 1_000},
        {"batch_size": 3},
        {"options": {"dropout": "0.45"}},
        {"architectures": ("bert",)},
        {"options": {"learning_rate": "0.002"}},
    ):
        assert planned_rate(store, folder, **{"source": source, **changes}) is None


def test_tuning_on_other_data_leaves_earlier_choices_alone(tmp_path, store):
    folder, source = tmp_path / "tuning", corpus(tmp_path / "corpus", "Bjork")
    request = Request(tasks=("ner",), architectures=("vanilla",), lengths=(128,))
    tune(replace(request, source=source), store, learner(peak_at(3e-3)), folder=folder)
    tune(request, store, learner(peak_at(3e-4)), folder=folder)
    assert planned_rate(store, folder, source=source) == 3e-3
    assert planned_rate(store, folder) == 3e-4


def test_each_length_is_tuned_where_it_is_supported(tmp_path, store):
    def validation(cell):
        return peak_at({16: 3e-4, 64: 1e-2}[cell.sequence_length])(cell)

    names = ("vit", "reformer", "gpt")  # gpt has no encoder
    request = Request(tasks=("image_classification",), architectures=names, lengths=(16, 64))
    tuned = tune(request, store, learner(validation), folder=tmp_path / "tuning")
    rates = {(item.architecture, item.sequence_length): item.learning_rate for item in tuned}
    expected = {16: 3e-4, 64: 1e-2}
    assert rates == {(name, at): expected[at] for name in ("vit", "reformer") for at in (16, 64)}


def test_a_rate_that_no_seed_survives_is_not_written(tmp_path, store):
    def run(prepared):
        return [
            make_record(cell=planned.cell, status=Status.DIVERGED)
            for planned in prepared.plan.cells
        ]

    request = Request(tasks=("ner",), architectures=("vanilla",), lengths=(128,))
    (tuned,) = tune(request, store, run, folder=tmp_path / "tuning")
    assert (tuned.learning_rate, tuned.path) == (None, None)
    assert min(trial.learning_rate for trial in tuned.trials) == min(LEARNING_RATES)
    assert not (tmp_path / "tuning").exists()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"learning_rate": "fast"}', '{"learning_rate": 1e-3}']
)
def test_a_malformed_tuning_file_is_named(tmp_path, store, content):
    folder = tmp_path / "tuning"
    request = Request(tasks=("ner",), architectures=("vanilla",), lengths=(128,))
    (tuned,) = tune(request, store, learner(peak_at(3e-3)), folder=folder)
    written = tuned.path.read_bytes()
    tuned.path.write_text(content)
    with pytest.raises(DataError, match=tuned.path.name):
        planned_rate(store, folder)
    assert planned_rate(store, folder, steps=1_000) is None  # other cells do not read the file
    tune(request, store, learner(peak_at(3e-3)), folder=folder)
    assert tuned.path.read_bytes() != content and planned_rate(store, folder) == 3e-3
    assert json.loads(written)["setting"] == json.loads(tuned.path.read_text())["setting"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": None, "mode": Mode.PROBE}, "Tuning trains"),
        ({"tasks": ("ner", "sentiment")}, "exactly one task"),
        ({"options": {"learning_rate": "0.1"}}, "learning_rate=0.1"),
    ],
)
def test_tuning_refuses_other_requests(tmp_path, store, changes, message):
    request = Request(tasks=("ner",), architectures=("vanilla",), lengths=(128,))
    with pytest.raises(RequestError, match=message):
        tune(replace(request, **changes), store, learner(peak_at(1e-3)), folder=tmp_path)


def test_equal_scores_choose_no_rate():
    """Every rate scored zero: nothing was learned, so that validation prefers none."""
    assert (
        choose({1e-3: runs(ACCURACY, 0.0, 0.0), 3e-3: runs(ACCURACY, 0.0, 0.0)}, ACCURACY) is None
    )
    assert choose({1e-3: runs(ACCURACY, 0.0)}, ACCURACY) is not None
