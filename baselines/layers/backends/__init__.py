"""What the backends do differently: one file for each, the same names in all.

- `custom_gradient(function)` gives a function of tensors a gradient of its own: it returns a
  tuple of outputs and a function from the gradients of these to those of its inputs.
- `recomputed(function)` keeps only a function's inputs and computes it again for the gradient.
- `fused(function, num_constants)` makes one kernel of it where that pays, and keeps only its
  inputs; the last `num_constants` of them have no gradient.
- `attend_in_blocks(query, key, value, bias, causal, masked, blocks)` gives softmax(Q Kᵀ + bias) V
  without holding all scores. Shapes: query (batch, heads, n, d), scaled; key and value (batch,
  heads, m, d); bias (batch, 1, 1, m) or None. `masked` is added to the score of a later key where
  causal.
- `run_reversibly(halves, first, second, context)` adds to two streams in turn, keeping no
  activations (Gomez et al. 2017, "The Reversible Residual Network"). A half has `run(states,
  context, kept)` → (what to add, kept) and `weights`; the streams change places after each: (x₁,
  x₂) → (x₂, x₁ + f(x₂)). The gradient starts from the last outputs and finds the inputs of each
  half again by subtraction. What `run` hands over as kept (buckets) is stored, so that rounding
  cannot change it. The context is None or a tensor that some halves look at.
- `drop(states, rate, seed)` and `draw_normal(shape, seed)` draw by a seed of two numbers: the
  same seed draws the same.
"""

from __future__ import annotations

import importlib
from typing import Any

import keras


def backend_functions() -> Any:
    """Return the module of what Keras's present backend does its own way."""
    return importlib.import_module(f"baselines.layers.backends.{keras.backend.backend()}")
