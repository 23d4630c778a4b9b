"""Length cards as HTML and Markdown. The HTML is one file with drawn charts and no script."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from suite.analysis.bisection import doubled
from suite.analysis.cost_ratios import CostRatio
from suite.analysis.length_card import MEASURED, Carried, CostCurve, LengthCard, Profile
from suite.records.measures import ON_CARDS
from suite.report.markdown import render

WIDTH, HEIGHT = 460, 270
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 12, 36
"""The size of a chart and its margins, in pixels."""
FEW_TICKS = 5

Place = tuple[float, float]


def to_html(card: LengthCard) -> str:
    """Return a card as a page that a browser opens from disk."""
    return render("card.html", **_content(card))


def to_markdown(card: LengthCard) -> str:
    """Return a card as Markdown."""
    return render("card.md", **_content(card))


def _content(card: LengthCard) -> dict[str, Any]:
    own = card.profile
    return {
        "card": card,
        "charts": [draw(own, card.references, measure) for measure in own.curves],
        "tables": [(curve, table_rows(curve)) for curve in own.curves.values()],
        "ratios": [_ratio_row(ratio) for ratio in card.ratios],
        "quality": [_quality_row(carried) for carried in card.quality],
        "ended": [
            *map(str, own.ended),
            *(f"{each.name}: {end}" for each in card.references for end in each.ended),
        ],
        "width": WIDTH,
        "height": HEIGHT,
    }


def _ratio_row(ratio: CostRatio) -> tuple[str, str, str, str, int]:
    length = "all" if ratio.length is None else f"{ratio.length:,}"
    ends = "too few rounds" if ratio.low is None else f"{ratio.low:.3f} to {ratio.high:.3f}"
    return ON_CARDS[ratio.measure].title, length, f"{ratio.value:.3f}", ends, ratio.rounds


def _quality_row(carried: Carried) -> tuple[str, str, str, str, str]:
    length = f"{carried.training_length:,}"
    score = "none" if carried.score is None else f"{carried.score:.3f}"
    return carried.task, carried.model_size, length, score, str(carried)


def table_rows(curve: CostCurve) -> list[tuple[str, str, str, str]]:
    """Return the rows of a curve: length, cost, range, and whether it is measured or predicted.

    Predictions are those of doubled lengths between and beyond the measured ones.
    """
    lengths = {point.length for point in curve.points}
    if curve.fit:
        lengths.update(doubled(curve.points[0].length, curve.fit.longest_predicted))
    noisy = {point.length for point in curve.points if point.noisy}
    rows = []
    for length in sorted(lengths):
        if found := curve.at(length):
            cost, kind = found
            value, low, high = map(curve.shown.text, (cost.value, cost.low, cost.high))
            mark = "~" if kind == MEASURED and length in noisy else ""
            rows.append((f"{length:,}", mark + value, f"{low} to {high}", kind))
    return rows


@dataclass(frozen=True)
class Chart:
    """A chart: paths and marks in pixels.

    `solid` are lines within the measured lengths, `dashed` those of predictions, `band` is the
    area of the 90% interval. `dots` are measured points, and `others` the lines of references.
    """

    curve: CostCurve
    solid: str
    dashed: str
    band: str
    dots: Sequence[tuple[float, float, bool]]
    others: Sequence[tuple[str, str, Sequence[Place]]]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]


def draw(profile: Profile, references: Sequence[Profile], measure: str) -> Chart:
    """Return the chart of a measure, on logarithmic axes."""
    curve = profile.curves[measure]
    rivals = [(each.name, each.curves[measure]) for each in references if measure in each.curves]
    predictions = curve.predictions
    curves = [curve, *(rival for _, rival in rivals)]
    lengths = [point.length for each in curves for point in each.points]
    lengths += [prediction.length for prediction in predictions]
    costs = [point.value for each in curves for point in each.points]
    costs += [end for each in predictions for end in (each.low, each.high)]
    x_ticks = _ticks(lengths, 2) or sorted({min(lengths), max(lengths)})
    across = _axis(min(lengths), max(lengths), LEFT, WIDTH - RIGHT)
    along = _axis(min(costs), max(costs), HEIGHT - BOTTOM, TOP)

    def places(items: Iterable[Any], of: str = "value") -> list[Place]:
        return [(across(item.length), along(getattr(item, of))) for item in items]

    known = [each for each in predictions if each.length <= curve.longest]
    beyond = [each for each in predictions if each.length >= curve.longest]
    if not predictions:
        known = list(curve.points)  # type: ignore[arg-type]
    band = [*places(predictions, "high"), *reversed(places(predictions, "low"))]
    return Chart(
        curve,
        _path(places(known)),
        _path(places([*known[-1:], *beyond])) if beyond else "",
        _path(band) + "Z" if band else "",
        [
            (*place, point.noisy)
            for place, point in zip(places(curve.points), curve.points, strict=True)
        ],
        [(name, _path(places(each.points)), places(each.points)) for name, each in rivals],
        [(across(length), _short(length)) for length in x_ticks],
        [(along(cost), curve.shown.text(cost)) for cost in _ticks_of(curve, costs)],
    )


def _axis(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Return the function from a value to its place on a logarithmic axis."""
    low, high = (low, high) if high > low * 1.05 else (low / 1.5, high * 1.5)
    scale = (end - start) / math.log(high / low)
    return lambda value: round(start + scale * math.log(value / low), 1)


def _ticks(values: Sequence[float], base: int) -> list[float]:
    """Return powers of a base from the lowest to the highest value, a few of them."""
    first = math.ceil(math.log(min(values), base) - 1e-9)
    last = math.floor(math.log(max(values), base) + 1e-9)
    step = max(1, math.ceil((last - first) / FEW_TICKS))
    return [float(base) ** power for power in range(first, last + 1, step)]


def _ticks_of(curve: CostCurve, costs: Sequence[float]) -> list[float]:
    """Return ticks of a cost in its unit: powers of ten, with their 2 and 5 if those are few.

    The ends are the ticks of a range without any of them.
    """
    scale = curve.shown.scale
    shown = [cost / scale for cost in costs]
    low, high = min(shown), max(shown)
    ticks = _ticks(shown, 10)
    if len(ticks) < 3:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        steps = [step * 10.0**power for power in powers for step in (1, 2, 5)]
        ticks = [tick for tick in steps if low <= tick <= high]
    return [tick * scale for tick in ticks] if len(ticks) > 1 else sorted({min(costs), max(costs)})


def _path(places: Sequence[Place]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in places) if places else ""


def _short(length: float) -> str:
    """Return a length such as 512, 4k and 1M, in powers of 1,024."""
    for unit, size in (("M", 2**20), ("k", 2**10)):
        if length >= size:
            return f"{length / size:g}{unit}"
    return f"{length:g}"
