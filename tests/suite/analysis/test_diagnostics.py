"""Diagnostics: who solves a task and when, the charts, and the sentences on them."""

from __future__ import annotations

import dataclasses
import math

import pytest

from suite.analysis import diagnostic_readings as readings
from suite.analysis.aggregate import compare
from suite.analysis.diagnostic_charts import Section, make_charts
from suite.analysis.diagnostics import find_diagnostics
from suite.analysis.statistics import Estimate, wilson_interval
from suite.api import Metric, PluginError, Status, Task
from tests.suite.analysis.diagnostic_records import (
    NOT_APPLICABLE,
    decodings,
    extrapolation,
    recall,
    retrieval,
    states,
    trained,
    write,
)
from tests.suite.records.test_store import REGISTRY

TASKS = REGISTRY.tasks.plugins


def diagnose(records, folder):
    return find_diagnostics(compare(write(records, folder)), TASKS)


def charts_of(records, folder):
    comparisons = compare(write(records, folder))
    return make_charts(find_diagnostics(comparisons, TASKS), comparisons)


def means(line):
    return {place: pytest.approx(one.value, abs=5e-3) for place, one in line.figures.items()}


def named(values):
    """Return estimates of three seeds by place."""
    return {place: Estimate(value, None, None, 3) for place, value in values.items()}


def test_generated_tasks_and_duplication_are_diagnostics():
    solved_at = {name: task.solved_at for name, task in TASKS.items() if task.solved_at}
    assert set(solved_at.values()) == {0.99}
    assert {"associative_recall", "duplication", "state_tracking"} <= solved_at.keys()
    assert not {"ner", "language_modeling"} & solved_at.keys()


def test_the_share_of_seeds_that_solve_a_task_and_their_steps_stand_beside_the_mean(tmp_path):
    parity, s3 = diagnose(states(), tmp_path)
    assert (parity.setting, s3.setting) == ("parity", "s3")
    assert s3.title == "State tracking, up to 40 symbols: s3"
    best, other = parity.rows()
    assert (best.entry, other.entry) == ("lstm", "vanilla")
    # One of three seeds is at chance, so the mean is that of no seed.
    assert best.score.value == pytest.approx(2.5 / 3) and best.score.n == 3
    assert best.solved == Estimate(2 / 3, *wilson_interval(2 / 3, 3), 3)
    assert best.median_steps == 200  # the second of four validations in 400 steps
    assert other.solved.value == 0 and math.isinf(other.median_steps)


def test_a_run_without_a_curve_has_no_steps_and_a_run_that_failed_a_reason(tmp_path):
    good = trained("duplication", "vanilla", 0, 1.0, 64)
    failed = trained("duplication", "lstm", 0, 0.0, 64, reason="too slow")
    update = {"status": Status.TIMED_OUT, "metrics": {}}
    failed = dataclasses.replace(failed, record=failed.record.model_copy(update=update))
    (found,) = diagnose([good, failed], tmp_path)
    one, other = found.rows()
    assert one.median_steps is None and one.solved == Estimate(1.0, None, None, 1)
    assert (other.score, other.solved, other.note) == (None, None, "timed_out: too slow")


def test_trials_are_drawn_only_of_a_task_without_final_runs(tmp_path):
    final = trained("duplication", "vanilla", 0, 0.5, 64)
    trial = {"benchmark": None, "scores_test": False}
    others = [
        trained("duplication", "vanilla", 0, 1.0, 64, **trial),
        trained("induction_heads", "vanilla", 0, 1.0, 64, **trial),
        trained("induction_heads", "vanilla", 0, 0.4, 64, options={"occurrences": 1}, **trial),
    ]
    found = diagnose([final, *others], tmp_path)
    assert [(one.title, one.comparison.key.benchmark) for one in found] == [
        ("Duplication, up to 1,024 symbols", "diagnostics-1"),
        ("Induction heads, up to 256 symbols: 16", ""),
        ("Induction heads, up to 256 symbols: 1", ""),
    ]


def test_the_first_comparison_of_a_setting_is_drawn(tmp_path):
    runs = [trained("duplication", "vanilla", 0, 0.5, 64, benchmark=f"b-{n}") for n in (1, 2)]
    comparisons = compare(write(runs, tmp_path))
    for order in (comparisons, comparisons[::-1]):
        (found,) = find_diagnostics(order, TASKS)
        assert found.comparison is order[0]


