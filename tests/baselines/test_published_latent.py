"""Multi-head latent attention against the outputs of its published implementation."""

from __future__ import annotations

import numpy as np
import pytest

from baselines.layers.latent_attention import LatentAttention
from suite.api import BuildRequest, Form, Inputs
from suite.worker.conformance.decoding import (
    decoding_in_steps_equals_the_full_pass,
    no_look_ahead,
    the_state_has_its_declared_size,
)
from suite.worker.conformance.gradients import tensors
from suite.worker.conformance.passes import gradients_reach_every_weight, padding_does_not_leak
from suite.worker.conformance.subjects import Subject, request_for
from tests.architectures import ARCHITECTURES, assert_passes, slow_on_jax
from tests.builders.published import (
    LAYER_TOLERANCE,
    NORMS,
    Weights,
    assemble,
    assign_all,
    cases,
    compare,
    compare_decoder,
    count_layers,
    finish,
)
from tests.builders.steps import decode_parts


def halves(kernel: np.ndarray, size: int) -> np.ndarray:
    """Return columns of which the last `size` of each group turn as halves, not as neighbours."""
    plain, turned = kernel[..., :-size], kernel[..., -size:]
    return np.concatenate([plain, turned[..., ::2], turned[..., 1::2]], axis=-1)


def assign_latent(layer: LatentAttention, case: Weights, at: str) -> None:
    size = layer.rotary_size
    name = "q_b_proj" if layer.query_rank else "q_proj"
    query = case[f"{at}/{name}/weight"].T
    by_head = halves(query.reshape(len(query), layer.num_heads, -1), size)
    layer.query.kernel.assign(by_head.reshape(query.shape))
    if layer.query_rank:
        assign_all(layer, case, at, query_latent="q_a_proj", query_norm="q_a_layernorm")
    layer.latent.kernel.assign(halves(case[f"{at}/kv_a_proj_with_mqa/weight"].T, size))
    others = {"key_value": "kv_b_proj", "output_projection": "o_proj"}
    assign_all(layer, case, at, latent_norm="kv_a_layernorm", **others)


def sizes(case: Weights) -> dict[str, int | None]:
    return {
        "latent_rank": int(case["latent_rank"]),
        "plain_size": int(case["plain_dims"]),
        "rotary_size": int(case["rotary_dims"]),
        "value_size": int(case["value_dims"]),
        "query_rank": int(case["query_rank"]) or None,
    }


@slow_on_jax
def test_latent_attention(reference_outputs):
    for path, case in cases(reference_outputs, "latent_attention_"):
        layer = LatentAttention(
            int(case["num_heads"]),
            **sizes(case),
            rotary_base=float(case["rope_theta"]),
            epsilon=float(case["latent_norm_epsilon"]),
        )
        layer.build(case["inputs"].shape)
        assign_latent(layer, case, "weights")
        mask = case["padding_mask"].astype(bool)
        states, padding = tensors(case["inputs"], mask)
        compare(layer(states, padding_mask=padding), case["outputs"], path, mask)
        steps, state = decode_parts(layer, states)
        compare(steps, case["outputs"], path, mask)
        for held, name in zip(state, ("latent_state", "rotary_key_state"), strict=True):
            compare(held[:, 0], case[name], f"{path}, {name}", mask, LAYER_TOLERANCE)


@slow_on_jax
def test_latent_decoder(reference_outputs):
    for path, case in cases(reference_outputs, "latent_decoder_"):
        compare_decoder(latent_decoder(case), case, path)


def latent_decoder(case: Weights):
    """Return a `llama` with latent attention and the weights of a case."""
    model = assemble(
        "llama",
        case,
        case["weights/embed_tokens/weight"],
        count_layers(case, "weights/layers/{}/input_layernorm/weight"),
        latent_rank=int(case["latent_rank"]),
        latent_query_rank=int(case["query_rank"]) or None,
        rotary_base=float(case["rope_theta"]),
    )
    for layer in model.decoder.layers:
        for name, size in sizes(case).items():
            setattr(layer.attention, name, size)
        for norm in (layer.attention.latent_norm, layer.attention.query_norm):
            if norm is not None:
                norm.epsilon = float(case["latent_norm_epsilon"])
    for index, layer in enumerate(finish(model, case)):
        at = f"weights/layers/{index}"
        assign_all(layer, case, at, **NORMS)
        assign_latent(layer.attention, case, f"{at}/self_attn")
    return model


LATENT = {"latent_rank": 8, "latent_query_rank": 6}


def request_with(form: Form = Form.DECODER, **options: object) -> BuildRequest:
    llama = ARCHITECTURES["llama"]
    return request_for(
        llama, Inputs.TOKEN_IDS, form=form, options={**llama.options, **LATENT, **options}
    )


@slow_on_jax
@pytest.mark.parametrize("query_rank", [None, 6])
def test_a_decoder_with_latent_attention_passes_the_checks(query_rank):
    subject = Subject(ARCHITECTURES["llama"], request_with(latent_query_rank=query_rank))
    for check in (
        no_look_ahead,
        padding_does_not_leak,
        gradients_reach_every_weight,
        decoding_in_steps_equals_the_full_pass,
        the_state_has_its_declared_size,
    ):
        assert_passes(check, subject)
