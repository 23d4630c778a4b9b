"""Encoders and decoders against the outputs of the published implementations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from keras import ops

from baselines.layers.full_attention import FullAttention
from baselines.layers.relative_attention import RelativeAttention
from baselines.layers.segment_recurrence import RecurrentStack
from baselines.layers.state_space import StateSpaceMixer
from baselines.layers.transformer_layer import TransformerLayer, TransformerStack
from suite.api import BuildRequest, Form, Inputs, ModelSize
from suite.api.plugins import ARCHITECTURES, find_plugin
from suite.worker.conformance.gradients import tensors
from tasks.common.patches import cut_patches
from tests.builders.published import (
    PREFIXES,
    PROJECTIONS,
    Weights,
    assign,
    assign_all,
    assign_convolution,
    cases,
    compare,
    count_layers,
    decode_in_parts,
    head_size,
)
from tests.builders.steps import decode_parts


def set_packed(attention, kernel: np.ndarray, bias: np.ndarray) -> None:
    """Set query, key and value from one array (in, 3 · out)."""
    parts = zip(np.split(kernel, 3, axis=1), np.split(bias, 3), strict=True)
    for name, (part_kernel, part_bias) in zip(("query", "key", "value"), parts, strict=True):
        getattr(attention, name).kernel.assign(part_kernel)
        getattr(attention, name).bias.assign(part_bias)


def build(name: str, form: Form, inputs: Inputs, size: ModelSize, length: int, vocabulary=None):
    architecture = find_plugin(ARCHITECTURES, name)
    options = dict(architecture.options)
    request = BuildRequest(form, inputs, size, length, options, vocabulary_size=vocabulary)
    return architecture.assemble(request)


def test_bert(reference_outputs):
    for path, case in cases(reference_outputs, "bert_encoder_"):
        words = case["weights/embeddings/word_embeddings/weight"]
        layers = count_layers(case, "weights/encoder/layer/{}/attention/self/query/weight")
        wide = len(case["weights/encoder/layer/0/intermediate/dense/weight"])
        size = ModelSize("case", layers, words.shape[1], int(case["num_heads"]), wide)
        positions = case["weights/embeddings/position_embeddings/weight"]
        bert = build(
            "bert", Form.ENCODER, Inputs.TOKEN_IDS, size, len(positions), vocabulary=len(words)
        )
        token_ids, mask = case["token_ids"].astype("int32"), case["padding_mask"]
        queries = case["weights/encoder/layer/0/attention/self/query/weight"]
        for layer in bert.encoder.layers:
            layer.attention.head_size = head_size(queries, size.num_heads)
        bert.encode(token_ids, mask)
        embedding = bert.encoder_embedding
        embedding.tokens.embeddings.assign(words)
        embedding.add_positions.table.assign(positions)
        embedding.add_positions.types.assign(
            case["weights/embeddings/token_type_embeddings/weight"]
        )
        assign(embedding.norm, case, "weights/embeddings/LayerNorm")
        for index, layer in enumerate(bert.encoder.layers):
            at = f"weights/encoder/layer/{index}"
            own = {name: f"self/{name}" for name in ("query", "key", "value")}
            own["output_projection"] = "output/dense"
            assign_all(layer.attention, case, f"{at}/attention", **own)
            assign_all(
                layer,
                case,
                at,
                attention_norm="attention/output/LayerNorm",
                up_projection="intermediate/dense",
                down_projection="output/dense",
                feedforward_norm="output/LayerNorm",
            )
        compare(bert.encode(token_ids, mask)[0], case["outputs"], path, mask, rtol=1e-7)


def test_gpt_at_once_and_step_by_step(reference_outputs):
    for path, case in cases(reference_outputs, "gpt_decoder_"):
        words = case["weights/wte/weight"]
        layers = count_layers(case, "weights/h/{}/ln_1/weight")
        wide = case["weights/h/0/mlp/c_fc/weight"].shape[1]
        size = ModelSize("case", layers, words.shape[1], int(case["num_heads"]), wide)
        positions = case["weights/wpe/weight"]
        gpt = build(
            "gpt", Form.DECODER, Inputs.TOKEN_IDS, size, len(positions), vocabulary=len(words)
        )
        token_ids = case["token_ids"].astype("int32")
        outputs = case["weights/h/0/attn/c_proj/weight"]
        for layer in gpt.decoder.layers:
            layer.attention.head_size = head_size(outputs, size.num_heads)
        gpt.decode(token_ids)
        gpt.decoder_embedding.tokens.embeddings.assign(words)
        gpt.decoder_embedding.add_positions.table.assign(positions)
        for index, layer in enumerate(gpt.decoder.layers):
            at = f"weights/h/{index}"
            assign_all(layer, case, at, attention_norm="ln_1", feedforward_norm="ln_2")
            kernel = case[f"{at}/attn/c_attn/weight"]
            name = f"{at}/attn/c_attn/bias"
            bias = case[name] if name in case else np.zeros(kernel.shape[1])
            set_packed(layer.attention, kernel, bias)
            for dense, name in (
                (layer.attention.output_projection, "attn/c_proj"),
                (layer.up_projection, "mlp/c_fc"),
                (layer.down_projection, "mlp/c_proj"),
            ):
                assign(dense, case, f"{at}/{name}", transposed=False)
        assign(gpt.decoder.final_norm, case, "weights/ln_f")
        for found in (gpt.decode(token_ids)[0], decode_in_parts(gpt, token_ids)):
            compare(found, case["outputs"], path, rtol=1e-7)


def test_vit(reference_outputs):
    for path, case in cases(reference_outputs, "vit_encoder_"):
        patches = cut_patches(case["images"], int(case["patch_size"]))
        kernel = case["weights/embeddings/patch_embeddings/projection/weight"]
        layers = count_layers(case, "weights/layers/{}/attention/q_proj/weight")
        wide = len(case["weights/layers/0/mlp/fc1/weight"])
        size = ModelSize("case", layers, len(kernel), int(case["num_heads"]), wide)
        vit = build("vit", Form.ENCODER, Inputs.PATCHES, size, patches.shape[1])
        queries = case["weights/layers/0/attention/q_proj/weight"]
        for layer in vit.encoder.layers:
            layer.attention.head_size = head_size(queries, size.num_heads)
        vit.encode(patches)
        embedding = vit.encoder_embedding
        embedding.patches.kernel.assign(kernel.transpose(2, 3, 1, 0).reshape(-1, len(kernel)))
        embedding.patches.bias.assign(case["weights/embeddings/patch_embeddings/projection/bias"])
        embedding.add_positions.token.assign(case["weights/embeddings/cls_token"])
        table = embedding.add_positions.add_positions.table
        table.assign(case["weights/embeddings/position_embeddings"][0])
        for index, layer in enumerate(vit.encoder.layers):
            at = f"weights/layers/{index}"
            assign_all(layer.attention, case, f"{at}/attention", **PROJECTIONS)
            norms = {"attention_norm": "layernorm_before", "feedforward_norm": "layernorm_after"}
            assign_all(layer, case, at, up_projection="mlp/fc1", down_projection="mlp/fc2", **norms)
        assign(vit.encoder.final_norm, case, "weights/layernorm")
        compare(vit.encode(patches)[0], case["outputs"], path, rtol=1e-7)


@pytest.mark.parametrize("block_bytes", [None, 200])
def test_the_original_encoder_and_decoder(reference_outputs, block_bytes):
    for path, case in cases(reference_outputs, "encoder_decoder_"):
        encoder = reference_stack(case, "encoder", block_bytes)
        decoder = reference_stack(case, "decoder", block_bytes)
        mask = case["source_padding_mask"]
        encoder_output = encoder(case["source"], padding_mask=mask)
        outputs = decoder(case["target"], context=encoder_output, context_mask=mask)
        compare(outputs, case["outputs"], path, rtol=1e-7)
        state = decoder.init_state(*case["target"].shape[:2])
        for position in range(case["target"].shape[1]):
            newest = case["target"][:, position : position + 1]
            states, state = decoder.decode_step(
                *tensors(newest), state, position, encoder_output, *tensors(mask)
            )
            compare(states[:, 0], case["outputs"][:, position], path, rtol=1e-7)


def reference_stack(case: Weights, side: str, block_bytes: int | None) -> TransformerStack:
    """Return one stack with the case's weights; the reference ends each stack with a norm."""
    num_heads = int(case["num_heads"])
    layers = count_layers(case, f"weights/{side}/layers/{{}}/linear1/weight")
    wide, width = case[f"weights/{side}/layers/0/linear1/weight"].shape
    crosses = side == "decoder"
    stack = TransformerStack(
        [
            TransformerLayer(
                FullAttention(num_heads, crosses, block_bytes),
                wide,
                activation="relu",
                dropout=0.0,
                cross_attention=FullAttention(num_heads, block_bytes=block_bytes)
                if crosses
                else None,
            )
            for _ in range(layers)
        ],
        final_epsilon=1e-5,
    )
    stack.build((None, None, width))
    for index, layer in enumerate(stack.layers):
        at = f"weights/{side}/layers/{index}"
        norms: list[Callable] = [layer.attention_norm]
        attentions = {"self_attn": layer.attention}
        if crosses:
            attentions["multihead_attn"] = layer.cross_attention
            norms.append(layer.cross_norm)
        norms.append(layer.feedforward_norm)
        for name, attention in attentions.items():
            set_packed(
                attention, case[f"{at}/{name}/in_proj_weight"].T, case[f"{at}/{name}/in_proj_bias"]
            )
            assign(attention.output_projection, case, f"{at}/{name}/out_proj")
        for number, norm in enumerate(norms, start=1):
            assign(norm, case, f"{at}/norm{number}")
        assign(layer.up_projection, case, f"{at}/linear1")
        assign(layer.down_projection, case, f"{at}/linear2")
    assign(stack.final_norm, case, f"weights/{side}/norm")
    return stack