def test_only_a_share_says_that_a_task_is_solved():
    with pytest.raises(PluginError, match="Received: loss in Odd"):
        type("Odd", (Task,), {"solved_at": 0.1, "primary_metric": Metric("loss")})


def test_a_state_that_some_seed_declares_is_known(tmp_path):
    """A record from before the size was recorded has none."""
    reports = {"by_pairs": {"4": 0.99}}
    records = [
        trained("associative_recall", "mamba2", seed, 0.99, 64, state=state, reports=reports)
        for seed, state in enumerate((None, 4_096, 4_096))
    ]
    chart, *_ = charts_of(records, tmp_path)
    assert chart.against == "state_bytes"
    assert [means(line) for line in chart.lines] == [{"4096": 0.99}]


def test_recall_is_drawn_against_the_state_and_against_the_pairs(tmp_path):
    charts = charts_of(recall(), tmp_path)
    state, pairs, _ = charts
    assert [chart.against for chart in charts] == ["state_bytes", "pairs", "evaluation_length"]
    assert [chart.section for chart in charts] == [Section.RECALL] * 2 + [Section.LENGTHS]
    found = {line.name: means(line) for line in state.lines}
    assert found == {
        "lstm": {"2048": 0.599},
        "mamba2": {"65536": 0.994},
        "reformer": {},
        "vanilla": {"131072": 0.998},
    }
    reasons = {line.name: list(line.reasons.values()) for line in state.lines if line.reasons}
    assert reasons == {"reformer": ["the bytes of its state are unknown"]}
    assert state.reading == (
        "The smallest state that reaches 0.99 is that of mamba2: 64 KiB, accuracy 0.994 (3 seeds)."
    )
    (mamba,) = (line for line in pairs.lines if line.name == "mamba2")
    assert means(mamba) == {"4 in 64": 0.994, "16 in 256": 0.699, "64 in 1,024": 0.199}
    assert all(one.low is not None for line in pairs.lines for one in line.figures.values())
    assert pairs.reading == (
        "From 4 pairs in 64 positions to 64 pairs in 1,024 positions, mamba2 falls from 0.994 to "
        "0.199; vanilla falls from 0.998 to 0.969 (3 seeds)."
    )


def test_states_have_their_scaled_accuracy_by_problem_and_by_length(tmp_path):
    problems, parity, s3 = charts_of(states(), tmp_path)
    assert {chart.section for chart in (problems, parity, s3)} == {Section.STATES}
    assert {chart.measure for chart in (problems, parity, s3)} == {"scaled_accuracy"}
    found = {line.name: line for line in problems.lines}
    assert means(found["lstm"]) == {"parity": 2 / 3, "s3": 1.0}
    assert found["lstm"].figures["parity"].high == 1.0  # no scaled accuracy is above 1
    assert problems.reading == (
        "lstm reaches 0.99 in s3, no entry in more problems, and none in parity (3 seeds)."
    )
    assert parity.reading == (
        "No entry reaches 0.99 at length 40; from there to length 80, lstm falls from 0.667 to "
        "0.533 (3 seeds)."
    )
    assert s3.reading == "From length 40 to length 80, lstm falls from 1.000 to 0.880 (3 seeds)."


def test_a_single_problem_is_drawn_along_the_evaluation_length(tmp_path):
    runs = [one for one in states() if not one.record.cell.options]
    (chart,) = charts_of(runs, tmp_path)
    assert (chart.section, chart.against) == (Section.STATES, "evaluation_length")
    assert chart.title == "State tracking, up to 40 symbols"


def test_extrapolation_names_the_entry_that_falls_and_the_one_that_does_not(tmp_path):
    (chart,) = charts_of(extrapolation(), tmp_path)
    assert (chart.section, chart.sequence_length) == (Section.LENGTHS, 256)
    found = {line.name: line for line in chart.lines}
    learned = found["vanilla (positions=learned)"]
    assert means(learned) == {"256": 0.995}
    assert learned.reasons == {"1024": NOT_APPLICABLE, "4096": NOT_APPLICABLE}
    assert chart.reading == (
        "From length 256 to length 4,096, vanilla (positions=rotary) falls from 0.998 to 0.090; "
        "mamba2 falls from 1.000 to 0.980 (3 seeds)."
    )


