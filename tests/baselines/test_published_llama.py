"""Llama and T5 against the outputs of their published implementations, at once and in steps."""

from __future__ import annotations

import numpy as np
from keras import ops

from suite.api import BuildRequest, Form, Inputs, ModelSize
from suite.worker.conformance.gradients import tensors
from tests.architectures import ARCHITECTURES
from tests.builders.published import (
    TOLERANCE,
    Weights,
    assign,
    cases,
    count_layers,
    decode_in_parts,
)

T5_TOLERANCE = 1e-3
"""T5's scores are not scaled, so the rounding of its larger cases is coarser."""
TOKENS = Inputs.TOKEN_IDS


def build(name: str, form: Form, size: ModelSize, length: int, vocabulary: int, **options):
    architecture = ARCHITECTURES[name]
    options = {**architecture.options, **options}
    request = BuildRequest(form, TOKENS, size, length, options, vocabulary_size=vocabulary)
    return architecture.build(request)


def assign_attention(attention, case: Weights, at: str, names: str) -> None:
    parts = ("query", "key", "value", "output_projection")
    for part, theirs in zip(parts, names.split(), strict=True):
        assign(getattr(attention, part), case, f"{at}/{theirs}")


def llama(case: Weights):
    """Return a model with the weights of a case."""
    words = case["weights/embed_tokens/weight"]
    num_heads, shared = int(case["num_heads"]), int(case["num_key_value_heads"])
    layers = count_layers(case, "weights/layers/{}/input_layernorm/weight")
    inner, wide = (
        len(case[f"weights/layers/0/{name}/weight"]) for name in ("self_attn/q_proj", "mlp/up_proj")
    )
    form = Form.DECODER if case["causal"] else Form.ENCODER
    model = build(
        "llama",
        form,
        ModelSize("case", layers, words.shape[1], num_heads, wide),
        case["token_ids"].shape[1],
        len(words),
        rotary_base=float(case["rope_theta"]),
        key_value_heads=shared,
        window=int(case["window"]) or None,
    )
    stack, embedding = model.decoder, model.decoder_embedding
    if form is Form.ENCODER:
        stack, embedding = model.encoder, model.encoder_embedding
    for layer in stack.layers:
        # The architecture's own sizes follow from parameter parity.
        layer.attention.head_size = inner // num_heads
        layer.gated.width = wide
    stack.build((None, None, words.shape[1]))
    embedding.build(case["token_ids"].shape)
    embedding.tokens.embeddings.assign(words)
    for index, layer in enumerate(stack.layers):
        at = f"weights/layers/{index}"
        names = "q_proj k_proj v_proj o_proj"
        assign_attention(layer.attention, case, f"{at}/self_attn", names)
        layer.attention_norm.gamma.assign(case[f"{at}/input_layernorm/weight"])
        layer.feedforward_norm.gamma.assign(case[f"{at}/post_attention_layernorm/weight"])
        gates = [case[f"{at}/mlp/{name}_proj/weight"].T for name in ("gate", "up")]
        layer.gated.up_projection.kernel.assign(np.concatenate(gates, axis=1))
        assign(layer.gated.down_projection, case, f"{at}/mlp/down_proj")
    stack.final_norm.gamma.assign(case["weights/norm/weight"])
    return model


def test_llama(reference_outputs):
    for path, case in cases(reference_outputs, "llama_"):
        model, mask = llama(case), case["padding_mask"].astype(bool)
        token_ids, mask_tensor = tensors(case["token_ids"].astype("int32"), mask)
        if case["causal"]:
            states, _ = model.decode(token_ids, padding_mask=mask_tensor)
        else:
            states, _ = model.encode(token_ids, mask_tensor)
        found, expected = ops.convert_to_numpy(states)[mask], case["outputs"][mask]
        np.testing.assert_allclose(found, expected, atol=TOLERANCE, err_msg=path)
        if case["causal"] and (np.diff(mask.astype(int)) <= 0).all():
            found = decode_in_parts(model, case["token_ids"].astype("int32"))[mask]
            np.testing.assert_allclose(found, expected, atol=TOLERANCE, err_msg=path)


def t5(case: Weights):
    """Return an encoder and a decoder with the weights of a case."""
    words = case["weights/shared/weight"]
    layers = count_layers(case, "weights/encoder/block/{}/layer/0/layer_norm/weight")
    wide = len(case["weights/encoder/block/0/layer/1/DenseReluDense/wi/weight"])
    num_heads = int(case["num_heads"])
    inner = len(case["weights/encoder/block/0/layer/0/SelfAttention/q/weight"])
    length = max(case[f"{side}_ids"].shape[1] for side in ("source", "target"))
    model = build(
        "t5",
        Form.ENCODER_DECODER,
        ModelSize("case", layers, words.shape[1], num_heads, wide),
        length,
        len(words),
        num_buckets=int(case["num_buckets"]),
        max_distance=int(case["max_distance"]),
    )
    for side, stack in (("encoder", model.encoder), ("decoder", model.decoder)):
        for layer in stack.layers:
            for attention in (layer.attention, layer.cross_attention):
                if attention is not None:
                    attention.head_size = inner // num_heads
        stack.build((None, None, words.shape[1]))
        bias = f"weights/{side}/block/0/layer/0/SelfAttention/relative_attention_bias/weight"
        stack.layers[0].attention.positions.table.assign(case[bias])
        for index, layer in enumerate(stack.layers):
            at = f"weights/{side}/block/{index}/layer"
            assign_attention(layer.attention, case, f"{at}/0/SelfAttention", "q k v o")
            norms = [layer.attention_norm]
            if side == "decoder":
                assign_attention(layer.cross_attention, case, f"{at}/1/EncDecAttention", "q k v o")
                norms.append(layer.cross_norm)
            norms.append(layer.feedforward_norm)
            for number, norm in enumerate(norms):
                norm.gamma.assign(case[f"{at}/{number}/layer_norm/weight"])
            network = f"{at}/{len(norms) - 1}/DenseReluDense"
            assign(layer.up_projection, case, f"{network}/wi")
            assign(layer.down_projection, case, f"{network}/wo")
        stack.final_norm.gamma.assign(case[f"weights/{side}/final_layer_norm/weight"])
    for embedding in (model.encoder_embedding, model.decoder_embedding):
        embedding.build((None, length))
        embedding.tokens.embeddings.assign(words)
    return model


def test_t5(reference_outputs):
    for path, case in cases(reference_outputs, "t5_"):
        model, mask = t5(case), case["source_padding_mask"].astype(bool)
        target_ids = case["target_ids"].astype("int32")
        source, target, real = tensors(case["source_ids"].astype("int32"), target_ids, mask)
        encoded, _ = model.encode(source, real)
        np.testing.assert_allclose(
            ops.convert_to_numpy(encoded)[mask],
            case["encoder_outputs"][mask],
            atol=T5_TOLERANCE,
            err_msg=path,
        )
        states, _ = model.decode(target, encoder_output=encoded, encoder_mask=real)
        whole = ops.convert_to_numpy(states)
        np.testing.assert_allclose(whole, case["outputs"], atol=T5_TOLERANCE, err_msg=path)
        found = decode_in_parts(model, target_ids, encoder_output=encoded, encoder_mask=real)
        np.testing.assert_allclose(found, case["outputs"], atol=T5_TOLERANCE, err_msg=path)
