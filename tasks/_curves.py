"""Pictures of dashed curves with two marked ends.

Every picture has two long curves that keep apart, shorter ones that distract, and two marks at ends
of long curves: of one and the same, or of both. Nothing but following a curve tells which.
"""

from __future__ import annotations

import numpy as np

DISTRACTOR_POINTS, NUM_DISTRACTORS = 6, 3
STEP, TURN, APART = 1.5, 0.22, 3.0
DASH, GAP = 2, 1
MARK_RADIUS = 1.5
CANDIDATES = 4_096


def draw_pictures(count: int, size: int, seed: int, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw (count, size, size) of True where something is, and the labels: 1 where joined.

    Long curves have so many points, a pixel and a half apart in a picture of 32: the more, the
    harder. Above 24 hardly any two fit.
    """
    generator = np.random.default_rng([20_261_120, seed])
    scale = size / 32
    pairs: list[np.ndarray] = []
    while sum(map(len, pairs)) < count:
        pairs.append(_draw_apart(generator, points, scale, size))
    both = np.concatenate(pairs)[:count]
    labels = generator.integers(2, size=count).astype(np.int32)
    pictures = np.zeros((count, size, size), bool)
    rows = np.arange(count)
    for curve in (0, 1):
        _stroke(pictures, rows, both[:, curve])
    own = generator.integers(2, size=count)
    first = both[rows, own, 0]
    second = np.where(labels[:, None] == 1, both[rows, own, -1], both[rows, 1 - own, -1])
    for _ in range(NUM_DISTRACTORS):
        short = _draw_curves(generator, count, DISTRACTOR_POINTS, scale, size)
        clear = _distance(short, both.reshape(count, -1, 2)) > APART * scale
        _stroke(pictures, rows[clear], short[clear])
    for ends in (first, second):
        _mark(pictures, ends, MARK_RADIUS * scale)
    return pictures, labels


def _draw_apart(generator: np.random.Generator, points: int, scale: float, size: int) -> np.ndarray:
    """Draw pairs of curves that cross neither themselves nor each other: (pairs, 2, points, 2)."""
    curves = _draw_curves(generator, CANDIDATES, points, scale, size)
    first, second = np.triu_indices(points, k=4)  # neighbours along the curve may be near
    between = np.abs(curves[:, first] - curves[:, second]).max(axis=-1)
    good = curves[between.min(axis=1) > APART * scale]
    pairs = np.stack([good[: len(good) // 2], good[len(good) // 2 : len(good) // 2 * 2]], axis=1)
    kept: np.ndarray = pairs[_distance(pairs[:, 0], pairs[:, 1]) > APART * scale]
    return kept


def _draw_curves(
    generator: np.random.Generator, count: int, points: int, scale: float, size: int
) -> np.ndarray:
    """Draw curves that turn smoothly, put where they fit into the picture: (count, points, 2)."""
    bend = generator.normal(0, TURN, size=(count, points - 1)).cumsum(axis=1) * 0.5
    heading = generator.uniform(0, 2 * np.pi, size=(count, 1)) + bend.cumsum(axis=1)
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=-1) * STEP * scale
    curves = np.concatenate([np.zeros((count, 1, 2)), steps.cumsum(axis=1)], axis=1)
    low, high = curves.min(axis=1), curves.max(axis=1)
    fits = (high - low).max(axis=1) <= size - 3
    curves, low, high = curves[fits], low[fits], high[fits]
    room = size - 3 - (high - low)
    corner = 1 + generator.random(room.shape) * room
    placed: np.ndarray = (curves + (corner - low)[:, None]).astype(np.float32)
    return placed


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
            pictures[rows, row, column] = True


def _mark(pictures: np.ndarray, centres: np.ndarray, radius: float) -> None:
    """Draw a disc at a point of each picture."""
    size = pictures.shape[1]
    grid = np.arange(size)
    rows, columns = centres[:, 0], centres[:, 1]
    away = (grid[None, :, None] - rows[:, None, None]) ** 2
    aside = (grid[None, None, :] - columns[:, None, None]) ** 2
    pictures |= away + aside <= radius**2
