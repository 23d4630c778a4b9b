"""The quality that an entry reaches within a quiet time of training."""

from __future__ import annotations

import pytest

from suite.analysis.boards import rank_comparisons
from suite.analysis.comparisons import compare
from suite.analysis.leaderboard import make_leaderboard
from suite.analysis.training_time import training_times
from suite.report.leaderboard import leaderboard_files
from tests.builders.timed_trainings import ROTARY, WARM, timed_trainings
from tests.suite.report.pages import rows_of


@pytest.fixture
def made(tmp_path):
    registry, records = timed_trainings(tmp_path)
    return registry, compare(records)


def test_seconds_are_those_of_the_quiet_session(made):
    (times,) = training_times(made[1], "timed-1")
    assert times.session.invocation == "quiet" and times.reference == ROTARY
    points = [(one.tokens, one.seconds, one.score) for one in times.scores
              if (one.entry, one.length, one.steps) == (ROTARY, 64, 10)]  # fmt: skip
    assert [tokens for tokens, *_ in points] == [1024, 2560, 5120]
    assert [seconds for _, seconds, _ in points] == pytest.approx([102.4, 256.0, 512.0])
    assert points[-1][2] == pytest.approx(5.0 - 0.000164 * 5120), "the mean over seeds"


def test_the_best_within_a_time_is_the_best_over_lengths_and_updates(made):
    (times,) = training_times(made[1], "timed-1")
    # Within 60 seconds, only identity was validated: at length 64 after 5,120 of 30 updates.
    (alone,) = times.best_within(60)
    assert (alone.entry, alone.length, alone.tokens) == ("identity", 64, 5120)
    # After 1,100 seconds, vanilla saw 10,240 tokens at 64 and 5,120 at 256, where it learns more.
    first, second = times.best_within(1100)
    assert (first.entry, first.length, first.steps, first.tokens) == (ROTARY, 256, 10, 5120)
    assert second.entry == "identity" and second.tokens == 15360
    assert times.minutes == [0.5, 1, 3, 10, 30, 100]


def test_an_entry_with_a_method_is_timed_beside_the_others(made):
    (times,) = training_times(made[1], "timed-1")
    assert times.entries == ["identity", ROTARY, WARM] and times.reference == ROTARY
    scores = [(score.entry, score.length, score.steps, score.tokens) for score in times.scores]
    assert len(scores) == len(set(scores)), "the open track also has the entries without methods"
    assert times.progress(WARM, 256)[0].seconds == pytest.approx(1024 / 0.9)


def test_the_time_to_the_reference_is_the_first_with_its_score(made):
    (times,) = training_times(made[1], "timed-1")
    assert times.steps == 30
    target = times.target(64)
    assert target == pytest.approx(5.0 - 0.000164 * 15360)
    assert times.seconds_to(target, ROTARY, 64) == pytest.approx(1536.0)
    assert times.seconds_to(target, "identity", 64) is None
    assert times.seconds_to(4.9, "identity", 64) == pytest.approx(10.24), "of 10 updates"
    scores = [score.score for score in times.progress(ROTARY, 256)]
    assert len(scores) > 3 and scores == sorted(scores, reverse=True)


def test_the_leaderboard_has_the_times_and_a_benchmark_without_quiet_trainings_has_none(made):
    registry, comparisons = made
    board = make_leaderboard(
        registry.benchmarks.get("timed"),
        comparisons,
        rank_comparisons(comparisons),
        registry.tasks.plugins,
    )
    assert [times.task for times in board.times] == ["language_modeling"]
    final = [each for each in comparisons if each.key.benchmark]
    assert training_times(final, "timed-1") == []


def test_the_page_names_the_best_within_each_time_and_the_minutes_to_the_reference(made):
    registry, comparisons = made
    files = leaderboard_files([], comparisons, registry)
    _, page = files["LEADERBOARD.md"].split("Quality within a time of training")
    page, _ = page.split("## Sizes and costs")
    within, to_reference = (rows_of(part) for part in page.split("Minutes until"))
    ten = next(row for row in within if row[0] == "10")
    assert ten[1:4] == ["*identity*", "64", "30"] and ten[5:8] == [ROTARY, "256", "10"]
    found = {row[0]: row[1:] for row in to_reference}
    assert found[ROTARY] == ["25.6", "51.2"] and found["*identity*"] == ["—", "—"]
    assert found[WARM] == ["—", "284.4"]
