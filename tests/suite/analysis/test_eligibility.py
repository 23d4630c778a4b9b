"""Eligibility: which scores are ranked."""

from __future__ import annotations

import pytest

from suite.api import Status
from tests.builders.boards import VERSIONS, seeds
from tests.builders.records import with_fields
from tests.suite.analysis.final_runs import make_boards


def with_facts(entries, **facts):
    """Return the entries with other ranking facts."""
    return [
        with_fields(one, ranking=one.record.ranking.model_copy(update=facts)) for one in entries
    ]


@pytest.mark.parametrize(
    ("needed", "reason"),
    [((), "2 seeds: needs at least 3"), ((0, 1), "2 seeds: needs at least 3"),
     ((0, 1, 2), "2 of 3 seeds: a rank needs all")],
)  # fmt: skip
def test_ranking_needs_three_seeds(needed, reason):
    two = with_facts(seeds("bert", [0.80, 0.81]), seeds=needed)
    (board,) = make_boards(seeds("vanilla", [0.50, 0.51, 0.52]) + two, VERSIONS)
    told = {row.entry: (row.rank, row.note) for row in board.rows}
    assert told["vanilla"][0] == 1
    assert told["bert"][0] is None and told["bert"][1].startswith(reason)


def test_a_rank_needs_all_seeds_of_the_benchmark():
    """Otherwise an entry gains by leaving out its worst seeds."""
    values = [0.5, 0.51, 0.52, 0.49, 0.5]
    whole = with_facts(seeds("vanilla", values), seeds=range(5))
    picked = with_facts(seeds("bert", [0.80, 0.81, 0.82]), seeds=range(5))
    failed = with_facts(seeds("longformer", [0.8] * 5), seeds=range(5))
    failed[4] = with_fields(failed[4], status=Status.DIVERGED, metrics={})
    (board,) = make_boards(whole + picked + failed, VERSIONS)
    told = {row.entry: (row.rank, row.note.partition("; ")[0]) for row in board.rows}
    assert told == {
        "vanilla": (1, "untuned"),
        "bert": (None, "3 of 5 seeds: a rank needs all"),
        "longformer": (None, "4 of 5 seeds: a rank needs all"),
    }
