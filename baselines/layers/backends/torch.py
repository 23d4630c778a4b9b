"""PyTorch: fused attention, and gradients that recompute activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from keras import ops
from torch.utils.checkpoint import checkpoint

from baselines.layers.attention import attend as attend_at_once
from baselines.layers.attention_blocks import (
    num_heads_per_key,
    plan_blocks,
    take_span,
    take_spans,
)

FUSES = False


class _WithGradient(torch.autograd.Function):
    """A function whose second result computes its gradient."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., Any], *inputs: Any) -> Any:
        outputs, ctx.gradient = function(*inputs)
        return outputs

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        return (None, *ctx.gradient(*upstream))


def custom_gradient(function: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
    """Return a function of tensors with the gradient that it defines itself."""
    return lambda *inputs: _WithGradient.apply(
        function, *(ops.convert_to_tensor(part) for part in inputs)
    )


def fused(function: Callable[..., Any], num_constants: int = 0) -> Callable[..., Any]:
    """Return the function itself: eager PyTorch has no cheap way to fuse it into one kernel."""
    return lambda *inputs: function(*(ops.convert_to_tensor(part) for part in inputs))


def recomputed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that stores only its inputs and is recomputed for the gradient."""

    def call(*inputs: Any) -> Any:
        tensors = tuple(ops.convert_to_tensor(part) for part in inputs)
        if not torch.is_grad_enabled():
            return function(*tensors)
        return checkpoint(function, *tensors, use_reentrant=False, preserve_rng_state=False)

    return call


def attend(
    query: Any,
    key: Any,
    value: Any,
    bias: Any,
    distance_bias: Any,
    terms: Any,
    block_bytes: int,
    drop: Callable[[Any, int], Any] | None,
    lengths: Any,
) -> Any:
    """Return attention from the fused kernels.

    Without biases, one call computes it: the causal kernel skips half of the work, and takes no
    other mask. A mask without padding is left out. Otherwise there is a call for each block,
    because a mask of all pairs takes memory O(n·m). The masks of blocks are built again for the
    gradient. Dropout is applied to weights that are computed without a fused kernel.
    """
    if terms.padding is not None and terms.padding.all():
        terms = replace(terms, padding=None)
    shared = num_heads_per_key(query, key)
    if shared > 1:
        key, value = (torch.repeat_interleave(part, shared, dim=1) for part in (key, value))
    pattern = terms.pattern
    plain = bias is None and distance_bias is None and pattern.window is None and drop is None
    aligned = pattern.offset == 0 and query.shape[2] == key.shape[2]
    if plain and ((terms.padding is None and aligned) or not pattern.causal):
        return _fused_attention(query, key, value, terms.padding, pattern.causal)

    def attend_block(block: Any, number: int, query: Any, key: Any, value: Any, *given: Any) -> Any:
        parts = iter(given)
        both = (None if part is None else next(parts) for part in (bias, distance_bias))
        query = take_span(take_span(query, block.examples, 0), block.queries, 2)
        key, value = (
            take_spans(take_span(part, block.examples, 0), block.keys, 2) for part in (key, value)
        )
        biases, visible = terms.biases_of(block, *both), terms.visible_in(block)
        if drop is not None:
            own_drop = lambda weights, _: drop(weights, number)  # noqa: E731
            return attend_at_once(query, key, value, *biases, visible=visible, drop=own_drop)
        return _fused_attention(query, key, value, visible, False, biases)

    given = [part for part in (bias, distance_bias) if part is not None]
    batch, num_heads, length, _ = query.shape
    blocks = plan_blocks(batch, num_heads, length, key.shape[2], pattern, block_bytes)
    done = [
        recomputed(partial(attend_block, block, number))(query, key, value, *given)
        for number, block in enumerate(blocks)
    ]
    return torch.cat(done, dim=2 if blocks[0].examples == blocks[-1].examples else 0)


def _fused_attention(
    query: Any, key: Any, value: Any, visible: Any, causal: bool, biases: Sequence[Any] = ()
) -> Any:
    """Return attention from a fused kernel, whose mask is infinite where it hides a key.

    A row that sees no key would have no finite weights, so it sees all.
    """
    mask = visible
    if visible is not None:
        mask = visible | ~visible.any(dim=-1, keepdim=True)
    if biases:
        bias = sum(biases)
        mask = bias if mask is None else torch.where(mask, bias, -torch.inf)
    return torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=causal, scale=1.0
    )


class _Reversible(torch.autograd.Function):
    """A forward pass without a graph, and a backward pass that recovers the inputs."""

    @staticmethod
    def forward(
        ctx: Any, halves: Any, first: Any, second: Any, context: Any, *values: Any
    ) -> tuple[Any, Any]:
        stored = []
        for half in halves:
            added, kept = half.run(second, context, None)
            first, second = second, first + added
            stored.append(kept)
        ctx.halves, ctx.stored = halves, stored
        ctx.save_for_backward(first, second, context)
        return first, second

    @staticmethod
    def backward(ctx: Any, d_first: Any, d_second: Any) -> Any:
        first, second, context = ctx.saved_tensors
        d_context = None if context is None else torch.zeros_like(context)
        found: list[Any] = []
        for half, kept in zip(reversed(ctx.halves), reversed(ctx.stored), strict=True):
            states = first.detach().requires_grad_()
            attended = None if context is None else context.detach().requires_grad_()
            values = [weight.value for weight in half.weights if weight.trainable]
            sources = [states, *values, *([] if attended is None else [attended])]
            with torch.enable_grad():
                added, _ = half.run(states, attended, kept)
            d_states, *others = torch.autograd.grad(added, sources, d_second, allow_unused=True)
            if attended is not None:
                d_attended = others.pop()
                if d_attended is not None:
                    d_context = d_context + d_attended
            found = [*others, *found]
            first, second = second - added.detach(), states.detach()
            d_first, d_second = d_second, d_first + d_states
        return (None, d_first, d_second, d_context, *found)


def run_reversibly(halves: Sequence[Any], first: Any, second: Any, context: Any) -> tuple[Any, Any]:
    """Add to two streams in turn, without storing activations for the gradient."""
    values = [weight.value for half in halves for weight in half.weights if weight.trainable]
    return _Reversible.apply(halves, first, second, context, *values)  # type: ignore[no-any-return]


def run_lstm(layer: Any, inputs: Any, state: Any) -> tuple[Any, Any]:
    """Return the outputs of a Keras LSTM, (batch, n, units), and its state after them."""
    parts = (inputs, *state, *layer.weights)
    inputs, hidden, cell, kernel, recurrent, bias = (
        ops.cast(part, layer.compute_dtype) for part in parts
    )
    weights = [kernel.T, recurrent.T, bias, torch.zeros_like(bias)]
    state = hidden[None], cell[None]
    outputs, hidden, cell = torch.lstm(inputs, state, weights, True, 1, 0.0, True, False, True)
    return outputs, (hidden[0], cell[0])


def drop(states: Any, rate: float, seed: Any) -> Any:
    """Return dropout from a seed (2 numbers): the same seed drops the same elements."""
    drawn = torch.rand(states.shape, generator=_generator(seed), dtype=states.dtype)
    return torch.where(drawn.to(states.device) >= rate, states / (1.0 - rate), 0.0)


def draw_normal(shape: Sequence[int], seed: Any) -> Any:
    """Return normally distributed numbers from a seed (2 numbers)."""
    return ops.convert_to_tensor(torch.randn(tuple(shape), generator=_generator(seed)))


def _generator(seed: Any) -> torch.Generator:
    high, low = (int(number) for number in seed)
    return torch.Generator().manual_seed((high << 32 | low) & (2**63 - 1))


def write_in_place(array: Any, start: Sequence[Any], values: Any) -> Any:
    """Return an array with other values from `start` on, in place where no gradient needs it."""
    if torch.is_grad_enabled():
        return ops.slice_update(array, start, values)
    places = tuple(
        slice(int(first), int(first) + size)
        for first, size in zip(start, values.shape, strict=True)
    )
    array[places] = values
    return array


def row_max(scores: Any) -> Any:
    """Return the maxima over the last axis, which stays with the size 1."""
    return ops.max(scores, axis=-1, keepdims=True)


def call_numpy(function: Callable[[int], Any], count: Any, shape: Sequence[int | None]) -> Any:
    """Return the array of a NumPy function."""
    return ops.convert_to_tensor(function(int(count)))


def sum_by_place(arrays: Any, places: Any, count: int) -> Any:
    """Return `count` arrays: the sum of those of each place.

    Keras's `segment_sum` takes 20 to 50 times as long on PyTorch (two cores).
    """
    total = torch.zeros((count, *arrays.shape[1:]), dtype=arrays.dtype, device=arrays.device)
    return total.index_add_(0, places, arrays)


def known_number(number: Any) -> int:
    """Return a number as an integer: eager tensors have values."""
    return int(number)


def nan_unless(holds: Any, states: Any, message: str) -> Any:
    """Return states, or NaN where a condition does not hold."""
    return torch.where(holds, states, torch.nan)


def zero_after(result: Any) -> int:
    """Return 0: eager operations run in order."""
    return 0
