"""Figures that are inserted into a page: tables, single values, and marks that name nothing."""

from __future__ import annotations

import dataclasses

import pandas
import pytest

from suite.analysis.comparisons import compare
from suite.publish.inserted_figures import (
    CELL,
    FigureError,
    fill_page,
    selectable,
)
from suite.records.published import read_published
from suite.records.schema import Invocation, Measurement
from tests.builders.boards import seeds
from tests.builders.records import MOMENT, PROBE, make_record, stored, with_fields


def rows(*values, **columns):
    """Return the rows of runs: an entry, a seed, a length, a measure and its value."""
    names = ["entry", "seed", "sequence_length", "measure", "value"]
    frame = pandas.DataFrame(values, columns=names).reindex(columns=dict.fromkeys([*names, *CELL]))
    frame = frame.assign(**columns)
    return frame.assign(cell=frame.groupby(list(CELL), dropna=False).ngroup())


F1, ACCURACY = "test.entity_f1", "test.token_accuracy"
FRAME = rows(
    ("bert", 0, 128, F1, 0.5),
    ("bert", 1, 128, F1, 0.7),
    ("vanilla", 0, 128, F1, 0.25),
    ("bert", 0, 128, ACCURACY, 0.9),
    ("bert", 1, 128, ACCURACY, 0.9),
    ("vanilla", 0, 128, ACCURACY, 0.8),
    ("vanilla", 1, 512, ACCURACY, 0.7),
)


def filled(mark, frame=FRAME):
    text = fill_page(f"Before <!-- {mark} -->stale<!-- end --> after", frame)
    assert text.startswith(f"Before <!-- {mark} -->") and text.endswith("<!-- end --> after")
    assert fill_page(text, frame) == text  # filling again changes nothing
    return text.removeprefix(f"Before <!-- {mark} -->").removesuffix("<!-- end --> after")


def test_a_value_is_the_mean_of_the_selected_records():
    mark = """value where="entry == 'bert'" value="test.entity_f1" format=".2f\""""
    assert filled(mark) == "0.60"
    assert filled(f'{mark} times="100"') == "60.00"


def test_a_table_has_a_row_for_each_value_and_shows_what_is_missing():
    mark = 'table rows="entry" columns="sequence_length" value="test.entity_f1" format=".2f"'
    assert filled(mark).strip().splitlines() == [
        "| entry | 128 |",
        "| --- | ---: |",
        "| `bert` | 0.60 |",
        "| `vanilla` | 0.25 |",
    ]
    mark = 'table rows="entry" columns="seed" value="test.token_accuracy" format=".1f"'
    assert filled(mark).strip().splitlines()[2:] == [
        "| `bert` | 0.9 | 0.9 |",
        "| `vanilla` | 0.8 | 0.7 |",
    ]


def test_a_table_has_a_column_for_each_value_and_is_sorted():
    mark = (
        'table rows="entry" value="test.token_accuracy,test.entity_f1" format=".2f" sort="low" '
        'where="sequence_length == 128"'
    )
    assert filled(mark).strip().splitlines() == [
        "| entry | test.token_accuracy | test.entity_f1 |",
        "| --- | ---: | ---: |",
        "| `vanilla` | 0.80 | 0.25 |",
        "| `bert` | 0.90 | 0.60 |",
    ]
    titled = filled(f'{mark} titles="accuracy,entity F1"').strip().splitlines()
    assert titled[0] == "| entry | accuracy | entity F1 |"


def test_a_value_may_be_of_one_length():
    mark = (
        'table rows="entry" value="test.token_accuracy@128,test.token_accuracy@512" '
        'format=".2f" sort="high"'
    )
    assert filled(mark).strip().splitlines() == [
        "| entry | test.token_accuracy@128 | test.token_accuracy@512 |",
        "| --- | ---: | ---: |",
        "| `bert` | 0.90 | – |",
        "| `vanilla` | 0.80 | 0.70 |",
    ]


