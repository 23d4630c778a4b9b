"""The process of a cell: the only package that imports the frameworks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder

UNUSED = {
    "tensorflow": ("jax", "matplotlib", "pandas"),
    "jax": ("matplotlib", "pandas"),
    "torch": ("jax", "matplotlib"),  # PyTorch looks for pandas in a way that the hook cannot answer
}
"""Optional imports of each Keras backend that no cell uses."""


class _HidingFinder(MetaPathFinder):
    """An import hook for which the given packages are not installed."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname in self._names:
            raise ModuleNotFoundError(f"{fullname} is hidden here", name=fullname)


@contextmanager
def _hidden(names: Sequence[str]) -> Iterator[None]:
    finder = _HidingFinder(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


# The unused packages take a third of the time of these imports. Plug-ins can import them later.
with _hidden(UNUSED.get(os.environ.get("KERAS_BACKEND", "tensorflow"), ())):
    import keras  # noqa: F401
