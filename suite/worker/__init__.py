"""The process of a cell: the only package that imports the frameworks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder

UNUSED = ("jax", "matplotlib", "pandas")
"""Optional imports of Keras and TensorFlow that no cell uses, unless JAX is the backend."""


class _HidingFinder(MetaPathFinder):
    """An import hook for which the given packages are not installed."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname in self._names:
            raise ModuleNotFoundError(f"{fullname} is hidden here", name=fullname)


@contextmanager
def _hidden(names: Sequence[str]) -> Iterator[None]:
    """Hide packages from imports; packages that are imported already stay visible."""
    finder = _HidingFinder(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


# The unused packages take a third of the time of these imports. Plug-ins can import them later.
with _hidden([name for name in UNUSED if name != os.environ.get("KERAS_BACKEND")]):
    import keras  # noqa: F401
