"""Figures that an object keeps."""

from __future__ import annotations

import dataclasses

from suite.analysis.memo import memoized


@dataclasses.dataclass(frozen=True)
class Counted:
    """An object that counts the calls of a method."""

    calls: list[tuple[int, int]]

    @memoized
    def total(self, one: int, other: int = 0) -> int:
        self.calls.append((one, other))
        return one + other


def test_equal_arguments_are_computed_once_for_each_object():
    first = Counted([])
    assert [first.total(1), first.total(1), first.total(1, other=2), first.total(1, 2)] == [
        1,
        1,
        3,
        3,
    ]
    assert first.calls.count((1, 0)) == 1 and first.calls[1:] == [(1, 2)] * 2
    again = dataclasses.replace(first)
    assert again.total(1) == 1 and first.calls.count((1, 0)) == 2
    assert again == first and dataclasses.asdict(first) == {"calls": first.calls}
