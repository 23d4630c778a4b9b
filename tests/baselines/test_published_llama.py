"""Llama and T5 against the outputs of their published implementations, at once and in steps."""

from __future__ import annotations

import numpy as np
from keras import ops

from suite.api import BuildRequest, Form, Inputs, ModelSize
from suite.worker.conformance.gradients import tensors
from tests.architectures import ARCHITECTURES
from tests.builders.published import (
    NORMS,
    PROJECTIONS,
    Weights,
    assemble,
    assign,
    assign_all,
    assign_gates,
    cases,
    compare,
    count_layers,
    decode_in_parts,
    head_size,
    replaced,
)

OF_T5 = {name: theirs[0] for name, theirs in PROJECTIONS.items()}
T5_TOLERANCE = 1e-3
"""T5's scores are not scaled, so the rounding of its larger cases is coarser."""


def llama(case: Weights):
    """Return a model with the weights of a case."""
    words = case["weights/embed_tokens/weight"]
    num_heads = int(case["num_heads"])
    layers = count_layers(case, "weights/layers/{}/input_layernorm/weight")
    queries, wide = (
        case[f"weights/layers/0/{name}/weight"] for name in ("self_attn/q_proj", "mlp/up_proj")
    )
    form = Form.DECODER if case["causal"] else Form.ENCODER
    model = assemble(
        "llama",
        case,
        words,
        layers,
        form=form,
        wide=len(wide),
        rotary_base=float(case["rope_theta"]),
        key_value_heads=int(case["num_key_value_heads"]),
        window=int(case["window"]) or None,
    )
    stack, embedding = model.decoder, model.decoder_embedding
    if form is Form.ENCODER:
        stack, embedding = model.encoder, model.encoder_embedding
    for layer in stack.layers:
        # The architecture's own sizes follow from parameter parity.
        layer.attention.head_size = head_size(queries, num_heads)
        layer.gated.width = len(wide)
    stack.build((None, None, words.shape[1]))
    embedding.build(case["token_ids"].shape)
    embedding.tokens.embeddings.assign(words)
    for index, layer in enumerate(stack.layers):
        at = f"weights/layers/{index}"
        assign_all(layer.attention, case, f"{at}/self_attn", **PROJECTIONS)
        assign_all(layer, case, at, **NORMS)
        assign_gates(layer.gated, case, f"{at}/mlp")
        assign(layer.gated.down_projection, case, f"{at}/mlp/down_proj")
    assign(stack.final_norm, case, "weights/norm")
    return model


def test_llama(reference_outputs):
    for path, case in cases(reference_outputs, "llama_"):
        model, mask = llama(case), case["padding_mask"].astype(bool)
        token_ids, mask_tensor = tensors(case["token_ids"].astype("int32"), mask)
        if case["causal"]:
            states, _ = model.decode(token_ids, padding_mask=mask_tensor)
        else:
            states, _ = model.encode(token_ids, mask_tensor)
        compare(states, case["outputs"], path, mask, rtol=1e-7)
        if case["causal"] and (np.diff(mask.astype(int)) <= 0).all():
            found = decode_in_parts(model, case["token_ids"].astype("int32"))
            compare(found, case["outputs"], path, mask, rtol=1e-7)


def test_the_window_of_an_encoder_shows_as_many_positions_on_either_side():
    """Position i sees i − w + 1 … i + w − 1; the published windows of encoders are of this kind."""
    options = {**ARCHITECTURES["llama"].options, "window": 3}
    size = ModelSize("case", 1, 8, 2, 16)
    model = ARCHITECTURES["llama"].build(
        BuildRequest(Form.ENCODER, Inputs.EMBEDDINGS, size, 12, options)
    )
    states = np.random.default_rng(0).normal(size=(1, 12, 8)).astype("float32")
    changed = states + (np.arange(12) == 6)[:, None].astype("float32")
    before, after = (model.encode(*tensors(each), None)[0] for each in (states, changed))
    moved = np.abs(ops.convert_to_numpy(after - before))[0].max(axis=-1)
    assert (moved > 1e-6).nonzero()[0].tolist() == [4, 5, 6, 7, 8]


def t5(case: Weights):
    """Return an encoder and a decoder with the weights of a case."""
    words = case["weights/shared/weight"]
    layers = {
        side: count_layers(case, f"weights/{side}/block/{{}}/layer/0/layer_norm/weight")
        for side in ("encoder", "decoder")
    }
    wide = len(case["weights/encoder/block/0/layer/1/DenseReluDense/wi/weight"])
    num_heads = int(case["num_heads"])
    queries = case["weights/encoder/block/0/layer/0/SelfAttention/q/weight"]
    length = max(case[f"{side}_ids"].shape[1] for side in ("source", "target"))
    model = assemble(
        "t5",
        replaced(case, token_ids=np.zeros((1, length))),
        words,
        max(layers.values()),
        form=Form.ENCODER_DECODER,
        wide=wide,
        num_buckets=int(case["num_buckets"]),
        max_distance=int(case["max_distance"]),
    )
    for side, stack in (("encoder", model.encoder), ("decoder", model.decoder)):
        stack.layers = stack.layers[: layers[side]]
        for layer in stack.layers:
            for attention in (layer.attention, layer.cross_attention):
                if attention is not None:
                    attention.head_size = head_size(queries, num_heads)
        stack.build((None, None, words.shape[1]))
        bias = f"weights/{side}/block/0/layer/0/SelfAttention/relative_attention_bias/weight"
        stack.layers[0].attention.positions.table.assign(case[bias])
        for index, layer in enumerate(stack.layers):
            at = f"weights/{side}/block/{index}/layer"
            assign_all(layer.attention, case, f"{at}/0/SelfAttention", **OF_T5)
            norms = [layer.attention_norm]
            if side == "decoder":
                assign_all(layer.cross_attention, case, f"{at}/1/EncDecAttention", **OF_T5)
                norms.append(layer.cross_norm)
            norms.append(layer.feedforward_norm)
            for number, norm in enumerate(norms):
                assign(norm, case, f"{at}/{number}/layer_norm")
            network = f"{at}/{len(norms) - 1}/DenseReluDense"
            assign_all(layer, case, network, up_projection="wi", down_projection="wo")
        assign(stack.final_norm, case, f"weights/{side}/final_layer_norm")
    embeddings = {"encoder": model.encoder_embedding, "decoder": model.decoder_embedding}
    for side, embedding in embeddings.items():
        embedding.build((None, length))
        embedding.tokens.embeddings.assign(case.get(f"weights/{side}/embed_tokens/weight", words))
    return model


def test_t5(reference_outputs):
    for path, case in cases(reference_outputs, "t5_"):
        model, mask = t5(case), case["source_padding_mask"].astype(bool)
        target_ids = case["target_ids"].astype("int32")
        source, target, real = tensors(case["source_ids"].astype("int32"), target_ids, mask)
        encoded, _ = model.encode(source, real)
        given = {"encoder_output": encoded, "encoder_mask": real}
        for found, name, where in (
            (encoded, "encoder_outputs", mask),
            (model.decode(target, **given)[0], "outputs", ...),
            (decode_in_parts(model, target_ids, **given), "outputs", ...),
        ):
            compare(found, case[name], path, where, T5_TOLERANCE, rtol=1e-7)
