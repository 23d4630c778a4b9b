"""JAX: which cases cuDNN's kernel gets, and that it gets them right; XLA computes in its place."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from keras import ops

from baselines.layers.attention import attention
from suite.worker.conformance.gradients import BACKEND, run
from tests.builders.attention import GROUPS, HEADS, LENGTH, oracle, states, visible

pytestmark = pytest.mark.skipif(BACKEND != "jax", reason="only JAX has this kernel")


@pytest.fixture
def calls(monkeypatch):
    """The arguments of calls of cuDNN's kernel, which XLA computes instead."""
    import jax

    from baselines.layers.backends import jax_attention

    found = []
    attend = jax.nn.dot_product_attention

    def instead(*arrays, implementation, **options):
        assert implementation == "cudnn"
        found.append(options)
        return attend(*arrays, implementation="xla", **options)

    monkeypatch.setattr(jax_attention, "_cudnn_supports", lambda *_: True)
    monkeypatch.setattr(jax.nn, "dot_product_attention", instead)
    return found


PADDINGS = {
    "none": np.ones((3, LENGTH), bool),
    "at the end": np.arange(LENGTH)[None, :] < np.array([[LENGTH], [30], [11]]),
    "in between": np.arange(LENGTH)[None, :] % np.array([[2], [3], [LENGTH]]) == 0,
}


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("causal", [False, True])
def test_padding_reaches_the_kernel_as_lengths(calls, causal, padding):
    arrays, mask = states(), PADDINGS[padding]
    found = run(lambda *a: attention(*a[:3], causal=causal, padding_mask=a[3]), *arrays, mask)
    expected = oracle(*arrays, visible(LENGTH, causal) & mask[:, None, None, :])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert calls[0]["is_causal"] == causal


def test_a_window_reaches_the_kernel(calls):
    arrays = states()
    found = run(lambda *a: attention(*a, causal=True, window=5), *arrays)
    np.testing.assert_allclose(found, oracle(*arrays, visible(LENGTH, True, 5)), atol=1e-5)
    assert calls == [
        {
            "scale": 1.0,
            "is_causal": True,
            "key_value_seq_lengths": None,
            "local_window_size": (4, 0),
        }
    ]


def test_biases_sinks_and_padded_windows_stay_in_blocks(calls):
    arrays = states()
    lengths = np.array([LENGTH, 30, 11], "int32")
    bias = np.zeros((1, HEADS, LENGTH, LENGTH), "float32")
    seed = np.array([1, 2], "uint32")
    for options in (
        {"bias": bias},
        {"distance_bias": np.zeros((HEADS, 2 * LENGTH - 1), "float32")},
        {"causal": True, "window": 5, "lengths": lengths},
        {"dropout": 0.1, "seed": seed},
    ):
        run(lambda *a, options=options: attention(*a, **options), *arrays)
    assert not calls


@pytest.mark.parametrize(
    ("changes", "supported"),
    [
        ({}, True),
        ({"device": "cpu"}, False),
        ({"dtype": "float32"}, False),
        ({"capability": "7.5"}, False),
        ({"capability": "gfx90a"}, False),
        ({"size": 12}, False),
        ({"size": 136}, False),
        ({"window": 8}, True),
        ({"window": 8, "causal": False}, False),
        ({"window": 8, "num_sinks": 2}, False),
        ({"num_keys": 70}, False),
        ({"num_keys": 70, "causal": False}, True),
    ],
)
def test_the_supported_cases(monkeypatch, changes, supported):
    import jax

    from baselines.layers.attention_blocks import Pattern
    from baselines.layers.backends.jax_attention import _cudnn_supports

    case = {"device": "gpu", "dtype": "bfloat16", "capability": "9.0", "size": 64, "num_keys": 50}
    case = {**case, "causal": True, "window": None, "num_sinks": 0, **changes}
    device = SimpleNamespace(compute_capability=case["capability"])
    monkeypatch.setattr(jax, "default_backend", lambda: case["device"])
    monkeypatch.setattr(jax, "devices", lambda: [device])
    query = ops.zeros((2, HEADS, 50, case["size"]), case["dtype"])
    key = ops.zeros((2, GROUPS, case["num_keys"], case["size"]), case["dtype"])
    pattern = Pattern(*(case[name] for name in ("causal", "window", "num_sinks")))
    assert _cudnn_supports(query, key, pattern) is supported
