"""Position embeddings: sinusoids, a learned table, an axial grid, or none."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from keras import ops

from baselines.layers.backends import backend_functions
from baselines.layers.initialization import added_vectors
from baselines.layers.layer import Layer
from baselines.layers.lengths import check_length, is_known
from baselines.layers.places import require_places


def angles(places: np.ndarray, width: int) -> np.ndarray:
    """Return place / 10000^(2i/d) for each place and i < d / 2; d is `width`, which is even."""
    return places[:, None] * 10_000.0 ** (-np.arange(0, width, 2) / width)[None, :]


@lru_cache(maxsize=4)
def sinusoids(length: int, width: int) -> np.ndarray:
    """Return the (length, width) table of Vaswani et al. 2017, section 3.5.

    Even columns 2i are sin(pos / 10000^(2i/d)), odd ones the cosine; d is `width`.

    Raises:
        ValueError: the width is odd.
    """
    if width % 2:
        raise ValueError(
            "Sinusoids come in pairs of sine and cosine, so the width must be even. "
            f"Received: width={width}. Use {width + 1}."
        )
    angle = angles(np.arange(length), width)
    return (
        np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(length, width).astype("float32")
    )


def _sinusoids_from(start: Any, length: Any, width: int) -> Any:
    """Return the rows of `sinusoids` from `start` on, (length, width), for an unknown length."""
    places = ops.cast(start + ops.arange(length), "float64")
    angle = places[:, None] * ops.convert_to_tensor(angles(np.ones(1), width))
    return ops.reshape(ops.stack([ops.sin(angle), ops.cos(angle)], axis=-1), (length, width))


def resize_grid(
    table: np.ndarray, old_grid: tuple[int, int], new_grid: tuple[int, int]
) -> np.ndarray:
    """Interpolate a learned table to another grid of patches (Dosovitskiy et al. 2021, 3.2).

    In: (extra + rows · columns, width). The extra rows before the grid (a class token's) do not
    change. Out: a table of the new grid, which can be assigned to a model built for that grid.

    Raises:
        ValueError: the table is smaller than the old grid.
    """
    extra = len(table) - old_grid[0] * old_grid[1]
    if extra < 0:
        raise ValueError(
            "The table must have a row for each patch of the old grid. "
            f"Received: {len(table)} rows, old_grid={old_grid}. Pass the grid of training."
        )
    grid = np.reshape(table[extra:], (1, *old_grid, -1))
    resized = ops.convert_to_numpy(ops.image.resize(grid, new_grid, data_format="channels_last"))
    return np.concatenate([table[:extra], resized.reshape(-1, table.shape[1])])


def _add_rows(embeddings: Any, table: Any, start: Any) -> Any:
    """Return embeddings plus the rows of a table from `start` on, which may be a tensor."""
    length, width = ops.shape(embeddings)[1:]
    check_length(length, table.shape[0])
    embeddings = require_places(embeddings, start, length, table.shape[0])
    rows = ops.slice(ops.convert_to_tensor(table), (start, 0), (length, width))
    return embeddings + ops.cast(rows, embeddings.dtype)


class SinusoidalPositions(Layer):
    """Adds the sinusoids of Vaswani et al. 2017, section 3.5, to each position.

    They extrapolate: a sequence may be longer than in training. A compiled loop does not know
    `start`; there, a position from `max_length` on is NaN or an error (see `require_places`). In
    and out: (batch, n, width). Time and memory O(n).

    Raises:
        ValueError: the width is odd.

    Example:
        >>> layer = SinusoidalPositions(max_length=16)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(self, max_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_length = max_length

    def call(self, embeddings: Any, start: Any = 0) -> Any:
        """Return the embeddings plus the vectors of the positions from `start` on."""
        length, width = ops.shape(embeddings)[1:]
        if not is_known(length):
            return embeddings + ops.cast(_sinusoids_from(start, length, width), embeddings.dtype)
        end = backend_functions().known_number(start + length) or 0
        return _add_rows(embeddings, sinusoids(max(end, self.max_length), width), start)


class NoPositions(Layer):
    """Adds nothing, for architectures whose mixers see distances or order.

    Nothing depends on the length, so nothing limits it. In and out: (batch, n, width), without time
    or memory.

    Example:
        >>> layer = NoPositions()
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def call(self, embeddings: Any, start: Any = 0) -> Any:
        """Return the embeddings unchanged."""
        return embeddings


class LearnedPositions(Layer):
    """Adds a learned vector to each position (Gehring et al. 2017, section 3.1).

    The vectors start with the standard deviation `stddev`, which should be that of the embeddings.
    They do not extrapolate: positions beyond those of the training have no vector, or an untrained
    one. In and out: (batch, n, width), n at most `max_length`. Time and memory O(n).

    Raises:
        ValueError: the sequence is longer than `max_length`.

    Example:
        >>> layer = LearnedPositions(max_length=24)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(self, max_length: int, stddev: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_length = max_length
        self.stddev = stddev

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the table."""
        self.table = self.add_weight(
            shape=(self.max_length, input_shape[-1]),
            initializer=added_vectors(self.stddev),
            name="table",
        )

    def call(self, embeddings: Any, start: Any = 0) -> Any:
        """Return the embeddings plus the vectors of the positions from `start` on."""
        return _add_rows(embeddings, self.table, start)


class TypedPositions(LearnedPositions):
    """Adds a learned vector for each position and one for each token's type.

    Devlin et al. 2019, figure 2: the segment embedding. `token_types` (batch, n) are below
    `num_types`; without them, all tokens have type 0. Shapes and costs as in `LearnedPositions`.

    Example:
        >>> layer = TypedPositions(max_length=24)
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self, max_length: int, stddev: float = 1.0, num_types: int = 2, **kwargs: Any
    ) -> None:
        super().__init__(max_length, stddev, **kwargs)
        self.num_types = num_types

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create both tables."""
        super().build(input_shape)
        self.types = self.add_weight(
            shape=(self.num_types, input_shape[-1]),
            initializer=added_vectors(self.stddev),
            name="types",
        )

    def call(self, embeddings: Any, start: Any = 0, token_types: Any = None) -> Any:
        """Return the embeddings plus the vectors of the positions and of the token types."""
        types = self.types[0] if token_types is None else ops.take(self.types, token_types, axis=0)
        return super().call(embeddings, start) + ops.cast(types, embeddings.dtype)


class AxialPositions(Layer):
    """Adds a learned vector whose halves encode the row and the column of a position in a grid.

    Kitaev et al. 2020, appendix D. The grid is filled row by row. By default it is the squarest
    grid that holds `max_length` positions, so the weights have O(√n) rows. The vectors do not
    extrapolate, because they are learned. In and out: (batch, n, width), n at most `max_length`.
    Time and memory O(n).

    Raises:
        ValueError: the grid has fewer places than `max_length`, or the sequence is longer.

    Example:
        >>> layer = AxialPositions(max_length=24, grid=(4, 6))
        >>> tuple(layer(keras.ops.ones((2, 19, 32))).shape)
        (2, 19, 32)
    """

    def __init__(
        self,
        max_length: int,
        grid: tuple[int, int] | None = None,
        stddev: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_length = max_length
        self.grid = None if grid is None else tuple(grid)
        self.stddev = stddev
        columns = math.isqrt(max_length - 1) + 1
        self.rows, self.columns = grid or (-(-max_length // columns), columns)
        if self.rows * self.columns < max_length:
            raise ValueError(
                "The axial grid must have a place for every position. Received: "
                f"max_length={max_length}, grid={grid}. Use more rows or columns."
            )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create a table for the rows and one for the columns."""
        width = input_shape[-1]
        assert width is not None
        self.by_row = self.add_weight(
            (self.rows, width // 2), added_vectors(self.stddev), name="rows"
        )
        self.by_column = self.add_weight(
            (self.columns, width - width // 2), added_vectors(self.stddev), name="columns"
        )

    def call(self, embeddings: Any, start: Any = 0) -> Any:
        """Return the embeddings plus the vectors of the positions from `start` on."""
        length = ops.shape(embeddings)[1]
        check_length(length, self.max_length)
        embeddings = require_places(embeddings, start, length, self.max_length)
        place = ops.cast(start, "int32") + ops.arange(length, dtype="int32")
        row = ops.take(self.by_row, place // self.columns, axis=0)
        column = ops.take(self.by_column, place % self.columns, axis=0)
        return embeddings + ops.cast(ops.concatenate([row, column], axis=-1), embeddings.dtype)


def make_positions(kind: str, max_length: int, stddev: float) -> Layer:
    """Return the layer of a kind of positions that are added to embeddings of a scale.

    Other kinds, such as those inside attention, add nothing.
    """
    makers: dict[str, Callable[[], Layer]] = {
        "sinusoidal": lambda: SinusoidalPositions(max_length),
        "learned": lambda: LearnedPositions(max_length, stddev),
        "typed": lambda: TypedPositions(max_length, stddev),
        "axial": lambda: AxialPositions(max_length, stddev=stddev),
    }
    return makers.get(kind, NoPositions)()
