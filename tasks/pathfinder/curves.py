"""Pictures of dashed curves with two marked ends.

Every picture has two long curves that keep apart, shorter ones that distract, and two marks at ends
of long curves: of one and the same, or of both. The four ends are the corners of a rhombus and the
marks two neighbours among them, so that nothing but following a curve tells which.
"""

from __future__ import annotations

import numpy as np

DISTRACTOR_POINTS, NUM_DISTRACTORS = 6, 3
STEP, TURN, APART = 1.5, 0.22, 3.0
DASH, GAP = 2, 1
MARK_RADIUS = 1.5
CURVE, MARK = 1, 2
"""How bright they are: a mark no brighter than a curve was found by nothing that was trained."""
STRETCH = 0.1
"""How much a curve may be stretched to be as long from end to end as the other."""
CANDIDATES = 4_096


def draw_pictures(
    count: int, size: int, seed: int, points: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw (count, size, size) of 0, `CURVE` or `MARK`, the labels, 1 where joined, and traces.

    A trace (count, size, size) is True where a curve runs that has a mark. Long curves have so many
    points, a pixel and a half apart in a picture of 32: the more, the harder. Above 24 hardly any
    two fit.
    """
    generator = np.random.default_rng([20_261_120, seed])
    scale = size / 32
    found: list[np.ndarray] = []
    while sum(map(len, found)) < count:
        found.append(_draw_pairs(generator, points, scale, size))
    both = np.concatenate(found)[:count]
    labels = generator.integers(2, size=count).astype(np.int32)
    corners, marked = _marked(generator, both, labels)
    pictures, traces = np.zeros((2, count, size, size), np.uint8)
    rows = np.arange(count)
    for curve in (0, 1):
        _stroke(pictures, rows, both[:, curve])
        _stroke(traces, rows[marked[:, curve]], both[marked[:, curve], curve])
    for _ in range(NUM_DISTRACTORS):
        short = _place(generator, _draw_curves(generator, count, DISTRACTOR_POINTS, scale), size)
        clear = _distance(short, both.reshape(count, -1, 2)) > APART * scale
        _stroke(pictures, rows[clear], short[clear])
    for place in (0, 1):
        _mark(pictures, corners[:, place], MARK_RADIUS * scale)
    return pictures, labels, traces == CURVE


def _draw_pairs(generator: np.random.Generator, points: int, scale: float, size: int) -> np.ndarray:
    """Draw pairs of curves, (pairs, 2, points, 2), whose four ends are the corners of a rhombus.

    The curves cross neither themselves nor each other, and lie at sides that face each other.
    """
    curves = _draw_curves(generator, CANDIDATES, points, scale)
    first, second = np.triu_indices(points, k=4)  # neighbours along the curve may be near
    between = np.abs(curves[:, first] - curves[:, second]).max(axis=-1)
    good = curves[between.min(axis=1) > APART * scale]
    backwards = generator.random(len(good)) < 0.5  # no end of a curve is like the other
    good[backwards] = good[backwards, ::-1]
    plane = good[..., 0] + 1j * good[..., 1]
    plane -= plane[:, :1]
    one, other = plane[: len(plane) // 2], plane[len(plane) // 2 : len(plane) // 2 * 2]
    turned = one[:, -1:] / other[:, -1:]
    aside = one[:, -1:] * np.exp(1j * generator.uniform(0, 2 * np.pi, size=(len(one), 1)))
    other = other * turned + aside
    alike = np.abs(np.abs(turned[:, 0]) - 1) <= STRETCH
    pairs = np.stack([one, other], axis=1)[alike]
    placed = _place(generator, np.stack([pairs.real, pairs.imag], axis=-1), size)
    kept: np.ndarray = placed[_distance(placed[:, 0], placed[:, 1]) > APART * scale]
    return kept


def _marked(
    generator: np.random.Generator, both: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return two neighbouring corners of each rhombus, (count, 2, 2), and which curves they end.

    They are ends of one curve where the label is 1, else of both: (count, 2) says which.
    """
    rows, either = np.arange(len(both)), generator.integers(2, size=len(both))
    corners = both[:, :, [0, -1]]
    joined, apart = corners[rows, either], corners[rows, :, either]
    marked = (labels[:, None] == 0) | (either[:, None] == (0, 1))
    return np.where(labels[:, None, None] == 1, joined, apart), marked


def _draw_curves(
    generator: np.random.Generator, count: int, points: int, scale: float
) -> np.ndarray:
    """Draw curves that turn smoothly: (count, points, 2)."""
    bend = generator.normal(0, TURN, size=(count, points - 1)).cumsum(axis=1) * 0.5
    heading = generator.uniform(0, 2 * np.pi, size=(count, 1)) + bend.cumsum(axis=1)
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=-1) * STEP * scale
    return np.concatenate([np.zeros((count, 1, 2)), steps.cumsum(axis=1)], axis=1)


def _place(generator: np.random.Generator, shapes: np.ndarray, size: int) -> np.ndarray:
    """Put shapes (count, ..., 2) anywhere where they fit into the picture; drop those too large."""
    inner = tuple(range(1, shapes.ndim - 1))
    low, high = shapes.min(axis=inner, keepdims=True), shapes.max(axis=inner, keepdims=True)
    room = size - 3 - (high - low)
    placed = shapes - low + 1 + generator.random(room.shape) * room
    fitting: np.ndarray = placed[room.min(axis=-1).reshape(len(shapes)) >= 0].astype(np.float32)
    return fitting


def _distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return how near the points of one come to those of the other, in each picture."""
    between = one[:, :, None] - other[:, None]
    nearest: np.ndarray = np.sqrt((between**2).sum(axis=-1).min(axis=(1, 2)))
    return nearest


def _stroke(pictures: np.ndarray, rows: np.ndarray, curves: np.ndarray) -> None:
    """Draw curves as dashes of two steps with gaps of one."""
    size = pictures.shape[1]
    for place in range(curves.shape[1] - 1):
        if place % (DASH + GAP) >= DASH:
            continue
        for share in np.linspace(0, 1, 5):
            point = curves[:, place] * (1 - share) + curves[:, place + 1] * share
            row, column = np.rint(point).astype(int).clip(0, size - 1).T
            pictures[rows, row, column] = CURVE


def _mark(pictures: np.ndarray, centres: np.ndarray, radius: float) -> None:
    """Draw a disc at a point of each picture."""
    size = pictures.shape[1]
    grid = np.arange(size)
    rows, columns = centres[:, 0], centres[:, 1]
    away = (grid[None, :, None] - rows[:, None, None]) ** 2
    aside = (grid[None, None, :] - columns[:, None, None]) ** 2
    pictures[away + aside <= radius**2] = MARK
