"""Blocks of attention: queries, the keys that they see, and what is added to their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from keras import ops

from baselines.layers.lengths import is_known

BLOCK_BYTES = 16 * 2**20
"""Size of one block of scores: as fast as larger blocks, because it fits the processor's cache."""
MAX_BLOCKS = 32
"""The largest number of blocks: a graph with more is slow to build."""
CAUSAL_PARTS = 8
"""The number of parts of a causal sequence whose blocks have few heads."""
MIN_CAUSAL_QUERIES = 128
"""The smallest number of queries for which a causal sequence is split into parts."""
HIDDEN = 2**30
"""The position of a key that no query with a window sees."""


class Span(NamedTuple):
    """A range of indices. The start may be a tensor; the size is a number.

    The size of a whole axis may be unknown: None, or a tensor.
    """

    start: Any
    size: Any

    @property
    def stop(self) -> Any:
        """The index after the last one."""
        return self.start + self.size

    @property
    def indices(self) -> Any:
        """A tensor of the indices."""
        return self.start + ops.arange(self.size)


def take_span(states: Any, span: Span, axis: int) -> Any:
    """Return the indices of a span along an axis, without a copy if these are all."""
    if isinstance(span.start, int):
        if span.size is None or span == (0, states.shape[axis]):
            return states
        return states[(slice(None),) * axis + (slice(span.start, span.stop),)]
    starts, sizes = [0] * len(states.shape), list(states.shape)
    starts[axis], sizes[axis] = span
    return ops.slice(states, starts, sizes)


def take_spans(states: Any, spans: Sequence[Span], axis: int) -> Any:
    """Return the indices of several spans along an axis."""
    parts = [take_span(states, span, axis) for span in spans]
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=axis)


@dataclass(frozen=True)
class Block:
    """Queries of some examples and heads, and the keys that they see."""

    examples: Span
    queries: Span
    keys: tuple[Span, ...]
    heads: Span | None = None
    """The query heads; None means all."""


@dataclass(frozen=True)
class Pattern:
    """The rule by which queries see keys; the first query has the position `offset`.

    With a window w, a query at position i sees the keys i − w + 1 … i; without `causal`, those up
    to i + w − 1 too. The first `num_sinks` keys stay visible outside the window.
    """

    causal: bool = False
    window: int | None = None
    num_sinks: int = 0
    offset: Any = 0

    def without_wide_window(self, length: int, num_keys: int) -> Pattern:
        """Return the pattern without its window, if the window hides none of the keys."""
        if self.window is None or not is_known(self.offset, length, num_keys):
            return self
        farthest = self.offset + length
        if self.window < (farthest if self.causal else max(farthest, num_keys)):
            return self
        return Pattern(self.causal, offset=self.offset)

    def keys_seen(self, queries: Span, num_keys: int) -> tuple[Span, ...]:
        """Return spans of keys that hold all keys that some of the queries see.

        The sinks come first. With a window, sizes depend on the number of queries only.
        """
        if self.window is None:
            return (
                Span(0, min(self.offset + queries.stop, num_keys) if self.causal else num_keys),
            )
        reach = self.window - 1
        size = min(num_keys, queries.size + reach * (1 if self.causal else 2))
        start, last = self.offset + queries.start - reach, num_keys - size
        if isinstance(start, int):
            near = Span(max(0, min(start, last)), size)
        else:
            near = Span(ops.clip(start, 0, last), size)
        sinks = min(self.num_sinks, num_keys)
        return (Span(0, sinks), near) if sinks else (near,)

    def sees(self, places: Any, key_places: Any) -> Any:
        """Return whether queries at positions (n,) see keys at positions (m,): (n, m)."""
        distances = key_places[None, :] - places[:, None]
        visible = distances <= 0 if self.causal else None
        if self.window is not None:
            near = distances > -self.window
            if not self.causal:
                near = near & (distances < self.window)
            if self.num_sinks:
                near = near | (key_places < self.num_sinks)[None, :]
            visible = near if visible is None else visible & near
        return visible

    def key_places(self, keys: Sequence[Span]) -> Any:
        """Return the positions of the keys in the spans of `keys_seen`.

        A sink that is also within the second span is hidden in the first.
        """
        places = [span.indices for span in keys]
        if len(keys) == 2:
            places[0] = ops.where(places[0] < keys[1].start, places[0], HIDDEN)
        return places[0] if len(places) == 1 else ops.concatenate(places)