def test_a_page_without_marks_is_left_as_it_is():
    assert fill_page("# Results\n<!-- a comment -->\n", FRAME) == "# Results\n<!-- a comment -->\n"


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ("""value where="entry == 'gpt'" value="test.entity_f1\"""", "select at least one figure"),
        ("""value where="entry ==" value="test.entity_f1\"""", "`where` must select rows"),
        ('value value="test.bleu"', "names measures. Received: test.bleu"),
        ('value value="seed" digits="3"', "Received: digits"),
        (
            'table rows="entry" value="test.entity_f1" titles="a,b"',
            "one title for each value, all different. Received: a,b",
        ),
        (
            'table rows="entry" value="test.entity_f1,test.entity_f1" titles="a,a"',
            "all different. Received: a,a",
        ),
        ("value where=\"entry == 'bert'\"", "A value has the field value"),
        ('value value=""', "A value has the field value"),
        ("value ", "A value has the field value"),
        ("value\nformat='.2f'", "A value has the field value"),
        ('table value="seed"', "A table has the field rows"),
        ('value value="seed', "fields of a mark are quoted: No closing quotation"),
        ("value value=seed where='", "fields of a mark are quoted"),
        ('value value="seed" format="%d"', "`format` a format of Python"),
        ('value value="seed" format=".2q"', "`format` a format of Python"),
        ('value value="seed" format="d"', "`format` a format of Python"),
        ('value value="seed" times="x"', "`times` is a number"),
        ('table rows="who" value="test.entity_f1"', "names columns. Received: who"),
        ('table rows="entry" value="seed" sort="up"', "`sort` is high or low. Received: up"),
        ('value value="seed@long"', "A value is of a length"),
        ('value value="seed" value="seed"', "each field once"),
        ('value value="seed" bold', "Received: bold"),
    ],
)
def test_a_mark_that_names_no_figure_is_an_error(mark, message):
    with pytest.raises(FigureError, match=message):
        filled(mark)


def test_a_mark_without_its_end_is_an_error():
    with pytest.raises(FigureError, match="needs <!-- end -->"):
        fill_page('<!-- value value="seed" -->3', FRAME)


def test_published_records_have_entries_without_learning_rates():
    records = read_published()
    assert any("learning_rate=" in stored.record.ranking.entry for stored in records)
    frame = selectable(compare(records))
    assert not frame["entry"].str.contains(r"[( ]learning_rate|\( | \)|\(\)").any()
    assert {"entry", "learning_rate", "sequence_length"} <= {*frame}
    assert not frame.duplicated(["run_id", "measure"]).any()


def probe(entry, value, noisy=(), processor="old", digest="a", session="first", number=0):
    measured = Measurement(value=value, n=1)
    return make_record(
        cell=dataclasses.replace(PROBE, architecture=entry, round=number),
        measurements={"training": {"step_seconds": measured}, "inference": {"mfu": measured}},
        details={"noisy": noisy},
        environment={"processor": processor, "cost_digest": digest},
        invocation=Invocation(id=session, started_at=MOMENT, command="bench", planned_cells=1),
    )


COST = 'table rows="entry" value="training.step_seconds,inference.mfu" format=".0f"'


def costs_of(*probes):
    return filled(COST, selectable(compare(map(stored, probes)))).strip().splitlines()[2:]


def test_noisy_costs_are_left_out():
    shown = costs_of(probe("vanilla", 1.0), probe("vanilla", 9.0, noisy=("training",), number=1))
    assert shown == ["| `vanilla` | 1 | 3 |"], "the geometric mean of 1 and 9 is 3"


