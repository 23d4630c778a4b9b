"""The outcome of exceptions, and the configuration of the backend."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from types import SimpleNamespace

import keras
import pytest
import tensorflow as tf

from suite.api import Inputs, Status
from suite.api.errors import PluginError, Unsupported
from suite.records.model_sizes import MODEL_SIZES
from suite.worker import steps
from suite.worker.failures import classify
from suite.worker.main import _for_json
from suite.worker.measure import warmup
from suite.worker.model import build_embedding


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
def test_memory_errors_of_all_backends_are_out_of_memory(error):
    status, reason = classify(error)
    assert status is Status.OUT_OF_MEMORY
    assert reason.startswith("an allocation failed: ") and "\n" not in reason


def test_other_errors_have_their_own_status_and_reason():
    assert classify(Unsupported("takes no patches")) == (Status.UNSUPPORTED, "takes no patches")
    failed = (Status.FAILED, "ValueError: memory must be a tensor")
    assert classify(ValueError("memory must be a tensor\nof rank 3")) == failed


@pytest.mark.parametrize(
    ("inputs", "embedding", "fits"),
    [
        (Inputs.TOKEN_IDS, None, True),
        (Inputs.TOKEN_IDS, object(), False),
        (Inputs.EMBEDDINGS, None, False),
        (Inputs.EMBEDDINGS, object(), True),
        (Inputs.PATCHES, None, True),
        (Inputs.PATCHES, object(), True),
    ],
)
def test_a_task_has_an_embedding_exactly_if_its_inputs_are_embeddings(inputs, embedding, fits):
    task = SimpleNamespace(build_embedding=lambda spec, width: embedding)
    request = SimpleNamespace(inputs=inputs, model_size=MODEL_SIZES["tiny"])
    if fits:
        assert build_embedding(task, request, {}) is embedding
    else:
        with pytest.raises(PluginError, match=f"Received: Inputs.{inputs.name} and {embedding}"):
            build_embedding(task, request, {})


def test_float32_has_full_precision_on_an_accelerator(monkeypatch):
    enabled = tf.config.experimental.tensor_float_32_execution_enabled
    monkeypatch.setattr(steps, "has_accelerator", lambda: True)
    try:
        steps.fix_randomness(0)
        assert not enabled()
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(True)


@pytest.mark.usefixtures("eager")
def test_the_warm_up_keeps_the_precision():
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        warmup.throwaway_step(False)
        assert keras.layers.Dense(1).compute_dtype == "bfloat16"
    finally:
        keras.config.set_dtype_policy(before)


ON_JAX = """
import jax, json, keras
from suite.worker.backends.jax import compiled_by_xla, multiply_float32, share_work
from suite.worker.measure.warmup import throwaway_step

share_work(4)
throwaway_step(False)
layer = keras.layers.Dense(1)
layer.build((None, 2))
products = []
for in_tensorfloat32 in (True, False):
    multiply_float32(in_tensorfloat32=in_tensorfloat32)
    products.append(jax.jit(lambda a: a @ a).lower(jax.numpy.ones((2, 2))).as_text())
ones = jax.numpy.ones((256, 256))
lowered = compiled_by_xla(lambda a: jax.numpy.sum(a @ a, axis=0)).lower(ones)
uses_library = "ynn_fusion" in lowered.compile().as_text()
print(json.dumps([len(layer.kernel.value.sharding.device_set), *products, uses_library]))
"""


@pytest.mark.slow  # JAX starts in a process of its own
def test_on_jax_float32_has_full_precision_and_the_warm_up_keeps_the_distribution():
    """XLA's own kernels compute products and reductions, not YNNPACK's."""
    flags = "--xla_force_host_platform_device_count=4"
    environment = {**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": flags}
    result = subprocess.run(
        [sys.executable, "-c", ON_JAX], env=environment, text=True, capture_output=True, check=False
    )
    assert result.returncode == 0, result.stderr
    num_devices, rounded, full, uses_library = json.loads(result.stdout)
    assert num_devices == 4
    assert not uses_library
    assert "precision = [HIGH, HIGH]" in rounded
    assert "precision = [HIGHEST, HIGHEST]" in full


def test_an_outcome_holds_only_what_json_in_utf_8_has():
    outcome = {"a\ud83d": [math.nan, math.inf, 1.5, ("x\udfff", None)], 3: Status.OK}
    assert _for_json(outcome) == {"a?": [None, None, 1.5, ["x?", None]], "3": "ok"}
