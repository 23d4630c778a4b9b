"""Random images of dashed curves with two marked ends.

Every image has two separate long curves, shorter distractor curves, and two marks at ends of long
curves. The marks are at both ends of one curve, or at one end of each. The four ends are the
corners of a rhombus and the marks are at two adjacent corners. The marks' places are therefore
independent of the label, and a model must follow a curve.
"""

from __future__ import annotations

import numpy as np

DISTRACTOR_POINTS, NUM_DISTRACTORS = 6, 3
STEP, MIN_DISTANCE, MARK_RADIUS = 1.5, 3.0, 1.5
"""Distances between a curve's points and between curves, and the radius of a mark.

In pixels, for images of 32 pixels; larger images scale them up.
"""
TURN = 0.22
"""Twice the standard deviation of the random changes of curvature, in radians per step."""
DASH, GAP = 2, 1
"""The lengths of a dash and of a gap, in points."""
CURVE, MARK = 1, 2
"""Pixel values. With marks as bright as curves, no trained model found the marks."""
STRETCH = 0.1
"""The maximum relative change of a curve's size to match the other's end-to-end distance."""
NUM_CANDIDATES = 4_096
"""The number of curves drawn at a time, most of which are rejected."""


def draw_images(
    count: int, size: int, seed: int, points: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return images, labels (count,) and traces.

    Images (count, size, size) have the values 0, `CURVE` and `MARK`. A label is 1 if one curve has
    both marks. Traces (count, size, size) are True on the curves that have a mark. Long curves have
    `points` points, 1.5 pixels apart in an image of 32 pixels; more points make the task harder.
    With more than 24 points, hardly any two curves fit.
    """
    generator = np.random.default_rng([20_261_120, seed])
    scale = size / 32
    drawn: list[np.ndarray] = []
    while sum(map(len, drawn)) < count:
        drawn.append(draw_pairs(generator, points, scale, size))
    pairs = np.concatenate(drawn)[:count]
    labels = generator.integers(2, size=count).astype(np.int32)
    corners, marked = choose_marks(generator, pairs, labels)
    images, traces = np.zeros((2, count, size, size), np.uint8)
    rows = np.arange(count)
    for curve in (0, 1):
        _paint_curves(images, rows, pairs[:, curve])
        _paint_curves(traces, rows[marked[:, curve]], pairs[marked[:, curve], curve])
    for _ in range(NUM_DISTRACTORS):
        distractors = _draw_curves(generator, count, DISTRACTOR_POINTS, scale)
        distractors = _move_inside(generator, distractors, size)
        clear = _min_distance(distractors, pairs.reshape(count, -1, 2)) > MIN_DISTANCE * scale
        _paint_curves(images, rows[clear], distractors[clear])
    for mark in (0, 1):
        _paint_discs(images, corners[:, mark], MARK_RADIUS * scale)
    return images, labels, traces == CURVE


def draw_pairs(generator: np.random.Generator, points: int, scale: float, size: int) -> np.ndarray:
    """Draw pairs of curves (pairs, 2, points, 2) whose four ends are the corners of a rhombus.

    The curves lie along opposite sides of the rhombus, and cross neither themselves nor each other.
    """
    curves = _draw_curves(generator, NUM_CANDIDATES, points, scale)
    first, second = np.triu_indices(points, k=4)  # points next to each other may be near
    distances = np.abs(curves[:, first] - curves[:, second]).max(axis=-1)
    curves = curves[distances.min(axis=1) > MIN_DISTANCE * scale]
    # The walk's two ends are distributed differently, so their order is drawn.
    reverse = generator.random(len(curves)) < 0.5
    curves[reverse] = curves[reverse, ::-1]
    # As complex numbers, a product rotates and stretches a curve, and a sum shifts it.
    plane = curves[..., 0] + 1j * curves[..., 1]
    plane -= plane[:, :1]
    half = len(plane) // 2
    one, other = plane[:half], plane[half : 2 * half]
    rotation = one[:, -1:] / other[:, -1:]
    shift = one[:, -1:] * np.exp(1j * generator.uniform(0, 2 * np.pi, size=(len(one), 1)))
    other = other * rotation + shift
    similar = np.abs(np.abs(rotation[:, 0]) - 1) <= STRETCH
    pairs = np.stack([one, other], axis=1)[similar]
    placed = _move_inside(generator, np.stack([pairs.real, pairs.imag], axis=-1), size)
    kept: np.ndarray = placed[_min_distance(placed[:, 0], placed[:, 1]) > MIN_DISTANCE * scale]
    return kept


def choose_marks(
    generator: np.random.Generator, pairs: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Choose two adjacent corners of each rhombus.

    Returns the corners (count, 2, 2), and for each curve whether it has a mark (count, 2). For
    label 1 the corners are both ends of one curve, for label 0 one end of each.
    """
    rows, choice = np.arange(len(pairs)), generator.integers(2, size=len(pairs))
    corners = pairs[:, :, [0, -1]]
    joined, apart = corners[rows, choice], corners[rows, :, choice]
    marked = (labels[:, None] == 0) | (choice[:, None] == (0, 1))
    return np.where(labels[:, None, None] == 1, joined, apart), marked


def _draw_curves(
    generator: np.random.Generator, count: int, points: int, scale: float
) -> np.ndarray:
    """Draw smooth random curves: (count, points, 2)."""
    turns = generator.normal(0, TURN, size=(count, points - 1)).cumsum(axis=1) * 0.5
    heading = generator.uniform(0, 2 * np.pi, size=(count, 1)) + turns.cumsum(axis=1)
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=-1) * STEP * scale
    return np.concatenate([np.zeros((count, 1, 2)), steps.cumsum(axis=1)], axis=1)


def _move_inside(generator: np.random.Generator, shapes: np.ndarray, size: int) -> np.ndarray:
    """Shift shapes (count, ..., 2) to random places inside the image; drop those too large."""
    inner = tuple(range(1, shapes.ndim - 1))
    low, high = shapes.min(axis=inner, keepdims=True), shapes.max(axis=inner, keepdims=True)
    room = size - 3 - (high - low)
    placed = shapes - low + 1 + generator.random(room.shape) * room
    fitting: np.ndarray = placed[room.min(axis=-1).reshape(len(shapes)) >= 0].astype(np.float32)
    return fitting


def _min_distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the smallest distance between the points of two shapes, for each image."""
    differences = one[:, :, None] - other[:, None]
    nearest: np.ndarray = np.sqrt((differences**2).sum(axis=-1).min(axis=(1, 2)))
    return nearest


def _paint_curves(images: np.ndarray, rows: np.ndarray, curves: np.ndarray) -> None:
    """Paint curves as dashes of two steps with gaps of one step."""
    size = images.shape[1]
    for start in range(curves.shape[1] - 1):
        if start % (DASH + GAP) >= DASH:
            continue
        for fraction in np.linspace(0, 1, 5):
            point = curves[:, start] * (1 - fraction) + curves[:, start + 1] * fraction
            row, column = np.rint(point).astype(int).clip(0, size - 1).T
            images[rows, row, column] = CURVE


def _paint_discs(images: np.ndarray, centres: np.ndarray, radius: float) -> None:
    """Paint a disc at a point of each image."""
    size = images.shape[1]
    grid = np.arange(size)
    rows, columns = centres[:, 0], centres[:, 1]
    vertical = (grid[None, :, None] - rows[:, None, None]) ** 2
    horizontal = (grid[None, None, :] - columns[:, None, None]) ** 2
    images[vertical + horizontal <= radius**2] = MARK