def test_transformer_xl_over_segments(reference_outputs):
    for path, case in cases(reference_outputs, "transformer_xl_"):
        num_heads, inputs = int(case["num_heads"]), case["inputs"]
        layers = count_layers(case, "weights/layers/{}/dec_attn/qkv_net/weight")
        wide = len(case["weights/layers/0/pos_ff/CoreNet/0/weight"])
        stack = RecurrentStack(
            [
                TransformerLayer(
                    RelativeAttention(
                        num_heads,
                        causal=True,
                        segment_length=int(case["segment_length"]),
                        segment_memory_length=int(case["memory_length"]),
                        head_size=case["weights/r_w_bias"].shape[1],
                    ),
                    wide,
                    activation="relu",
                    dropout=0.0,
                    norm_placement="before" if case["pre_layer_norm"] else "after",
                )
                for _ in range(layers)
            ]
        )
        stack.build(inputs.shape)
        stack.content_bias.assign(case["weights/r_w_bias"])
        stack.position_bias.assign(case["weights/r_r_bias"])
        for index, layer in enumerate(stack.layers):
            at = f"weights/layers/{index}"
            kernels = np.split(case[f"{at}/dec_attn/qkv_net/weight"].T, 3, axis=1)
            for name, kernel in zip(("query", "key", "value"), kernels, strict=True):
                getattr(layer.attention, name).kernel.assign(kernel)
            layer.attention.distance.kernel.assign(case[f"{at}/dec_attn/r_net/weight"].T)
            layer.attention.output_projection.kernel.assign(case[f"{at}/dec_attn/o_net/weight"].T)
            assign(layer.attention_norm, case, f"{at}/dec_attn/layer_norm")
            assign(layer.up_projection, case, f"{at}/pos_ff/CoreNet/0")
            assign(layer.down_projection, case, f"{at}/pos_ff/CoreNet/3")
            assign(layer.feedforward_norm, case, f"{at}/pos_ff/layer_norm")
        outputs, segment_memories = stack(inputs)
        compare(outputs, case["outputs"], path, rtol=1e-7)
        assert segment_memories[0][0].shape[1] == min(int(case["memory_length"]), inputs.shape[1])


