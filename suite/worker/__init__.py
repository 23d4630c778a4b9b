"""Inside a cell's process: the only place with frameworks."""

from __future__ import annotations

import os
import sys

UNUSED = ("jax", "matplotlib", "pandas")
"""What Keras and TensorFlow import at once where it is installed, for what no cell asks of them."""


def _import_keras() -> None:
    """Import Keras without those: together they take as long as half of all the rest.

    A cell that wants one of them later can import it.
    """
    absent = {name for name in UNUSED if name not in sys.modules}
    absent.discard(os.environ.get("KERAS_BACKEND", ""))
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # as if it were not installed
    try:
        import keras  # noqa: F401
    finally:
        for name in absent:
            del sys.modules[name]


_import_keras()
