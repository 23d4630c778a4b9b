"""Reports by group of examples: means over seeds, from complete records."""

from __future__ import annotations

import dataclasses

import pytest

from suite.analysis.comparisons import compare
from suite.analysis.estimates import Estimate
from suite.analysis.reports import BY_PART, figures_by_group, grouped_reports, mean_figures
from tests.builders.records import FINAL, make_record, stored


def written(folder, seed, by_type, parts=(0.5, 0.7), others=()):
    """Return the record of a seed, which is on disk."""
    reports = {
        **dict(others),
        "by_type": by_type,
        "without_part": {"entity_f1": parts},
        "confusion": [[1, 2], [3, 4]],
        "micro": {"f1": 0.5},
        "examples": [{"input": "x"}],
    }
    record = make_record(
        cell=dataclasses.replace(FINAL, seed=seed, options={}),
        metrics={"test": {"entity_f1": 0.6}},
        reports={"test": reports},
        data={"fingerprint": "f"},
    )
    path = folder / f"{seed}.json"
    path.write_text(record.to_json())
    return dataclasses.replace(stored(record), path=path)


def test_a_report_has_the_mean_of_each_figure_of_each_group(tmp_path):
    found = [
        written(tmp_path, 0, {"PER": {"f1": 0.4, "recall": 0.5}, "ORG": {"f1": 0.2}}),
        written(tmp_path, 1, {"PER": {"f1": 0.6, "recall": None}}),
        written(tmp_path, 2, {"PER": {"f1": 0.8, "recall": 0.7}}),
    ]
    (comparison,) = compare(found)
    reports = {report.name: report.figures for report in grouped_reports(comparison)}
    assert set(reports) == {"by_type", BY_PART}
    person = reports["by_type"]["PER"]
    assert person["f1"].value == pytest.approx(0.6) and person["f1"].n == 3
    assert person["f1"].low < 0.4 < 0.8 < person["f1"].high  # t with two degrees of freedom
    assert (person["recall"].value, person["recall"].low) == (pytest.approx(0.6), None)  # n = 2
    assert reports["by_type"]["ORG"]["f1"].n == 1
    # The pseudo-values of two parts: 2 * 0.6 - 0.5 and 2 * 0.6 - 0.7.
    assert reports[BY_PART]["1"]["entity_f1"].value == pytest.approx(0.7)
    assert reports[BY_PART]["2"]["entity_f1"].value == pytest.approx(0.5)


def test_of_reports_by_the_same_groups_the_one_of_the_metric_is_drawn(tmp_path):
    """One chart in two units says nothing twice; a report of other groups stays."""
    groups = {"1-8": 0.5, "9-64": 0.6}
    others = dict.fromkeys(("nats_by_position", "entity_f1_by_position", "nats_by_depth"), groups)
    (comparison,) = compare([written(tmp_path, 0, {"PER": {"f1": 0.4}}, others=others)])
    names = {report.name for report in grouped_reports(comparison)}
    assert names == {"by_type", BY_PART, "entity_f1_by_position", "nats_by_depth"}


def test_a_record_that_is_gone_has_no_reports(tmp_path):
    found = [written(tmp_path, seed, {"PER": {"f1": 0.4}}) for seed in range(2)]
    found[0].path.unlink()
    (comparison,) = compare(found)
    (by_type,) = (one for one in grouped_reports(comparison) if one.name == "by_type")
    assert by_type.figures["PER"]["f1"].n == 1


def test_groups_that_start_with_a_number_are_in_its_order():
    figures = mean_figures([figures_by_group({"961-": 0.1, "1-8": 0.3, "9-64": 0.2, "all": 0.5})])
    assert list(figures) == ["1-8", "9-64", "961-", "all"]
    assert figures["9-64"][""].value == 0.2


def test_a_share_of_a_group_has_no_interval():
    """Three seeds that are right in 3 of 3 examples have no spread, and say little."""
    reports = [figures_by_group({"a": value, "b": {"loss": 3 * value}}) for value in (1, 1, 0.4)]
    figures = mean_figures(reports, [""])
    share, loss = figures["a"][""], figures["b"]["loss"]
    assert share == Estimate(pytest.approx(0.8), None, None, 3)
    assert loss.low < 0 and loss.high > 3


@pytest.mark.parametrize(
    "report",
    [5, [1], "text", {"map": "bytes"}, {"length": [1]}, {"a": {"b": {"c": 1}}}, {"a": True}],
)
def test_a_report_of_another_form_is_left_out(report):
    assert figures_by_group(report) == {}
