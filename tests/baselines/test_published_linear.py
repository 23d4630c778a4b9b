"""Recurrent mixers of 2024 to 2026 against the outputs of their published implementations."""

from __future__ import annotations

import numpy as np
from keras import ops

from baselines.layers.chunked_scan import scan_in_chunks
from baselines.layers.kimi_delta_mixer import KimiDeltaMixer
from suite.worker.conformance.gradients import tensors
from tests.baselines.test_published import TOLERANCE, Weights, cases
from tests.baselines.test_published_llama import assign

STATE_TOLERANCE = 1e-3


def kimi_delta(case: Weights):
    """Return a mixer with the weights of a case."""
    num_heads, size = int(case["num_heads"]), int(case["head_dim"])
    mixer = KimiDeltaMixer(
        num_heads, size, int(case["conv_kernel"]), epsilon=float(case["norm_epsilon"])
    )
    mixer.build(case["inputs"].shape)
    kernels = (
        "g_a_proj",
        "forget_gate/f_a_proj",
        "q_proj",
        "k_proj",
        "v_proj",
        "b_proj",
    )
    columns = [case[f"weights/{name}/weight"].T for name in kernels]
    mixer.input_projection.kernel.assign(np.concatenate(columns, axis=1))
    assign(mixer.decay_projection, case, "weights/forget_gate/f_b_proj")
    assign(mixer.gate_projection, case, "weights/g_b_proj")
    assign(mixer.output_projection, case, "weights/o_proj")
    mixer.convolution.kernel.assign(case["weights/conv1d/weight"][:, 0].T)
    mixer.log_rates.assign(case["weights/forget_gate/A_log"].ravel())
    mixer.step_bias.assign(case["weights/forget_gate/dt_bias"])
    mixer.norm.gamma.assign(case["weights/o_norm/weight"])
    return mixer


def assert_is_exact(mixer, case: Weights, path: str, last=lambda state: state) -> None:
    """Compare outputs at once and in steps, and the states after the last positions."""
    inputs, mask = case["inputs"], case.get("padding_mask", np.ones(case["inputs"].shape[:2], bool))
    states, padding = tensors(inputs, mask.astype(bool))
    outputs = mixer(states, padding_mask=padding)
    compare(outputs, case["outputs"], mask, path)
    state, steps = mixer.init_state(len(inputs), inputs.shape[1]), []
    for start, stop in ((0, 3), *((place, place + 1) for place in range(3, inputs.shape[1]))):
        mixed, state = mixer.decode_step(states[:, start:stop], state, start)
        steps.append(ops.convert_to_numpy(mixed))
    compare(np.concatenate(steps, axis=1), case["outputs"], mask, f"{path}, in steps")
    _, carried = mixer._run(ops.where(padding[..., None], states, 0.0), padding, None)
    np.testing.assert_allclose(
        last(carried), case["final_state"], atol=STATE_TOLERANCE, rtol=5e-5, err_msg=path
    )


def compare(outputs, expected: np.ndarray, mask: np.ndarray, name: str) -> None:
    outputs = ops.convert_to_numpy(outputs)[mask.astype(bool)]
    expected = expected[mask.astype(bool)]
    np.testing.assert_allclose(outputs, expected, atol=TOLERANCE, rtol=5e-5, err_msg=name)


def test_kimi_delta_attention(reference_outputs):
    for path, case in cases(reference_outputs, "kimi_delta_attention_"):
        assert_is_exact(kimi_delta(case), dict(case), path, lambda state: state[1])


def test_gated_linear_attention(reference_outputs):
    for path, case in cases(reference_outputs, "gated_linear_attention_"):
        names = "query", "key", "value", "log_decay"
        query, key, value, log_decay = (
            ops.transpose(ops.convert_to_tensor(case[name]), (0, 2, 1, 3)) for name in names
        )
        state = case.get("initial_state")
        for chunk_length in (8, 64):
            outputs, last = scan_in_chunks(
                query * query.shape[-1] ** -0.5, key, value, log_decay, state, chunk_length
            )
            outputs = ops.transpose(outputs, (0, 2, 1, 3))
            np.testing.assert_allclose(outputs, case["outputs"], atol=TOLERANCE, err_msg=path)
            np.testing.assert_allclose(
                last, case["final_state"], atol=STATE_TOLERANCE, err_msg=path
            )