@dataclass(frozen=True)
class Terms:
    """The terms that are added to Q Kᵀ for n queries: masks, and biases of two kinds.

    `padding`, (batch, 1, 1, m) or None, is True at real keys. The caller passes the biases: one
    that broadcasts to (batch, heads, n, m), and one by distance, (heads, n + m − 1), whose first
    number is that of the last query and the first key.
    """

    pattern: Pattern
    length: int
    padding: Any = None

    def ends_causally(self, block: Block) -> bool:
        """Whether each query of a block sees all keys up to a key among the last ones.

        The last keys are as many as the queries.
        """
        pattern = self.pattern
        last_seen = pattern.offset + block.queries.stop
        return pattern.causal and pattern.window is None and block.keys[0].stop == last_seen

    def padding_of(self, block: Block) -> Any:
        """Return the mask of padded keys, (examples, 1, 1, keys), or None."""
        if self.padding is None:
            return None
        return take_spans(take_span(self.padding, block.examples, 0), block.keys, 3)

    def mask_of(self, block: Block) -> Any:
        """Return the mask of the pattern, (queries, keys), or None."""
        if not self.pattern.causal and self.pattern.window is None:
            return None
        places = self.pattern.offset + block.queries.indices
        return self.pattern.sees(places, self.pattern.key_places(block.keys))

    def visible_in(self, block: Block) -> Any:
        """Return which keys both masks show; it broadcasts to the scores. None means all."""
        return both_masks(self.padding_of(block), self.mask_of(block))

    def mask_layout(self, block: Block) -> Any:
        """Return a key that is the same for blocks with equal masks of the pattern."""
        shift = block.keys[-1].start - block.queries.start
        sinks_are_near = block.keys[-1].start < self.pattern.num_sinks
        sizes = tuple(span.size for span in block.keys)
        return block.queries.size, sizes, shift, block.queries.start if sinks_are_near else None

    def biases_of(self, block: Block, bias: Any, distance_bias: Any) -> list[Any]:
        """Return the parts of both biases for a block; each broadcasts to its scores."""
        parts = []
        if bias is not None:
            axes = [(0, (block.examples,)), (2, (block.queries,)), (3, block.keys)]
            if block.heads is not None:
                axes.append((1, (block.heads,)))
            for axis, spans in axes:
                if bias.shape[axis] != 1:
                    bias = take_spans(bias, spans, axis)
            parts.append(bias)
        if distance_bias is not None:
            if block.heads is not None:
                distance_bias = take_span(distance_bias, block.heads, 0)
            by_pair = [self._by_pair(block.queries, span, distance_bias) for span in block.keys]
            parts.append(by_pair[0] if len(by_pair) == 1 else ops.concatenate(by_pair, axis=-1))
        return parts

    def _by_pair(self, queries: Span, keys: Span, distance_bias: Any) -> Any:
        start = keys.start - queries.start + self.length - queries.size
        span = Span(start, queries.size + keys.size - 1)
        return by_pair(take_span(distance_bias, span, 1), queries.size, keys.size)


