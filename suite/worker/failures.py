"""The status of a cell whose process raised an exception."""

from __future__ import annotations

from suite.api import Status
from suite.api.errors import LengthwiseError, Unsupported

OUT_OF_MEMORY_SIGNS = (
    "resourceexhausted", "resource_exhausted", "oom when allocating",  # TensorFlow, JAX
    "out of memory", "can't allocate memory",  # PyTorch, on a GPU and on a processor
    "out_of_memory", "alloc_failed",  # CUDA itself, cuBLAS and cuDNN
)  # fmt: skip
"""Parts of the backends' messages, in lower case. No backend has one exception class for all."""


class Diverged(Exception):
    """The training loss is NaN or infinite."""


def classify(error: Exception) -> tuple[Status, str]:
    """Return the status of an exception and a reason of one line."""
    message = (str(error).strip().splitlines() or [""])[0][:300]
    if isinstance(error, Unsupported):
        return Status.UNSUPPORTED, message
    if isinstance(error, Diverged):
        return Status.DIVERGED, message
    text = f"{type(error).__name__}: {error}".lower()
    if isinstance(error, MemoryError) or any(sign in text for sign in OUT_OF_MEMORY_SIGNS):
        return Status.OUT_OF_MEMORY, f"an allocation failed: {message}"
    if isinstance(error, LengthwiseError):
        return Status.FAILED, message
    return Status.FAILED, f"{type(error).__name__}: {message}"
