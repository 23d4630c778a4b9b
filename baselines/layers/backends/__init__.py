"""Functions that differ between Keras's backends: one module per backend, the same names in each.

- `custom_gradient(function)` gives a function of tensors a custom gradient. The function returns a
  tuple of outputs, and a function from the outputs' gradients to the inputs' gradients.
- `recomputed(function)` stores only the inputs of a function and recomputes it for the gradient.
- `fused(function, num_constants)` compiles a function to one kernel where that is faster, and
  stores only its inputs. The last `num_constants` inputs have no gradient.
- `FUSES` tells whether `fused` compiles: a kernel does not store what it computes on the way.
- `attend(query, key, value, bias, distance_bias, terms, block_bytes, drop, lengths)` returns
  what `attention.attention` does, for scaled queries, without all scores in memory: block by block
  as `attention_blocks` plans, or in a fused kernel. `drop(weights, number)` drops weights of a
  block, and `drop=None` means no dropout. `lengths` may hold the number of real keys of each
  example.
- `run_reversibly(halves, first, second, context)` adds to two streams in turn, without storing
  activations (Gomez et al. 2017, "The Reversible Residual Network"). A half has `weights`, and
  `run(states, context, kept)` → (addend, kept). The streams swap after each half: (x₁, x₂) →
  (x₂, x₁ + f(x₂)). The gradient starts from the last outputs and recovers the inputs of each half
  by subtraction. `kept` (the buckets) is stored, so that rounding cannot change it. Halves with
  cross-attention read the tensor `context`; other halves ignore it, and it may be None.
- `run_lstm(layer, inputs, state)` returns the outputs, (batch, n, units), of a Keras LSTM and its
  state after them, from a fused kernel where there is one. A state is (hidden, cell).
- `drop(states, rate, seed)` and `draw_normal(shape, seed)` draw from a seed of two numbers: the
  same seed gives the same draw.
- `write_in_place(array, start, values)` returns an array with other values from the indices `start`
  on. Some backends change the array itself, so use only the returned array afterwards.
- `call_numpy(function, count, shape)` returns the int32 array of a NumPy function, whose argument
  may be unknown until the traced call runs.
- `row_max(scores)` returns the maxima over the last axis, which stays with the size 1.
- `sum_by_place(arrays, places, count)` returns `count` arrays: the sums of those of each place.
  Every place is below `count`.
- `known_number(number)` returns a number or a tensor of one number as an integer, or None within a
  compiled function, whose tensors have no values yet.
- `nan_unless(holds, states, message)` returns states, or NaN where a condition of a compiled
  function does not hold. A graph of TensorFlow then raises an error with the message; one that XLA
  compiles cannot.
- `zero_after(result)` returns 0 as an index that the compiler computes after the result.
"""

from __future__ import annotations

import importlib
from typing import Any

import keras


def backend_functions() -> Any:
    """Return the module of Keras's current backend."""
    return importlib.import_module(f"baselines.layers.backends.{keras.backend.backend()}")
