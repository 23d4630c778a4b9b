"""Scores along the evaluation length: tables, reports and what is not applicable."""

from __future__ import annotations

import csv
import dataclasses
import io
import math

import pytest

from dashboards.data import board_rows
from suite.actions.results import Records, Tables
from suite.analysis.boards import rank_comparisons
from suite.analysis.comparisons import compare
from suite.analysis.estimates import wilson_interval
from suite.analysis.reports import grouped_reports
from suite.analysis.tables import make_tables
from suite.records.schema import parse_record, parse_summary
from suite.report.archive import to_csv
from suite.report.tables import print_tables
from tests.builders.records import FINAL, make_record, stored
from tests.suite.analysis.diagnostic_records import trained, write

REASON = "not applicable: GPT-2 has learned positions, which end at its training length"


def written(folder, architecture, seed, by_length):
    """Return the summary of a record that is on disk."""
    record = make_record(
        cell=dataclasses.replace(
            FINAL,
            architecture=architecture,
            seed=seed,
            options={},
            evaluation_lengths=tuple(map(int, by_length)),
        ),
        metrics={"test": {"entity_f1": 0.9}},
        reports={"test": {"by_evaluation_length": by_length}},
        data={"fingerprint": "f"},
    )
    path = folder / f"{architecture}-{seed}.json"
    path.write_text(record.to_json())
    assert parse_record(path.read_bytes()) == record
    return dataclasses.replace(stored(parse_summary(path.read_bytes())), path=path)


@pytest.fixture
def records(tmp_path):
    figures = [
        {"512": {"entity_f1": 0.9, "examples": 7}, "2048": {"entity_f1": one, "examples": 2}}
        for one in (0.2, 0.4, 0.6)
    ]
    found = [written(tmp_path, "vanilla", seed, one) for seed, one in enumerate(figures)]
    return [*found, written(tmp_path, "gpt", 0, {"512": figures[0]["512"], "2048": REASON})]


def test_a_table_has_a_column_for_each_evaluation_length(records, capsys):
    (table,) = make_tables(records)
    assert table.evaluation_lengths == [512, 2_048]
    rows = {row.entry: row for row in table.rows}
    assert rows["vanilla"].by_evaluation_length[2_048].value == pytest.approx(0.4)
    assert rows["vanilla"].by_evaluation_length[2_048].n == 3
    assert rows["gpt"].by_evaluation_length[2_048] == REASON
    print_tables([table])
    shown = capsys.readouterr().out
    assert "tested at" in shown and "applicable" in shown and REASON in " ".join(shown.split())


def test_data_frames_have_the_scores_at_each_evaluation_length(records):
    first = Records([stored.record for stored in records]).to_frame()
    assert first["test.entity_f1_at_2048"].tolist()[:3] == [0.2, 0.4, 0.6]
    frame = Tables(make_tables(records)).to_frame().set_index("entry")
    assert frame["test.entity_f1_at_2048"]["vanilla"] == pytest.approx(0.4)
    assert frame["test.entity_f1_at_2048"].dtype == float
    assert math.isnan(frame["test.entity_f1_at_2048"]["gpt"])
    assert frame["test.entity_f1_at_2048_reason"]["gpt"] == REASON


def test_what_exceeded_memory_is_named_in_the_table(tmp_path, capsys):
    reason = "out_of_memory: exceeded the memory limit of 8.0 GiB at length 2,048"
    figures = {"512": {"entity_f1": 0.9, "examples": 7}, "2048": reason}
    (record,) = [written(tmp_path, "vanilla", 0, figures)]
    print_tables(make_tables([record]))
    shown = " ".join(capsys.readouterr().out.split())
    assert f"vanilla: {reason}" in shown and "not applicable" not in shown
    (comparison,) = compare([record])
    (report,) = grouped_reports(comparison)
    assert list(report.figures) == ["512"] and report.reasons == {"2048": reason}


def test_the_rows_of_a_board_have_the_scores_at_each_evaluation_length(records):
    comparisons = compare(records)
    (board,) = rank_comparisons(comparisons)
    rows = {row.entry: row.by_evaluation_length for row in board.rows}
    assert rows["gpt"][2_048] == REASON and rows["gpt"][512].value == 0.9
    names = sorted(rows)
    numbers = {name: number for number, name in enumerate(names)}
    (drawn,) = board_rows([board], comparisons, numbers)
    tested = zip(drawn["rows"]["entry"], drawn["rows"]["tested"], strict=True)
    by_entry = {names[number]: scores for number, scores in tested}
    score = {"value": 0.9, "low": None, "high": None, "n": 1, "missing": ""}
    assert by_entry["gpt"] == {"512": score, "2048": REASON}
    score = by_entry["vanilla"]["2048"]
    assert (score["value"], score["n"]) == (0.4, 3) and score["low"] < 0.2 < 0.6 < score["high"]
    lines = list(csv.DictReader(io.StringIO(to_csv([board]))))
    assert len(lines) == 3 * len(board.rows)
    found = {(line["entry"], line["evaluation_length"]): line for line in lines}
    assert found["vanilla", ""]["value"] == "0.9" and found["vanilla", ""]["worker_seconds"] == ""
    at = found["vanilla", "2048"]
    assert (float(at["value"]), at["n"], at["rank"]) == (pytest.approx(0.4), "3", "")
    assert at["run_ids"] == found["vanilla", ""]["run_ids"]
    assert found["gpt", "2048"]["note"] == REASON and found["gpt", "2048"]["value"] == ""


