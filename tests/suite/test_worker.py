"""What a cell's exception says of it."""

from __future__ import annotations

import pytest

from suite.child.worker import classify
from suite.contracts import Status
from suite.errors import Unsupported


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 12.0 GiB for an array"),
        RuntimeError(
            "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8589934592 bytes."
        ),
        RuntimeError("OOM when allocating tensor with shape[32,4,16384,16384]"),
        type("ResourceExhaustedError", (Exception,), {})("{{function_node __inference}}"),
        type("OutOfMemoryError", (RuntimeError,), {})(
            "CUDA out of memory. Tried to allocate 2 GiB"
        ),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 64 bytes."),
        RuntimeError("failed to allocate 2 bytes: CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
    ],
)
def test_what_the_backends_say_of_memory_is_out_of_memory(error):
    status, reason = classify(error)
    assert status is Status.OUT_OF_MEMORY
    assert reason.startswith("an allocation failed: ") and "\n" not in reason


def test_other_errors_are_what_they_are():
    assert classify(Unsupported("takes no patches")) == (Status.UNSUPPORTED, "takes no patches")
    failed = (Status.FAILED, "ValueError: memory must be a tensor")
    assert classify(ValueError("memory must be a tensor\nof rank 3")) == failed
