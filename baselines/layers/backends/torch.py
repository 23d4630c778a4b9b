"""PyTorch: fused attention, and gradients that recompute activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from keras import ops
from torch.utils.checkpoint import checkpoint

MANY_KEYS = 768
"""From about this number of keys, the causal kernel that skips later keys is faster."""


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


def attend_in_blocks(
    query: Any,
    key: Any,
    value: Any,
    bias: Any,
    causal: bool,
    masked: float,
    blocks: Sequence[Any],
) -> Any:
    """Return softmax(Q Kᵀ + bias) V from the fused kernel, which needs no explicit blocks.

    The causal path of the kernel skips half the work, but takes no mask. So the bias of each key
    becomes an extra feature, which is 1 in every query. With few keys, a mask of all pairs is
    cheaper.
    """
    attend = torch.nn.functional.scaled_dot_product_attention
    if bias is None or not causal:
        return attend(query, key, value, attn_mask=bias, is_causal=causal, scale=1.0)
    batch, num_heads, num_keys, head_size = key.shape
    if num_keys < MANY_KEYS:
        later = torch.ones(num_keys, num_keys, dtype=torch.bool, device=key.device).triu(1)
        return attend(query, key, value, attn_mask=bias + later.to(bias.dtype) * masked, scale=1.0)
    one, none = torch.ones_like(query[..., :1]), torch.zeros_like(value[..., :1])
    biases = bias.transpose(2, 3).expand(batch, num_heads, num_keys, 1)
    query, key, value = (
        torch.cat(parts, dim=-1) for parts in ((query, one), (key, biases), (value, none))
    )
    return attend(query, key, value, is_causal=True, scale=1.0)[..., :head_size]


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
            values = [weight.value for weight in half.weights]
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
    values = [weight.value for half in halves for weight in half.weights]
    return _Reversible.apply(halves, first, second, context, *values)  # type: ignore[no-any-return]


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
