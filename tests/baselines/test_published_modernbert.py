"""ModernBERT against the outputs of its published implementation."""

from __future__ import annotations

import numpy as np
from keras import ops

from suite.api import Form
from suite.worker.conformance.gradients import tensors
from tests.builders.published import (
    Weights,
    assemble,
    assign,
    assign_all,
    cases,
    compare,
    compare_logits,
    count_layers,
    head_size,
)


def modernbert(case: Weights):
    """Return a model with the weights of a case."""
    words = case["weights/model/embeddings/tok_embeddings/weight"]
    num_layers = count_layers(case, "weights/model/layers/{}/mlp_norm/weight")
    model = assemble(
        "modernbert",
        case,
        words,
        num_layers,
        form=Form.ENCODER,
        window=int(case["window"]),
        global_every=int(case["global_every"]),
        global_rotary_base=float(case["global_rope_theta"]),
        local_rotary_base=float(case["local_rope_theta"]),
    )
    stack, embedding = model.encoder, model.encoder_embedding
    queries = case["weights/model/layers/0/attn/Wo/weight"].T
    for index, layer in enumerate(stack.layers):
        layer.attention.head_size = head_size(queries, int(case["num_heads"]))
        layer.gated.width = case[f"weights/model/layers/{index}/mlp/Wo/weight"].shape[1]
        for norm in (layer.attention_norm, layer.feedforward_norm, stack.final_norm):
            if norm is not None:
                norm.epsilon = float(case["norm_epsilon"])
    embedding.norm.epsilon = float(case["norm_epsilon"])
    model.build(case["token_ids"].shape)
    embedding.tokens.embeddings.assign(words)
    assign(embedding.norm, case, "weights/model/embeddings/norm")
    assign(stack.final_norm, case, "weights/model/final_norm")
    for index, layer in enumerate(stack.layers):
        at, attention = f"weights/model/layers/{index}", layer.attention
        if index:
            assign(layer.attention_norm, case, f"{at}/attn_norm")
        assign(layer.feedforward_norm, case, f"{at}/mlp_norm")
        rows = np.split(case[f"{at}/attn/Wqkv/weight"], 3)
        for name, kernel in zip(("query", "key", "value"), rows, strict=True):
            getattr(attention, name).kernel.assign(kernel.T)
        assign(attention.output_projection, case, f"{at}/attn/Wo")
        assign_all(layer.gated, case, f"{at}/mlp", up_projection="Wi", down_projection="Wo")
    return model


def test_modernbert(reference_outputs):
    for path, case in cases(reference_outputs, "modernbert_encoder_"):
        model, mask = modernbert(case), case["padding_mask"].astype(bool)
        token_ids, mask_tensor = tensors(case["token_ids"].astype("int32"), mask)
        first = model.encoder.layers[0](
            model.encoder_embedding(token_ids), padding_mask=mask_tensor
        )
        outputs, _ = model.encode(token_ids, padding_mask=mask_tensor)
        for found, name in ((first, "first_layer_outputs"), (outputs, "outputs")):
            compare(found, case[name], path, mask, rtol=1e-7)
        (kernel,) = tensors(case["weights/head/dense/weight"].T)
        hidden = ops.convert_to_numpy(ops.gelu(ops.matmul(outputs, kernel), approximate=False))
        centred = hidden - hidden.mean(axis=-1, keepdims=True)
        variance = np.mean(centred**2, axis=-1, keepdims=True)
        normed = centred / np.sqrt(variance + float(case["norm_epsilon"]))
        normed = normed * case["weights/head/norm/weight"]
        words = case["weights/model/embeddings/tok_embeddings/weight"]
        compare_logits(normed, words.T, case, path, case["weights/decoder/bias"])
