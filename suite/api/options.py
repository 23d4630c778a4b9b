"""Backends, precisions, and the options of every cell and of every task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Options = Mapping[str, Any]

BACKENDS = ("tensorflow", "jax", "torch")

PRECISIONS = ("float32", "tensorfloat32", "mixed_bfloat16", "mixed_float16")
"""The first backend and the first precision are the defaults. `tensorfloat32` has float32 numbers,
whose products the tensor cores of a GPU compute from 19 bits."""
USUAL_MODEL_SIZE = "tiny"
"""The model size that labels leave out, as they leave out the first backend and precision."""
ACCELERATOR_PRECISIONS = frozenset({"tensorfloat32", "mixed_float16"})
"""The precisions that a processor does not offer."""


def size_label(model_size: str) -> str:
    """Return a part of a label, such as "size mini"; "" for the usual size."""
    return f"size {model_size}" if model_size != USUAL_MODEL_SIZE else ""


def dtype_policy(precision: str) -> str:
    """Return the name of a precision's dtype policy in Keras."""
    return "float32" if precision == "tensorfloat32" else precision


COMPILE_MODES = ("auto", "graph", "xla")
"""The architecture's preference, TensorFlow's graph, or XLA."""

RUN_OPTIONS: Options = {"devices": 1, "compile": "auto"}
"""The options of every cell, with their defaults.

`devices` is the number of devices that a batch is split over (data parallelism). `compile` is the
way TensorFlow compiles the model, one of `COMPILE_MODES`.
"""

DATA_OPTIONS: Options = {"train_share": 1.0}
"""The options of every task, with their defaults.

`train_share` is the share of the training examples that a model is trained on, from
`MIN_TRAIN_SHARE` to 1. It belongs to the comparison, as a task's own options do.
"""

MIN_TRAIN_SHARE = 0.01
