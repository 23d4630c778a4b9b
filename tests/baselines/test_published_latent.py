"""Multi-head latent attention against the outputs of its published implementation."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from baselines.layers.latent_attention import LatentAttention
from suite.api import BuildRequest, Form, Inputs, ModelSize, Unsupported
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
    TOLERANCE,
    Weights,
    assign,
    cases,
    count_layers,
    decode_in_parts,
)

LAYER_TOLERANCE = 1e-3


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
        assign(layer.query_latent, case, f"{at}/q_a_proj")
        layer.query_norm.gamma.assign(case[f"{at}/q_a_layernorm/weight"])
    layer.latent.kernel.assign(halves(case[f"{at}/kv_a_proj_with_mqa/weight"].T, size))
    layer.latent_norm.gamma.assign(case[f"{at}/kv_a_layernorm/weight"])
    assign(layer.key_value, case, f"{at}/kv_b_proj")
    assign(layer.output_projection, case, f"{at}/o_proj")


def sizes(case: Weights) -> dict[str, int | None]:
    return {
        "latent_rank": int(case["latent_rank"]),
        "plain_size": int(case["plain_dims"]),
        "rotary_size": int(case["rotary_dims"]),
        "value_size": int(case["value_dims"]),
        "query_rank": int(case["query_rank"]) or None,
    }


def compare(found, expected: np.ndarray, mask: np.ndarray, atol: float, name: str) -> None:
    found = ops.convert_to_numpy(found)[mask]
    np.testing.assert_allclose(found, expected[mask], atol=atol, rtol=5e-5, err_msg=name)


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
        compare(layer(states, padding_mask=padding), case["outputs"], mask, TOLERANCE, path)
        state, steps = layer.init_state(*states.shape[:2]), []
        for start, stop in ((0, 4), (4, 6), *((at, at + 1) for at in range(6, states.shape[1]))):
            outputs, state = layer.decode_step(states[:, start:stop], state, start)
            steps.append(ops.convert_to_numpy(outputs))
        compare(np.concatenate(steps, axis=1), case["outputs"], mask, TOLERANCE, path)
        for held, name in zip(state, ("latent_state", "rotary_key_state"), strict=True):
            compare(held[:, 0], case[name], mask, LAYER_TOLERANCE, f"{path}, {name}")


@slow_on_jax
def test_latent_decoder(reference_outputs):
    for path, case in cases(reference_outputs, "latent_decoder_"):
        model, mask = latent_decoder(case), case["padding_mask"].astype(bool)
        token_ids, padding = tensors(case["token_ids"].astype("int32"), mask)
        states = model.decoder_embedding(token_ids)
        for index, layer in enumerate(model.decoder.layers):
            states = layer(states, padding_mask=padding)
            compare(states, case["layer_outputs"][index], mask, LAYER_TOLERANCE, path)
        compare(model.decoder.final_norm(states), case["outputs"], mask, TOLERANCE, path)
        in_parts = decode_in_parts(model, case["token_ids"].astype("int32"))
        compare(in_parts, case["outputs"], mask, TOLERANCE, f"{path}, in parts")


def latent_decoder(case: Weights):
    """Return a `llama` with latent attention and the weights of a case."""
    words = case["weights/embed_tokens/weight"]
    num_layers = count_layers(case, "weights/layers/{}/input_layernorm/weight")
    architecture = ARCHITECTURES["llama"]
    request = BuildRequest(
        Form.DECODER,
        Inputs.TOKEN_IDS,
        ModelSize("case", num_layers, words.shape[1], int(case["num_heads"]), 4 * words.shape[1]),
        case["token_ids"].shape[1],
        {
            **architecture.options,
            "latent_rank": int(case["latent_rank"]),
            "latent_query_rank": int(case["query_rank"]) or None,
            "rotary_base": float(case["rope_theta"]),
        },
        vocabulary_size=len(words),
    )
    model = architecture.assemble(request)
    stack = model.decoder
    for index, layer in enumerate(stack.layers):
        for name, size in sizes(case).items():
            setattr(layer.attention, name, size)
        layer.gated.width = len(case[f"weights/layers/{index}/mlp/up_proj/weight"])
        for norm in (layer.attention_norm, layer.feedforward_norm, stack.final_norm):
            norm.epsilon = float(case["norm_epsilon"])
    model.build(case["token_ids"].shape)
    model.decoder_embedding.tokens.embeddings.assign(words)
    stack.final_norm.gamma.assign(case["weights/norm/weight"])
    for index, layer in enumerate(stack.layers):
        at = f"weights/layers/{index}"
        layer.attention_norm.gamma.assign(case[f"{at}/input_layernorm/weight"])
        layer.feedforward_norm.gamma.assign(case[f"{at}/post_attention_layernorm/weight"])
        assign_latent(layer.attention, case, f"{at}/self_attn")
        gates = [case[f"{at}/mlp/{name}_proj/weight"].T for name in ("gate", "up")]
        layer.gated.up_projection.kernel.assign(np.concatenate(gates, axis=1))
        assign(layer.gated.down_projection, case, f"{at}/mlp/down_proj")
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


@pytest.mark.parametrize(
    ("form", "options", "message"),
    [
        (Form.DECODER, {"latent_rank": 99}, "latent_rank of 1 to the width; received: .*=99"),
        (Form.DECODER, {"latent_rank": None}, "latent_query_rank=6, latent_rank=None. Give a"),
        (Form.DECODER, {"window": 4}, "without a window and key_value_heads; received: window=4"),
        (Form.ENCODER, {}, "in decoders alone; received: form=encoder"),
    ],
)
def test_invalid_latent_attention_is_refused(form, options, message):
    with pytest.raises(Unsupported, match=message):
        ARCHITECTURES["llama"].build(request_with(form, **options))
