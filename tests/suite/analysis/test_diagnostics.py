"""Diagnostics: who solves a task and when, the charts, and the sentences on them."""

from __future__ import annotations

import pytest

from suite.analysis.comparisons import compare
from suite.analysis.diagnostic_charts import ChartSection, make_charts
from suite.analysis.diagnostics import find_diagnostics
from suite.analysis.estimates import Estimate, wilson_interval
from suite.api import Metric, PluginError, Status, Task
from tests.builders.records import REGISTRY, with_fields
from tests.suite.analysis.diagnostic_records import (
    NOT_APPLICABLE,
    by_length,
    decoded,
    decodings,
    extrapolation,
    language,
    recall,
    retrieval,
    states,
    trained,
    write,
)

TASKS = REGISTRY.tasks.plugins


def diagnose(records, folder):
    return find_diagnostics(compare(write(records, folder)), TASKS)


def charts_of(records, folder):
    comparisons = compare(write(records, folder))
    return make_charts(find_diagnostics(comparisons, TASKS), comparisons)


def means(line):
    return {place: pytest.approx(one.value, abs=5e-3) for place, one in line.figures.items()}


def test_the_effective_length_is_the_last_one_before_the_score_falls(tmp_path):
    scores = [
        {64: 1.0, 128: 0.95, 256: 0.92},  # above 0.9 to the end
        {64: 1.0, 128: 0.90, 256: 0.99},  # 0.9 is not above 0.9, and what follows does not count
        {64: 0.9, 128: 0.95, 256: 0.95},
        {64: 0.91, 128: 0.91, 256: "out_of_memory: exceeded the memory limit at length 256"},
    ]
    runs = [
        trained("duplication", "lstm", seed, of[64], 64, reports=by_length()(of), state=2_048)
        for seed, of in enumerate(scores)
    ]
    (found,) = diagnose(runs, tmp_path / "all")
    (row,) = found.rows()
    assert row.effective_length == (64, 0, 256, 256) and row.state_bytes == 2_048
    assert str(row.effective_length) == "64 (0 to ≥ 256)"
    for number, expected in enumerate(("≥ 256", "64", "0", "128")):
        (found,) = diagnose(runs[number : number + 1], tmp_path / str(number))
        assert str(found.rows()[0].effective_length) == expected
    alone = trained("duplication", "lstm", 0, 1.0, 64, reports=by_length()({64: 1.0}))
    assert diagnose([alone], tmp_path / "alone")[0].rows()[0].effective_length is None


def test_settings_are_named_by_the_options_in_which_they_differ(tmp_path):
    shared = {"validations": 10, "validation_spacing": "log"}
    runs = [
        trained("associative_recall", "lstm", 0, 0.5, 256, options={"pairs": pairs, **shared})
        for pairs in (16, 64, 4)
    ]
    found = diagnose(runs, tmp_path)
    assert [one.setting for one in found] == ["pairs=4", "pairs=16", "pairs=64"]
    (only,) = diagnose(runs[:1], tmp_path / "only")
    assert only.setting == ""


def test_a_run_without_a_curve_has_no_steps_and_a_run_that_failed_a_reason(tmp_path):
    good = trained("duplication", "vanilla", 0, 1.0, 64)
    failed = trained("duplication", "lstm", 0, 0.0, 64, reason="too slow")
    failed = with_fields(failed, status=Status.TIMED_OUT, metrics={})
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
        ("Duplication", "diagnostics-1"),
        ("Induction heads: occurrences=1", ""),
        ("Induction heads: occurrences=16", ""),
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
    (_, same_pairs) = charts_of(recall(), tmp_path / "same")
    assert same_pairs.against == "evaluation_length"
    charts = charts_of(recall(more_pairs=True), tmp_path)
    state, pairs, lengths = charts
    assert [chart.against for chart in charts] == ["state_bytes", "pairs", "evaluation_length"]
    assert [chart.section for chart in charts] == [ChartSection.RECALL] * 2 + [ChartSection.LENGTHS]
    assert lengths.guesses == {"64": 1 / 4, "256": 1 / 16, "1024": 1 / 64}
    assert state.guesses == dict.fromkeys(("2048", "65536", "131072"), 1 / 4)
    found = {line.name: means(line) for line in state.lines}
    assert found == {
        "lstm": {"2048": 0.599},
        "mamba2": {"65536": 0.994},
        "reformer": {},
        "vanilla": {"131072": 0.998},
    }
    reasons = {line.name: list(line.reasons.values()) for line in state.lines if line.reasons}
    assert reasons == {"reformer": ["the bytes of its state are unknown"]}
    (mamba,) = (line for line in pairs.lines if line.name == "mamba2")
    expected = {"2 in 64": 1.0, "4 in 64": 0.994, "16 in 256": 0.699, "64 in 1,024": 0.199}
    assert means(mamba) == expected
    assert all(one.low is None for line in pairs.lines for one in line.figures.values())
    assert pairs.note == (
        "There are no intervals: seeds alone are averaged, and records do not count the answers of "
        "a group. Test sequences: 1,000 at length 64, 1,000 at length 256, 1,000 at length 1,024"
    )


