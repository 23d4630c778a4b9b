"""Hybrid decoders against the outputs of their published implementations, at once and in steps."""

from __future__ import annotations

import numpy as np
import pytest

from suite.worker.conformance.gradients import tensors
from tests.architectures import slow_on_jax_unless
from tests.builders.published import (
    NORMS,
    PROJECTIONS,
    Weights,
    assemble,
    assign,
    assign_all,
    assign_convolution,
    assign_gates,
    assign_rg_lru,
    cases,
    compare_decoder,
    compare_logits,
    compare_matrix_memory,
    count_layers,
    finish,
    head_size,
    replaced,
)

ONE_HEAD = {"num_heads": 1, "num_key_value_heads": 1}
"""The heads that mixers are made with: one divides any width. The heads of a case follow."""


def build(case: Weights, of_layer: list[str], **options: object):
    """Return a decoder with the sizes of a case and the mixer of each layer."""
    return assemble(
        "hybrid",
        case,
        case["weights/embed_tokens/weight"],
        len(of_layer),
        pattern=",".join(of_layer),
        attention_key_value_heads=int(case["num_key_value_heads"]),
        **options,
    )


def patterned(case: Weights, norm: str, recurrent: str, offset: int | None = None) -> list[str]:
    """Return the mixer of each layer; one of every `attention_every` is attention."""
    every = int(case["attention_every"])
    offset = every - 1 if offset is None else offset
    numbers = range(count_layers(case, f"weights/layers/{{}}/{norm}/weight"))
    return ["attention" if number % every == offset else recurrent for number in numbers]


def assign_projections(attention, case: Weights, at: str, plus: float = 0.0) -> None:
    """Assign keys, values and output, and the norms of queries and keys if there are any."""
    own = {name: theirs for name, theirs in PROJECTIONS.items() if name != "query"}
    if attention.query_norm is not None:
        own |= {"query_norm": "q_norm", "key_norm": "k_norm"}
    assign_all(attention, case, at, plus, **own)


def assign_delta(mixer, case: Weights, at: str, columns: list[np.ndarray], names: str) -> None:
    """Assign the weights of Gated DeltaNet: `columns` are those of the input projection."""
    output_norm, output = names.split()
    mixer.input_projection.kernel.assign(np.concatenate(columns, axis=1))
    assign_convolution(mixer.convolution, case, f"{at}/conv1d")
    mixer.log_rates.assign(case[f"{at}/A_log"])
    mixer.step_bias.assign(case[f"{at}/dt_bias"])
    assign_all(mixer, case, at, norm=output_norm, output_projection=output)


def set_delta_sizes(mixer, case: Weights, epsilon: str) -> None:
    mixer.num_key_heads, mixer.num_value_heads = (
        int(case[f"num_linear_{part}_heads"]) for part in ("key", "value")
    )
    mixer.key_head_size, mixer.value_head_size = (
        int(case[f"linear_{part}_head_dim"]) for part in ("key", "value")
    )
    mixer.convolution.kernel_size, mixer.epsilon = int(case["conv_kernel"]), float(case[epsilon])


def by_kind(kernel: np.ndarray, groups: int, sizes: list[int]) -> list[np.ndarray]:
    """Return the columns of each kind from those of a head after those of another."""
    columns = kernel.T.reshape(kernel.shape[1], groups, sum(sizes))
    parts = np.split(columns, np.cumsum(sizes)[:-1], axis=2)
    return [part.reshape(len(columns), -1) for part in parts]


def qwen3_next(case: Weights):
    """Return a model with the weights of a case; γ of most norms is 1 + weight."""
    share = float(case["rotary_dims"]) / float(case["head_dim"])
    model = build(
        case,
        patterned(case, "input_layernorm", "gated_deltanet"),
        attention_gated=True,
        attention_query_key_norm="head",
        attention_rotary_share=share,
        attention_rotary_base=float(case["rope_theta"]),
    )
    size = int(case["head_dim"])
    for layer in model.decoder.layers:
        if hasattr(layer.attention, "positions"):
            layer.attention.head_size = size
            for norm in (layer.attention.query_norm, layer.attention.key_norm):
                norm.epsilon = float(case["norm_epsilon"])
        else:
            set_delta_sizes(layer.attention, case, "norm_epsilon")
    for index, layer in enumerate(finish(model, case, plus=1.0)):
        at, mixer = f"weights/layers/{index}", layer.attention
        assign_all(layer, case, at, 1.0, **NORMS)
        if hasattr(mixer, "positions"):
            both = case[f"{at}/self_attn/q_proj/weight"]
            query, gate = by_kind(both, mixer.num_heads, [size, size])
            mixer.query.kernel.assign(query)
            mixer.gate.kernel.assign(gate)
            assign_projections(mixer, case, f"{at}/self_attn", plus=1.0)
            continue
        at, groups = f"{at}/linear_attn", mixer.num_key_heads
        shared = mixer.num_value_heads // groups
        sizes = [mixer.key_head_size] * 2 + [shared * mixer.value_head_size] * 2
        query, key, value, gate = by_kind(case[f"{at}/in_proj_qkvz/weight"], groups, sizes)
        strength, step = by_kind(case[f"{at}/in_proj_ba/weight"], groups, [shared, shared])
        columns = [gate, query, key, value, strength, step]
        assign_delta(mixer, case, at, columns, "norm out_proj")
    return model