def test_each_entry_has_a_heat_map_of_depth_and_length(tmp_path):
    maps = [one for one in charts_of(retrieval(), tmp_path) if one.section is Section.DEPTHS]
    assert [chart.entry for chart in maps] == ["mamba2", "vanilla"]
    assert [line.name for line in maps[0].lines] == ["512", "2048"]
    assert [chart.reading for chart in maps] == [
        "mamba2 reaches 0.99 at every depth up to length 512; at 2,048 its lowest accuracy is "
        "0.000 (depth 0-10%; 3 seeds).",
        "At length 512, the accuracy of vanilla lies between 0.000 (depth 0-10%) and 0.900 "
        "(depth 90-100%; 3 seeds).",
    ]


def test_decoding_is_drawn_against_the_context_with_what_did_not_fit(tmp_path):
    time, state = charts_of(decodings(), tmp_path)
    assert {chart.section for chart in (time, state)} == {Section.DECODING}
    vanilla = next(line for line in time.lines if line.name == "vanilla")
    assert vanilla.figures["1024"].value == pytest.approx(8e-3, rel=0.02)
    assert vanilla.figures["1024"].low < vanilla.figures["1024"].high
    assert vanilla.reasons == {"8192": "out_of_memory"}
    assert time.reading == (
        "From a context of 128 to one of 1,024, the time of a token changes by a factor of 8 for "
        "vanilla and of 1 for mamba2 (3 rounds)."
    )
    assert "the state changes by a factor of 8 for vanilla" in state.reading


@pytest.mark.parametrize(
    ("lines", "reading"),
    [
        ({}, ""),
        ({"a": {"8": 1.0}}, ""),
        (
            {"a": {"8": 0.98}, "b": {"8": 0.2}},
            "No entry reaches 0.99 at 8; the best is a with 0.980 (3 seeds).",
        ),
        (
            {"a": {"8": 0.9, "16": 0.1}, "b": {"8": 0.88, "16": 0.89}, "c": {"8": 0.2, "16": 0.0}},
            "No entry reaches 0.99 at 8; from there to 16, a falls from 0.900 to 0.100; b stays at "
            "0.890 (3 seeds).",
        ),
        # One entry: the last place. A change of at most 0.01 is none.
        ({"a": {"8": 1.0, "16": 0.4, "32": 0.991}}, "From 8 to 32, a stays at 0.991 (3 seeds)."),
        # Several that are close at the first place: the place where they differ most.
        (
            {
                "a": {"8": 1.0, "16": 0.4, "32": 0.1},
                "b": {"8": 0.96, "16": 0.99, "32": 0.1},
                "c": {"8": 0.3, "16": 0.0, "32": 0.1},
            },
            "From 8 to 16, a falls from 1.000 to 0.400; b rises from 0.960 to 0.990 (3 seeds).",
        ),
    ],
)
def test_what_is_said_of_a_change(lines, reading):
    given = [(name, named(values)) for name, values in lines.items()]
    assert readings.read_changes(given, 0.99, str) == reading


@pytest.mark.parametrize(
    ("figures", "reading"),
    [
        (
            {"a": {"x": 0.5, "y": 0.2}, "b": {"x": 0.1}},
            "No entry reaches 0.99 in x or y; the closest is a with 0.500 in x (3 seeds).",
        ),
        (
            {"a": {"x": 1.0, "y": 1.0, "z": 0.1}, "b": {"z": 0.99}},
            "a reaches 0.99 in x and y, no entry in more problems (3 seeds).",
        ),
    ],
)
def test_what_is_said_of_problems(figures, reading):
    given = {name: named(values) for name, values in figures.items()}
    assert readings.read_problems(given, 0.99) == reading


def test_what_is_said_without_a_solution_and_of_one_context():
    sizes = [("a", 1_088, Estimate(0.4, None, None, 1)), ("b", 512, Estimate(0.3, None, None, 3))]
    assert readings.read_states(sizes, 0.99, "accuracy") == (
        "No entry reaches 0.99; the best is a with 0.400 and 1.062 KiB of state (1 to 3 seeds)."
    )
    assert readings.read_costs([("a", named({"128": 1.0}))], "the state") == ""
    same = [(name, named({"128": 2.0, "512": 2.0})) for name in "ab"]
    assert readings.read_costs(same, "the state") == (
        "From a context of 128 to one of 512, the state changes by a factor of 1 for every entry "
        "(3 rounds)."
    )
    whole = {512: named({"0-10%": 1.0, "10-20%": 0.99})}
    assert readings.read_depths("a", whole, 0.99) == (
        "a reaches 0.99 at every depth up to length 512 (3 seeds)."
    )