def test_states_have_their_scaled_accuracy_by_problem_and_by_length(tmp_path):
    problems, parity, s3 = charts_of(states(), tmp_path)
    assert {chart.section for chart in (problems, parity, s3)} == {ChartSection.STATES}
    assert {chart.measure for chart in (problems, parity, s3)} == {"scaled_accuracy"}
    found = {line.name: line for line in problems.lines}
    assert means(found["lstm"]) == {"parity": 2 / 3, "s3": 1.0}
    # Two of three seeds solve parity: an interval over seeds would say too little.
    assert found["lstm"].figures["parity"].low is None
    note = "Seeds that solve it, in place of an interval: lstm 2 of 3"
    assert problems.note == f"parity: {note}" and parity.note.endswith(note)
    assert "in place" not in s3.note
    # Three equal seeds with 1,000 examples: Wilson's interval, as that of the accuracy.
    low, _ = wilson_interval(1.0, 1_000)
    assert found["lstm"].figures["s3"].low == pytest.approx(1 - (1 - low) * 6 / 5)
    assert found["lstm"].figures["s3"].high == 1.0


def test_a_single_problem_is_drawn_along_the_evaluation_length(tmp_path):
    runs = [one for one in states() if not one.record.cell.options]
    (chart,) = charts_of(runs, tmp_path)
    assert (chart.section, chart.against) == (ChartSection.STATES, "evaluation_length")
    assert chart.title == "State tracking"
    assert chart.note.startswith("A scaled accuracy of 0 is that of a guess, and 1 is perfect. ")


def test_extrapolation_names_the_entry_that_falls_and_the_one_that_does_not(tmp_path):
    (chart,) = charts_of(extrapolation(), tmp_path)
    assert (chart.section, chart.sequence_length, chart.note) == (ChartSection.LENGTHS, 256, "")
    found = {line.name: line for line in chart.lines}
    learned = found["vanilla (positions=learned)"]
    assert means(learned) == {"256": 0.995}
    assert learned.reasons == {"1024": NOT_APPLICABLE, "4096": NOT_APPLICABLE}


def test_each_entry_has_a_heat_map_of_depth_and_length(tmp_path):
    maps = [one for one in charts_of(retrieval(), tmp_path) if one.section is ChartSection.DEPTHS]
    assert [chart.entry for chart in maps] == ["mamba2", "vanilla"]
    assert [line.name for line in maps[0].lines] == ["512", "2048"]
    cells = [one for chart in maps for line in chart.lines for one in line.figures.values()]
    assert len(cells) == 40 and all(one.low is None for one in cells)
    assert "Test sequences: 1,000 at length 512, 1,000 at length 2,048" in maps[0].note
    assert maps[0].note.endswith("A guess among the answers of an example scores 0.250")


def test_decoding_is_drawn_against_the_context_with_what_did_not_fit(tmp_path):
    uncounted = [decoded("lstm", 128, number, 1e-3, None) for number in range(3)]
    time, state = charts_of([*decodings(), *uncounted], tmp_path)
    assert {chart.section for chart in (time, state)} == {ChartSection.DECODING}
    vanilla = next(line for line in time.lines if line.name == "vanilla")
    assert vanilla.figures["1024"].value == pytest.approx(8e-3, rel=0.02)
    assert vanilla.figures["1024"].low < vanilla.figures["1024"].high
    assert vanilla.reasons == {"8192": "out_of_memory"}
    identity = next(line for line in state.lines if line.name == "identity")
    assert {one.value for one in identity.figures.values()} == {0.0} and len(identity.figures) == 3
    (lstm,) = (line for line in state.lines if line.name == "lstm")
    assert not lstm.figures and not lstm.reasons and not identity.reasons


def test_a_task_that_is_never_solved_is_drawn_by_evaluation_length(tmp_path):
    plain = trained("language_modeling", "vanilla", 0, 0.0, 64, scores={"bits_per_character": 2.0})
    assert charts_of([plain], tmp_path / "plain") == []
    (chart,) = charts_of(language(), tmp_path)
    assert (chart.section, chart.measure) == (ChartSection.LENGTHS, "bits_per_character")
    assert not chart.is_share and "the seeds alone" in chart.note
    assert diagnose(language(), tmp_path)[0].rows() == []


def test_the_accuracy_of_each_seed_decides_what_is_solved(tmp_path):
    """Parity at 0.993 is solved; its scaled accuracy is 0.986."""
    runs = [
        trained("state_tracking", "lstm", seed, 0.993, 40, scores={"scaled_accuracy": 0.986})
        for seed in range(3)
    ]
    (found,) = diagnose(runs, tmp_path)
    assert found.rows()[0].solved.value == 1.0
    (chart,) = charts_of(runs, tmp_path)
    assert means(chart.lines[0]) == {"40": 0.986}


def test_the_reason_of_some_seeds_stands_beside_the_mean_of_the_others(tmp_path):
    reason = "timed_out: exceeded the time limit of 60 s at length 1,024"
    runs = [
        trained("induction_heads", "vanilla", seed, 1.0, 256, reports=by_length()(scores))
        for seed, scores in enumerate([{1_024: 0.5}, {1_024: reason}, {1_024: 0.7}])
    ]
    (chart,) = charts_of(runs, tmp_path)
    assert means(chart.lines[0]) == {"256": 1.0, "1024": 0.6}
    assert chart.lines[0].reasons == {"1024": f"1 of 3 seeds: {reason}"}
