"""Recurrent mixers of 2024 to 2026 against the outputs of their published implementations."""

from __future__ import annotations

import numpy as np
from keras import ops

from baselines.layers.chunked_scan import scan_in_chunks
from baselines.layers.gated_linear_recurrence import GatedLinearRecurrence
from baselines.layers.kimi_delta_mixer import KimiDeltaMixer
from baselines.layers.matrix_lstm import scan_matrix_memory
from baselines.layers.trapezoidal_state_space import TrapezoidalStateSpace
from suite.worker.conformance.gradients import tensors
from tests.architectures import slow_on_jax
from tests.builders.published import (
    LAYER_TOLERANCE,
    Weights,
    assign,
    assign_all,
    assign_convolution,
    assign_rg_lru,
    cases,
    compare,
    compare_matrix_memory,
    replaced,
)
from tests.builders.steps import decode_parts


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
    own = {"gate_projection": "g_b_proj", "output_projection": "o_proj", "norm": "o_norm"}
    assign_all(mixer, case, "weights", decay_projection="forget_gate/f_b_proj", **own)
    assign_convolution(mixer.convolution, case, "weights/conv1d")
    mixer.log_rates.assign(case["weights/forget_gate/A_log"].ravel())
    mixer.step_bias.assign(case["weights/forget_gate/dt_bias"])
    return mixer


def mamba3(case: Weights):
    """Return a mixer with the weights of a case, and the places of our channels of a state."""
    sizes = {name: int(case[name]) for name in ("num_heads", "state_size", "num_groups", "rank")}
    count, size = int(case["num_angles"]), sizes["state_size"]
    mixer = TrapezoidalStateSpace(
        **sizes,
        head_size=int(case["head_dim"]),
        num_angles=count,
        output_norm=bool(case["output_norm"]),
        heavy_tail_decay=bool(case["heavy_tail_decay"]),
        decay_floor=float(case["decay_floor"]),
        epsilon=float(case["norm_epsilon"]),
    )
    mixer.build(case["inputs"].shape)
    first = np.arange(count) * (1 if sizes["rank"] > 1 else 2)
    turned = [*first, *(first + (size // 2 if sizes["rank"] > 1 else 1))]
    places = np.array([*turned, *np.setdiff1d(np.arange(size), turned)])
    kernel, start = case["weights/in_proj/weight"].T, 2 * mixer.inner_width
    groups = kernel[:, start : start + 2 * sizes["rank"] * sizes["num_groups"] * size]
    groups = groups.reshape(len(kernel), -1, size)[..., places].reshape(len(kernel), -1)
    stop = start + groups.shape[1]
    kernel = np.concatenate([kernel[:, :start], groups, kernel[:, stop:]], axis=1)
    mixer.input_projection.kernel.assign(kernel)
    assign(mixer.output_projection, case, "weights/out_proj")
    mixer.key_norm.gamma.assign(case["weights/B_norm/weight"][places])
    mixer.query_norm.gamma.assign(case["weights/C_norm/weight"][places])
    mixer.key_bias.assign(case["weights/B_bias"][..., places])
    mixer.query_bias.assign(case["weights/C_bias"][..., places])
    mixer.step_bias.assign(case["weights/dt_bias"])
    mixer.skip_gamma.assign(case["weights/D"])
    if mixer.norm is not None:
        assign(mixer.norm, case, "weights/norm")
    if mixer.rank > 1:
        mixer.value_weights.assign(case["weights/mimo_x"])
        mixer.gate_weights.assign(case["weights/mimo_z"])
        mixer.output_weights.assign(case["weights/mimo_o"])
    return mixer, places


@slow_on_jax
def test_recurrent_block_of_griffin(reference_outputs):
    for path, case in cases(reference_outputs, "rg_lru_block_"):
        inner = len(case["weights/linear_x/weight"])
        mixer = GatedLinearRecurrence(inner, int(case["num_heads"]), int(case["conv_kernel"]))
        mixer.build(case["inputs"].shape)
        assign_rg_lru(mixer, case, "weights")
        places = case["positions"]
        inputs, starts, units = tensors(
            case["inputs"], places == 0, case["lru_inputs"].astype("float32")
        )
        units, _ = mixer.recur(units, starts)
        compare(units, case["lru_outputs"], path, rtol=1e-7)
        # A row may begin within a document, as if after positions of zeros.
        *zeros, _ = mixer.init_state(*places.shape)
        (begun,) = tensors((places[:, :1] > 0).astype("float32"))
        states = [(*zeros, begun)] if places[:, 0].any() else [None, (*zeros, begun)]
        for state in states:
            outputs, last = mixer._run(inputs, None, state, starts)
            compare(outputs, case["outputs"], path, rtol=1e-7)
            compare(last[1], case["final_state"], path, atol=LAYER_TOLERANCE, rtol=1e-7)


@slow_on_jax
def test_mlstm_cell(reference_outputs):
    for path, case in cases(reference_outputs, "mlstm_cell_"):
        names = "query", "key", "value", "input_gate", "forget_gate"
        query, key, value, opened, kept = (
            ops.convert_to_tensor(np.moveaxis(case[name], 1, 2)) for name in names
        )
        state = None
        if "initial_memory" in case:
            normalizer = case["initial_normalizer"][..., None]
            memory = np.concatenate([case["initial_memory"], normalizer], axis=-1)
            state = tuple(tensors(memory, case["initial_maximum"]))
        parts = query * query.shape[-1] ** -0.5, key, value, opened, ops.log_sigmoid(kept)
        for chunk_length in (8, 128):
            outputs, last = scan_matrix_memory(*parts, state, float(case["epsilon"]), chunk_length)
            compare(ops.moveaxis(outputs, 1, 2), case["outputs"], path)
            compare_matrix_memory(last, case, "final", path)


@slow_on_jax
def test_mamba3(reference_outputs):
    for path, case in cases(reference_outputs, "mamba3_"):
        mixer, places = mamba3(case)
        assert_is_exact(
            mixer,
            replaced(case, final_state=case["final_state"][..., places]),
            path,
            lambda state: ops.swapaxes(state[0], -1, -2),
        )
        _, (_, key, value, angle) = mixer._run(*tensors(case["inputs"]), None, None)
        key = ops.convert_to_numpy(key)[..., np.argsort(places)].reshape(case["final_key"].shape)
        for found, name in ((key, "final_key"), (value, "final_value"), (angle, "final_angle")):
            compare(found, case[name], path, atol=LAYER_TOLERANCE, rtol=1e-7)


def assert_is_exact(mixer, case: Weights, path: str, last=lambda state: state) -> None:
    """Compare outputs at once and in steps, and the states after the last positions."""
    inputs = case["inputs"]
    mask = case.get("padding_mask", np.ones(inputs.shape[:2], bool)).astype(bool)
    states, padding = tensors(inputs, mask)
    outputs = mixer(states, padding_mask=padding)
    compare(outputs, case["outputs"], path, mask)
    steps, _ = decode_parts(mixer, states)
    compare(steps, case["outputs"], f"{path}, in steps", mask)
    _, carried = mixer._run(ops.where(padding[..., None], states, 0.0), padding, None)
    compare(last(carried), case["final_state"], path, atol=LAYER_TOLERANCE)


@slow_on_jax
def test_kimi_delta_attention(reference_outputs):
    for path, case in cases(reference_outputs, "kimi_delta_attention_"):
        assert_is_exact(kimi_delta(case), case, path, lambda state: state[1])


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
            compare(outputs, case["outputs"], path, rtol=1e-7)
            compare(last, case["final_state"], path, atol=LAYER_TOLERANCE, rtol=1e-7)
