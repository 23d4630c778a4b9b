"""What the backends do differently: one file for each, the same names in all."""

from __future__ import annotations

import importlib
from typing import Any

import keras


def backend_functions() -> Any:
    """Return the module of what Keras's present backend does its own way."""
    return importlib.import_module(f"baselines.layers.backends.{keras.backend.backend()}")