def test_entries_may_have_code_of_different_versions():
    shown = costs_of(probe("lstm", 1.0, digest="b"), probe("vanilla", 2.0))
    assert shown == ["| `lstm` | 1 | 1 |", "| `vanilla` | 2 | 2 |"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (probe("lstm", 1.0, processor="new"), "of one machine, not of new.* and old"),
        (probe("lstm", 1.0, session="later"), "of one session, not of first and later"),
        (
            probe("vanilla", 1.0, digest="b", number=1),
            "one version of its code: vanilla has several",
        ),
    ],
)
def test_costs_that_cannot_be_compared_are_an_error(other, message):
    with pytest.raises(FigureError, match=message):
        costs_of(probe("vanilla", 1.0), other)


@pytest.mark.parametrize(
    ("column", "values"),
    [("sequence_length", [128, 512]), ("steps", [1, 2]), ("benchmark", ["core-1", None])],
)
def test_a_figure_is_of_repeats_of_one_cell(column, values):
    """A mean over lengths or budgets would be a figure of nothing that anybody ran."""
    scores = [("bert", seed, 128, F1, 0.6) for seed in range(2)]
    mark = 'table rows="entry" value="test.entity_f1"'
    with pytest.raises(FigureError, match=f"several in {column}"):
        filled(mark, rows(*scores, **{column: values}))
    same = rows(*scores, **{column: values[:1] * 2})
    assert filled(mark, same).endswith("| `bert` | 0.6 |\n")


def test_only_valid_runs_are_inserted():
    newer = seeds("vanilla", [0.5, 0.6, 0.7], minutes=9)
    frame = selectable(compare([*newer, *seeds("vanilla", [0.1] * 3)]))
    assert sorted(frame.loc[frame["measure"] == F1, "value"]) == [0.5, 0.6, 0.7]


def test_a_method_keeps_its_learning_rate():
    entries = ["a (learning_rate=0.1)", "a (learning_rate=0.1 b=2)", "a (b=2 learning_rate=0.1)"]
    entries.append("a (b=2) + pretrain:learning_rate=0.002,steps=3")
    (run,) = seeds("vanilla", [0.5])
    runs = (
        with_fields(
            run,
            ranking=run.record.ranking.model_copy(update={"entry": entry}),
            run_id=f"{run.record.run_id}{number}",
        )
        for number, entry in enumerate(entries)
    )
    frame = selectable(compare(runs))
    assert set(frame["entry"]) == {"a", "a (b=2)", entries[3]}


@pytest.fixture
def reported(tmp_path):
    """Runs of two seeds of vanilla, whose complete records have a report by group."""
    runs = []
    for number, run in enumerate(seeds("vanilla", (0.8, 0.9, 0.7))):
        report = {"f1_by_type": {"PERSON": 0.5 + number / 10, "PLACE": {"f1": 0.1}}}
        record = run.record.model_copy(update={"reports": {"test": report}})
        path = tmp_path / f"{number}.json"
        path.write_text(record.to_json())
        runs.append(dataclasses.replace(run, path=path))
    other = [with_fields(run, metrics={"test": {"accuracy": 0.5}}) for run in seeds("bert", (0.1,))]
    return selectable(compare([*runs, *other]))


def test_a_value_may_be_a_group_of_a_report(reported):
    where = """where="entry == 'vanilla'\""""
    mark = f'value {where} value="test.f1_by_type.PERSON" format=".2f"'
    assert filled(mark, reported) == "0.60"
    mark = f'table {where} rows="seed" value="test.f1_by_type.PERSON,test.entity_f1" titles="a,b"'
    assert filled(mark, reported).strip().splitlines()[2:4] == [
        "| 0 | 0.5 | 0.8 |",
        "| 1 | 0.6 | 0.9 |",
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("test.f1_by_type.OTHER", "names reports that runs have. Received: test.f1_by_type.OTHER"),
        ("test.f1_by_type.PLACE", "names reports that runs have"),
        ("train.f1_by_type.PERSON", "names measures. Received: train"),
    ],
)
def test_a_report_that_no_run_has_is_an_error(reported, value, message):
    where = """where="entry == 'vanilla'\""""
    with pytest.raises(FigureError, match=message):
        filled(f'value {where} value="{value}"', reported)