def num_heads_per_key(query: Any, key: Any) -> int:
    """Return the number of query heads, the third axis from the end, for each key head."""
    return int(query.shape[-3] // key.shape[-3])


def share_heads(states: Any, shared: int) -> Any:
    """Return (batch, heads, n, d) as (batch, heads / shared, shared · n, d), without a copy."""
    if shared == 1:
        return states
    _, num_heads, length, size = ops.shape(states)
    return ops.reshape(states, (-1, num_heads // shared, shared * length, size))


def separate_heads(states: Any, shared: int) -> Any:
    """Return (batch, heads / shared, shared · n, d) as (batch, heads, n, d): see `share_heads`."""
    if shared == 1:
        return states
    _, num_groups, length, size = ops.shape(states)
    return ops.reshape(states, (-1, num_groups * shared, length // shared, size))


def both_masks(first: Any, second: Any) -> Any:
    """Return where both masks are True; None counts as True everywhere."""
    if first is None or second is None:
        return second if first is None else first
    return first & second


def by_pair(by_distance: Any, num_queries: int, num_keys: int) -> Any:
    """Return numbers by distance, (heads, n + m − 1), for each pair: (heads, n, m).

    Distances grow from that of the last query and the first key. Each row is the one before,
    shifted by one place: a repeated vector is read in rows that are shorter by one. A further
    number, which is not read, keeps these rows as long as the keys if there is a single query.
    """
    num_heads, size = by_distance.shape[0], num_queries + num_keys - 1
    repeated = ops.tile(ops.pad(by_distance, ((0, 0), (0, 1))), (1, num_queries))
    first = num_queries - 1
    shifted = repeated[:, first : first + num_queries * size]
    return ops.reshape(shifted, (num_heads, num_queries, size))[:, :, :num_keys]


def plan_blocks(
    batch: int | None,
    num_heads: int,
    length: int,
    num_keys: int,
    pattern: Pattern,
    block_bytes: int,
) -> list[Block]:
    """Return blocks of queries whose scores take about `block_bytes` each.

    A block holds whole examples if the scores of one fit. If the batch size is unknown, as in a
    graph of Keras's `fit`, a block holds all examples, and takes as much for each. A sequence has
    at most `MAX_BLOCKS` blocks, because a graph with more is slow to build. With a window, a block
    has at most as many queries as the window, so that few of its scores are masked.
    """
    by_example = num_heads * length * num_keys * 4
    if batch is None and by_example <= block_bytes:
        return [Block(Span(0, None), Span(0, length), (Span(0, num_keys),))]
    if batch is not None and by_example <= block_bytes:
        step = max(1, block_bytes // by_example)
        sizes = [(start, min(step, batch - start)) for start in range(0, batch, step)]
        whole = Span(0, length)
        return [Block(Span(*examples), whole, (Span(0, num_keys),)) for examples in sizes]
    seen = num_keys if pattern.window is None else min(num_keys, 2 * pattern.window)
    rows = block_bytes // ((batch or 1) * num_heads * seen * 4)
    if pattern.window is not None:
        rows = min(rows, pattern.window)
    rows = max(rows, -(-length // MAX_BLOCKS))
    everyone = Span(0, batch)
    queries = split_evenly(length, rows)
    return [Block(everyone, span, pattern.keys_seen(span, num_keys)) for span in queries]


def plan_blocks_of_heads(
    batch: int,
    num_heads: int,
    num_key_heads: int,
    length: int,
    num_keys: int,
    pattern: Pattern,
    block_bytes: int,
) -> list[Block]:
    """Return blocks as `plan_blocks` does, of few heads and many queries each, without a window.

    A block has whole examples, or some heads of one example. The slices of a single head are views
    in memory, and long products are faster. A causal block of r queries computes masked scores for
    up to r keys. A causal sequence therefore has at least `CAUSAL_PARTS` blocks, if these have
    `MIN_CAUSAL_QUERIES` each. The last queries come first. Up to rounding, there are at most
    `MAX_BLOCKS` blocks.
    """
    by_query = num_keys * 4
    block_bytes = max(block_bytes, -(-batch * num_heads * length * by_query // MAX_BLOCKS))
    rows = min(length, max(1, block_bytes // by_query))
    if pattern.causal:
        rows = min(rows, max(MIN_CAUSAL_QUERIES, -(-length // CAUSAL_PARTS)))
    maps = max(1, block_bytes // (rows * by_query))
    if maps >= num_heads:
        examples, heads = split_evenly(batch, maps // num_heads), [Span(0, num_heads)]
    else:
        examples = split_evenly(batch, 1)
        shared = num_heads // num_key_heads
        # A block has the query heads of whole key heads, or some query heads of a single one.
        fits = (
            size
            for size in range(maps, 0, -1)
            if (size % shared == 0 or shared % size == 0) and num_heads % size == 0
        )
        heads = split_evenly(num_heads, next(fits))
    return [
        Block(own, queries, pattern.keys_seen(queries, num_keys), of_heads)
        for queries in reversed(split_evenly(length, rows))
        for own in examples
        for of_heads in heads
    ]


def split_evenly(size: int, part: int) -> list[Span]:
    """Return consecutive spans of `part` indices; the last one may be shorter."""
    return [Span(start, min(part, size - start)) for start in range(0, size, part)]
