"""The order in which comparisons are shown: results before trials."""

from __future__ import annotations

from collections.abc import Iterable

from suite.analysis.aggregate import Comparison
from suite.analysis.grouping import Kind
from suite.api import Status
from suite.records.naming import split_label


def in_precedence(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Return comparisons in the order in which pages and reports prefer them.

    Final runs of a ranked benchmark come first, then other final runs, costs, and trials last. A
    benchmark's newest version comes before its others. Among equals, the standard track comes
    before the open one, and then the comparison with the most entries and lengths that ended well.
    """
    kinds, found = list(Kind), list(comparisons)
    newest: dict[tuple[str, str], int] = {}  # a task may keep the runs of an earlier version
    for one in found:
        name, version = _benchmark(one)
        newest[name, one.key.task] = max(version, newest.get((name, one.key.task), 0))

    def order(one: Comparison) -> tuple[int, bool, bool, bool, int, int]:
        name, version = _benchmark(one)
        unranked, is_former = bool(one.key.why_unranked), version < newest[name, one.key.task]
        good = [record for record in one.records if record.status is Status.OK]
        places = {(record.ranking.entry, record.cell.sequence_length) for record in good}
        return (
            kinds.index(one.key.kind),
            unranked,
            is_former,
            one.key.track == "open",
            -len(places),
            -len(one.records),
        )

    return sorted(found, key=order)


def _benchmark(comparison: Comparison) -> tuple[str, int]:
    """Return the name and the version of a comparison's benchmark, "" and 0 without one."""
    name, version = split_label(comparison.key.benchmark)
    return name, int(version or 0)