def olmo_hybrid(case: Weights):
    """Return a model with the weights of a case, whose attention normalises its results."""
    base = float(case["rope_theta"])
    model = build(
        case,
        patterned(case, "post_attention_layernorm", "gated_deltanet"),
        gated_deltanet_negative_eigenvalues=True,
        attention_query_key_norm="width",
        attention_norm_placement="result",
        attention_positions="rotary" if base else "none",
        attention_rotary_base=base,
    )
    for index, layer in enumerate(model.decoder.layers):
        mixer, rows = layer.attention, f"weights/layers/{index}/self_attn/q_proj/weight"
        if hasattr(mixer, "positions"):
            mixer.head_size = head_size(case[rows], mixer.num_heads)
            mixer.query_norm.epsilon = mixer.key_norm.epsilon = float(case["norm_epsilon"])
        else:
            set_delta_sizes(mixer, case, "output_norm_epsilon")
    for index, layer in enumerate(finish(model, case)):
        at, mixer = f"weights/layers/{index}", layer.attention
        is_attention = hasattr(mixer, "positions")
        norms = ["input_layernorm", "post_attention_layernorm", "post_feedforward_layernorm"]
        first, second = norms[1:] if is_attention else norms[:2]
        assign_all(layer, case, at, attention_norm=first, feedforward_norm=second)
        if is_attention:
            assign(mixer.query, case, f"{at}/self_attn/q_proj")
            assign_projections(mixer, case, f"{at}/self_attn")
            continue
        at = f"{at}/linear_attn"
        columns = [case[f"{at}/{name}_proj/weight"].T for name in "gqkvba"]
        assign_delta(mixer, case, at, columns, "o_norm o_proj")
    return model


def jamba(case: Weights):
    """Return a model with the weights of a case."""
    model = build(
        case,
        patterned(case, "input_layernorm", "mamba", int(case["attention_offset"])),
        mamba_normalized=True,
        attention_positions="none",
    )
    for index, layer in enumerate(model.decoder.layers):
        mixer, rows = layer.attention, f"weights/layers/{index}/self_attn/q_proj/weight"
        if hasattr(mixer, "positions"):
            mixer.head_size = head_size(case[rows], mixer.num_heads)
            continue
        mixer.inner_width, mixer.state_size = int(case["inner_dim"]), int(case["state_size"])
        mixer.step_rank, mixer.convolution.kernel_size = (
            int(case["dt_rank"]),
            int(case["conv_kernel"]),
        )
        for norm in mixer.norms:
            norm.epsilon = float(case["norm_epsilon"])
    for index, layer in enumerate(finish(model, case, "final_layernorm", "feed_forward")):
        at, mixer = f"weights/layers/{index}", layer.attention
        assign_all(layer, case, at, **{**NORMS, "feedforward_norm": "pre_ff_layernorm"})
        if hasattr(mixer, "positions"):
            assign(mixer.query, case, f"{at}/self_attn/q_proj")
            assign_projections(mixer, case, f"{at}/self_attn")
            continue
        at = f"{at}/mamba"
        own = {"input_projection": "in_proj", "output_projection": "out_proj"}
        assign_all(mixer, case, at, selection="x_proj", step_projection="dt_proj", **own)
        mixer.step_bias.assign(case[f"{at}/dt_proj/bias"])
        mixer.log_rates.assign(case[f"{at}/A_log"])
        mixer.skip_gamma.assign(case[f"{at}/D"])
        assign_convolution(mixer.convolution, case, f"{at}/conv1d")
        for norm, theirs in zip(mixer.norms, ("dt", "b", "c"), strict=True):
            assign(norm, case, f"{at}/{theirs}_layernorm")
    return model