def test_mamba2_at_once_and_step_by_step(reference_outputs):
    for path, case in cases(reference_outputs, "mamba2_"):
        words = case["weights/embeddings/weight"]
        epsilon = float(case["norm_epsilon"])
        layers = [
            TransformerLayer(
                StateSpaceMixer(
                    *(int(case[name]) for name in ("num_heads", "head_dim", "state_size")),
                    num_groups=int(case["num_groups"]),
                    short_convolution=int(case["conv_kernel"]),
                    epsilon=epsilon,
                    chunk_length=5,
                ),
                None,
                dropout=0.0,
                norm_placement="before",
                norm="rms",
                epsilon=epsilon,
            )
            for _ in range(count_layers(case, "weights/layers/{}/norm/weight"))
        ]
        stack = TransformerStack(layers, final_epsilon=epsilon, norm="rms")
        embedded = ops.convert_to_tensor(words[case["token_ids"]])
        stack.build(embedded.shape)
        stack.final_norm.gamma.assign(case["weights/norm_f/weight"])
        for index, layer in enumerate(layers):
            at, mixer = f"weights/layers/{index}", layer.attention
            layer.attention_norm.gamma.assign(case[f"{at}/norm/weight"])
            at = f"{at}/mixer"
            assign_all(
                mixer,
                case,
                at,
                input_projection="in_proj",
                output_projection="out_proj",
                norm="norm",
            )
            assign_convolution(mixer.convolution, case, f"{at}/conv1d")
            mixer.log_rates.assign(case[f"{at}/A_log"])
            mixer.step_bias.assign(case[f"{at}/dt_bias"])
            mixer.skip_gamma.assign(case[f"{at}/D"])
        in_parts, _ = decode_parts(stack, embedded, max_length=0)
        for found in (stack(embedded), in_parts):
            compare(found, case["outputs"], path, rtol=1e-7)


def test_a_test_reads_every_file(reference_outputs):
    names = [path.name for path in reference_outputs.glob("*.npz")]
    assert not [name for name in names if not name.startswith(PREFIXES)]


def test_what_no_reader_uses_is_an_error(tmp_path):
    np.savez(tmp_path / "gpt_decoder_more.npz", outputs=np.zeros(2), layer_outputs=np.zeros(2))
    with pytest.raises(AssertionError, match=r"gpt_decoder_more\.npz holds .*'layer_outputs'\]"):
        for _, case in cases(tmp_path, "gpt_decoder_"):
            assert "layer_outputs" in case and len(case["outputs"]) == 2
