"""Effects of methods → the lists that their page reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.scripts import estimate_row
from suite.analysis.comparisons import Comparison
from suite.analysis.estimates import Estimate
from suite.analysis.method_effects import (
    ConditionScores,
    DataSizeScores,
    MethodEffect,
    condition_scores,
    data_size_scores,
    method_effects,
    read_effects,
)
from suite.records.measures import PRICES


def make_methods(
    comparisons: Sequence[Comparison], lines: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the names of the prices, and what the page draws of each comparison."""
    line_of = {line["name"]: number for number, line in enumerate(lines)}
    sizes = data_size_scores(comparisons)
    found = []
    # Probes come last: what a method gains is read before what it costs.
    for number, comparison in sorted(enumerate(comparisons), key=lambda item: not item[1].metric):
        metric = comparison.metric
        effects, conditions = method_effects(comparison), condition_scores(comparison)
        of_size = [one for one in sizes if one.comparison is comparison]
        if effects or conditions or of_size:
            found.append(
                {
                    "comparison": number,
                    "reading": read_effects(effects, metric.name) if metric else "",
                    "effects": [_effect(one, line_of) for one in effects],
                    "conditions": [_condition(one, line_of) for one in conditions],
                    "sizes": [_size(one, line_of) for one in of_size],
                    "share": metric is not None and metric.share,
                }
            )
    return {"prices": list(PRICES.values()), "comparisons": found}


def _effect(one: MethodEffect, line_of: Mapping[str, int]) -> dict[str, Any]:
    return {
        "line": line_of[one.entry],
        "reference": line_of[one.reference] if one.reference else None,
        "length": one.sequence_length,
        "score": one.score and estimate_row(one.score),
        "reference_score": one.reference_score and estimate_row(one.reference_score),
        "gain": one.gain and estimate_row(one.gain),
        "prices": [
            estimate_row(price) if (price := one.prices.get(measure)) else None
            for measure in PRICES
        ],
    }


def _condition(one: ConditionScores, line_of: Mapping[str, int]) -> dict[str, Any]:
    return {
        "line": line_of[one.entry],
        "disturbance": one.disturbance,
        "length": one.sequence_length,
        "points": _points(one.by_strength),
    }


def _size(one: DataSizeScores, line_of: Mapping[str, int]) -> dict[str, Any]:
    return {
        "line": line_of[one.entry],
        "length": one.sequence_length,
        "points": _points(one.by_share),
    }


def _points(by_place: Mapping[Any, Estimate]) -> list[list[Any]]:
    return [[str(place), *estimate_row(score)] for place, score in by_place.items()]