def recurrent_gemma(case: Weights):
    """Return a model with the weights of a case; γ of the norms is 1 + weight."""
    is_attention, num_heads = case["attention_layers"].astype(bool), int(case["num_heads"])
    rows = [name for name in case if name.endswith("q_proj/weight")]
    size = head_size(case[rows[0]], num_heads) if rows else int(case["rotary_dims"])
    model = build(
        replaced(case, **ONE_HEAD),
        ["attention" if attends else "rg_lru" for attends in is_attention],
        attention_window=int(case["window"]),
        attention_rotary_share=float(case["rotary_dims"]) / size,
        attention_rotary_base=float(case["rope_theta"]),
        attention_output_bias=True,
        rg_lru_short_convolution=int(case["conv_kernel"]),
    )
    stack, embedding = model.decoder, model.decoder_embedding
    embedding.scale = float(case["embedding_scale"])
    for index, layer in enumerate(stack.layers):
        at = f"weights/layers/{index}"
        layer.gated.activation, layer.gated.use_bias = "gelu_tanh", True
        layer.attention.num_heads = num_heads
        if is_attention[index]:
            layer.attention.num_key_value_heads = int(case["num_key_value_heads"])
            layer.attention.head_size = size
        else:
            layer.attention.inner_width = len(case[f"{at}/temporal_block/linear_x/weight"])
    for index, layer in enumerate(finish(model, case, "final_norm", "mlp_block", plus=1.0)):
        at, mixer = f"weights/layers/{index}", layer.attention
        norms = {"attention_norm": "temporal_pre_norm", "feedforward_norm": "channel_pre_norm"}
        assign_all(layer, case, at, 1.0, **norms)
        gates = [case[f"{at}/mlp_block/{name}_proj/bias"] for name in ("gate", "up")]
        layer.gated.up_projection.bias.assign(np.concatenate(gates))
        at = f"{at}/temporal_block"
        if is_attention[index]:
            assign(mixer.query, case, f"{at}/q_proj")
            assign_projections(mixer, case, at)
        else:
            assign_rg_lru(mixer, case, at)
    return model


def xlstm(case: Weights):
    """Return a model with the weights of a case."""
    words = case["weights/backbone/embeddings/weight"]
    blocks = "weights/backbone/blocks/{}"
    num_layers = count_layers(case, f"{blocks}/norm_mlstm/weight")
    model = assemble("xlstm", replaced(case, **ONE_HEAD), words, num_layers, key_share=1.0)
    for index, layer in enumerate(model.decoder.layers):
        at, mixer = f"{blocks.format(index)}/mlstm_layer", layer.attention
        mixer.num_heads = int(case["num_heads"])
        mixer.key_width, mixer.value_width = (len(case[f"{at}/{name}/weight"]) for name in "kv")
        mixer.epsilon, mixer.norm_epsilon = float(case["epsilon"]), float(case["norm_epsilon"])
        mixer.gate_soft_cap = float(case["gate_soft_cap"])
        layer.gated.width = len(case[f"{blocks.format(index)}/ffn/proj_up/weight"])
        for norm in (layer.attention_norm, layer.feedforward_norm, model.decoder.final_norm):
            norm.epsilon = float(case["norm_epsilon"])
    model.build(case["token_ids"].shape)
    model.decoder_embedding.tokens.embeddings.assign(words)
    assign(model.decoder.final_norm, case, "weights/backbone/out_norm")
    for index, layer in enumerate(model.decoder.layers):
        at, mixer = blocks.format(index), layer.attention
        assign_all(layer, case, at, attention_norm="norm_mlstm", feedforward_norm="norm_ffn")
        assign_gates(layer.gated, case, f"{at}/ffn", "proj_up_gate proj_up")
        assign(layer.gated.down_projection, case, f"{at}/ffn/proj_down")
        at = f"{at}/mlstm_layer"
        columns = [case[f"{at}/{name}/weight"].T for name in ("q", "k", "v", "ogate_preact")]
        mixer.input_projection.kernel.assign(np.concatenate(columns, axis=1))
        for ours, theirs in (("kernel", "weight"), ("bias", "bias")):
            parts = [case[f"{at}/{name}_preact/{theirs}"].T for name in ("igate", "fgate")]
            getattr(mixer.gate_projection, ours).assign(np.concatenate(parts, axis=-1))
        mixer.head_gamma.assign(case[f"{at}/multihead_norm/weight"])
        assign(mixer.output_projection, case, f"{at}/out_proj")
    return model


@pytest.mark.parametrize(
    ("prefix", "make"),
    [
        slow_on_jax_unless(make is jamba, prefix, make)
        for prefix, make in (
            ("qwen3_next_decoder_", qwen3_next),
            ("olmo_hybrid_decoder_", olmo_hybrid),
            ("jamba_decoder_", jamba),
            ("recurrent_gemma_decoder_", recurrent_gemma),
            ("xlstm_decoder_", xlstm),
        )
    ],
)
def test_a_decoder_has_the_published_outputs(reference_outputs, prefix, make):
    for path, case in cases(reference_outputs, prefix):
        model = make(case)
        compare_decoder(model, case, path)
        if make is xlstm:
            (token_ids,) = tensors(case["token_ids"].astype("int32"))
            state = model.init_state(*token_ids.shape)
            outputs, state = model.decode(token_ids, state=state, position=0)
            compare_logits(outputs, case["weights/lm_head/weight"].T, case, path)
            compare_matrix_memory(state[-1], case, "last_layer", path)