def test_a_report_along_the_length_has_intervals_and_reasons(records):
    (comparison,) = compare(records)
    found = {one.entry: one for one in grouped_reports(comparison)}
    assert list(found["vanilla"].figures) == ["512", "2048"] and not found["vanilla"].reasons
    longest = found["vanilla"].figures["2048"]["entity_f1"]
    assert longest.low < 0.2 < 0.6 < longest.high and longest.n == 3
    assert list(found["gpt"].figures) == ["512"] and found["gpt"].reasons == {"2048": REASON}


def along(longer, trained=1.0):
    """Return the report of 1,000 examples at 64, and of 32 examples at each longer length."""
    scores = {
        str(at): one if isinstance(one, str) else {"accuracy": one, "examples": 32}
        for at, one in longer.items()
    }
    return {"by_evaluation_length": {"64": {"accuracy": trained, "examples": 1_000}, **scores}}


def test_the_interval_of_a_share_covers_the_examples_of_each_length(tmp_path):
    """Three equal seeds at 1 say little with 32 examples, and more with 1,000."""
    found = [
        trained("duplication", "vanilla", seed, 1.0, 64, reports=along({1_024: 1.0, 4_096: last}))
        for seed, last in enumerate((1.0, 0.9, 0.2))
    ]
    (comparison,) = compare(write(found, tmp_path))
    (point,) = comparison.entries
    scores = point.by_evaluation_length
    assert scores[64].low > 0.99 > 0.9 > scores[1_024].low > 0.8
    assert 0 < scores[4_096].low < 0.3 and 0.9 < scores[4_096].high < 1
    reports = {report.name: report for report in grouped_reports(comparison)}
    drawn = reports["by_evaluation_length"].figures
    assert [drawn[str(at)]["accuracy"] for at in scores] == list(scores.values())


def of_one_length(folder, scores, length=16_384):
    """Return the comparison of a model that was trained at 64 and also scored at a length."""
    found = []
    for seed, score in enumerate(scores):
        parts = {"without_part": {"accuracy": [0.5 + 0.01 * seed, 0.6, 0.4]}}
        reports = {**along({length: score}, trained=0.5), **parts}
        found.append(trained("duplication", "vanilla", seed, 0.5, 64, reports=reports))
    (comparison,) = compare(write(found, folder))
    return comparison


@pytest.mark.parametrize("right", [(10, 11, 12), (31, 32, 32), (1, 0, 0), (32, 32, 32), (8, 8, 8)])
def test_the_interval_of_a_share_of_few_examples_contains_wilsons(tmp_path, right):
    """All seeds see the same 32 examples, so the spread of the seeds does not cover the sample."""
    (point,) = of_one_length(tmp_path, [one / 32 for one in right]).entries
    score = point.by_evaluation_length[16_384]
    low, high = wilson_interval(sum(right) / 96, 32)
    assert score.low >= 0 and score.high <= 1
    if len(set(right)) == 1:
        assert (score.low, score.high) == pytest.approx((low, high))
    else:
        assert score.low < low and high < score.high
    if right == (10, 11, 12):
        assert (score.low, score.high) == pytest.approx((0.192, 0.537), abs=1e-3)


def test_the_score_at_the_training_length_has_one_interval(tmp_path):
    comparison = of_one_length(tmp_path, [0.5, 0.5, 0.5])
    (point,) = comparison.entries
    assert point.by_evaluation_length[64] == point.score
    assert point.score.high - point.score.low > 0.1  # three parts differ
    reports = {report.name: report for report in grouped_reports(comparison)}
    assert reports["by_evaluation_length"].figures["64"]["accuracy"] == point.score


def test_a_mean_over_some_seeds_says_why_the_others_have_no_score(tmp_path, capsys):
    reason = "timed_out: exceeded the time limit of 60 s at length 16,384"
    missing = f"1 of 3 seeds: {reason}"
    for scores in ([0.5, 0.7, reason], [reason, 0.5, 0.7]):
        comparison = of_one_length(tmp_path, scores)
        score = comparison.entries[0].by_evaluation_length[16_384]
        assert (score.value, score.n, score.missing) == (pytest.approx(0.6), 2, missing)
    reports = {report.name: report for report in grouped_reports(comparison)}
    assert reports["by_evaluation_length"].reasons == {"16384": missing}
    boards = rank_comparisons([comparison])
    lines = list(csv.DictReader(io.StringIO(to_csv(boards))))
    assert [line["note"] for line in lines if line["evaluation_length"] == "16384"] == [missing]
    (drawn,) = board_rows(boards, [comparison], {"vanilla": 0})
    assert drawn["rows"]["tested"][0]["16384"]["missing"] == missing
    print_tables(make_tables([run for point in comparison.entries for run in point.runs]))
    assert f"vanilla: {missing}" in " ".join(capsys.readouterr().out.split())


def test_a_model_that_is_applicable_nowhere_still_has_its_reason(tmp_path):
    (comparison,) = compare([written(tmp_path, "gpt", 0, {"2048": REASON})])
    (report,) = grouped_reports(comparison)
    assert report.figures == {} and report.reasons == {"2048": REASON}
