"""Tuning: validation alone chooses, a rate that fails a seed is none, and later runs use it."""

from __future__ import annotations

import dataclasses
import json

import pytest

from suite.analysis.tuning import choose, first_rates, next_rate, read_choices, write
from suite.api import Metric, Status
from suite.matrix.expansion import expand, shortest_supported
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
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


def test_each_is_tuned_at_the_shortest_length_that_it_supports():
    names = ("vit", "reformer", "gpt")
    request = Request(tasks=("image_classification",), architectures=names, lengths=(16, 64, 256))
    cells = [
        dataclasses.replace(planned, unsupported="takes no 16")
        if (planned.cell.architecture, planned.cell.sequence_length) == ("reformer", 16)
        else planned
        for planned in expand(request, load_registry())
    ]
    assert shortest_supported(cells) == {"vit": 16, "reformer": 64}


def test_it_begins_around_the_task_s_own_rate():
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
def test_the_best_at_an_end_asks_for_the_next_beyond(figures, beyond):
    tried = {rate: runs(ACCURACY, value) for rate, value in figures.items()}
    assert next_rate(tried, ACCURACY) == beyond


def test_what_was_chosen_is_written_and_used(tmp_path):
    rate, trials = choose({3e-3: runs(ACCURACY, 0.9), 1e-3: runs(ACCURACY, 0.8)}, ACCURACY)
    cell = dataclasses.replace(make_record().cell, task="ner", architecture="vanilla")
    path = write(cell, rate, trials, ACCURACY, tmp_path)
    assert path == tmp_path / "ner" / "vanilla.json"
    written = json.loads(path.read_text())
    assert [trial["runs"][0]["validation"] for trial in written["trials"]] == [0.8, 0.9]
    rates = read_choices(tmp_path)
    key = ("ner", cell.task_version, "synthetic", "vanilla")
    assert {key: choice.learning_rate for key, choice in rates.items()} == {key: 3e-3}
    request = Request(tasks=("ner",), architectures=("vanilla", "bert"), lengths=(128,))
    vanilla, bert = expand(request, load_registry(), rates)
    assert vanilla.cell.options == {"learning_rate": 3e-3}
    assert bert.cell.options == {}
    former = {("ner", cell.task_version - 1, "synthetic", "vanilla"): rates[key]}
    assert expand(request, load_registry(), former)[0].cell.options == {}
    elsewhere = dataclasses.replace(request, source="tfds")
    assert all(planned.cell.options == {} for planned in expand(elsewhere, load_registry(), rates))
    asked = dataclasses.replace(request, options={"learning_rate": "0.002"})
    assert [p.cell.options for p in expand(asked, load_registry(), rates)] == [
        {"learning_rate": 0.002}
    ] * 2
