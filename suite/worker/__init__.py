"""The process of a cell: the only package that imports the frameworks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

UNUSED = ("jax", "matplotlib", "pandas")
"""Optional imports of Keras and TensorFlow that no cell uses, unless JAX is the backend."""


@contextmanager
def _hidden(names: Sequence[str]) -> Iterator[None]:
    """Hide packages from imports; packages that are imported already stay visible.

    To `import` and to `importlib.util.find_spec`, a hidden package is one that is not installed:
    PyTorch asks for pandas by the latter.
    """
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


# The unused packages take a third of the time of these imports. Plug-ins can import them later.
with _hidden([name for name in UNUSED if name != os.environ.get("KERAS_BACKEND")]):
    import keras  # noqa: F401
