"""Backends, precisions and the options that every cell has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Options = Mapping[str, Any]

BACKENDS = ("tensorflow", "jax", "torch")

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
"""What runs a cell and how it computes where nobody says: the first of each."""

COMPILE_MODES = ("auto", "graph", "xla")
"""As the architecture prefers it, TensorFlow's own operations, or XLA's."""

RUN_OPTIONS: Options = {"devices": 1, "compile": "auto"}
"""Options of every cell, whatever its task and architecture, and their defaults: over how many
devices of the machine its batches are split (data parallelism), and how TensorFlow compiles it (one
of `COMPILE_MODES`)."""
