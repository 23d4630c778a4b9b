"""The conformance kit's part in ranking: the standard track ranks only what passes."""

from __future__ import annotations

from suite.analysis.grouping import ComparisonKey
from suite.analysis.points import Point
from suite.api import Mode, Track

NOT_CHECKED = "the conformance kit did not check its code"
UNKNOWN = "conformance unknown"


def why_not_conforming(point: Point, key: ComparisonKey) -> str:
    """Return why the score of an entry of the standard track has no rank; "" if it may have one.

    A record whose schema held no result of the kit may have a rank; `conformance_note` marks it.
    """
    if not _is_required(key):
        return ""
    stated = [record.conformance for record in point.good]
    if failed := sorted({name for result in stated if result for name in result.failed}):
        return f"fails the conformance kit: {', '.join(failed)}"
    return NOT_CHECKED if None in stated else ""


def conformance_note(point: Point, key: ComparisonKey) -> str:
    """Return a note on an entry with records whose schema held no result of the kit, or ""."""
    stated = [record.conformance for record in point.good]
    unknown = any(result is not None and not result.kit for result in stated)
    return UNKNOWN if unknown and _is_required(key) else ""


def _is_required(key: ComparisonKey) -> bool:
    return key.mode is Mode.TRAIN and key.track == Track.STANDARD and key.ranked
