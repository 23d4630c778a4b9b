"""RWKV-7 against the outputs of its published implementation, at once and in steps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from keras import ops

from baselines.layers.rwkv import TimeMixing
from suite.worker.conformance.gradients import tensors
from tests.architectures import slow_on_jax, slow_unless
from tests.builders.published import (
    LAYER_TOLERANCE,
    Weights,
    assemble,
    assign,
    assign_all,
    cases,
    compare,
    compare_logits,
    count_layers,
    decode_in_parts,
)
from tests.builders.steps import part_stops

RANKS = {"decay": "w", "removal": "a", "value": "v", "gate": "g"}
VECTORS = {
    "decay_bias": "w0",
    "removal_bias": "a0",
    "value_bias": "v0",
    "removal_gamma": "k_k",
    "key_gamma": "k_a",
    "bonus_gamma": "r_k",
    "head_gamma": "ln_x/weight",
    "head_beta": "ln_x/bias",
}


def set_ranks(mixing: TimeMixing, case: Weights, at: str) -> None:
    """Give a layer, before it is built, the ranks of a case, which differ."""
    for name, letter in RANKS.items():
        if f"{at}/{letter}1" in case:
            mixing.ranks[name] = case[f"{at}/{letter}1"].shape[1]
    mixing.epsilon = float(case["norm_epsilon"])


def assign_time_mixing(mixing: TimeMixing, case: Weights, at: str) -> None:
    mixing.shift_gammas.assign(np.concatenate([case[f"{at}/x_{name}"][0] for name in "rwkvag"]))
    own = {name: name for name in ("receptance", "key", "value")}
    assign_all(mixing, case, at, output_projection="output", **own)
    for name, letter in RANKS.items():
        if name != "value" or not mixing.is_first:
            getattr(mixing, f"{name}_down").kernel.assign(case[f"{at}/{letter}1"])
            getattr(mixing, f"{name}_up").kernel.assign(case[f"{at}/{letter}2"])
    for ours, theirs in VECTORS.items():
        if ours != "value_bias" or not mixing.is_first:
            getattr(mixing, ours).assign(case[f"{at}/{theirs}"].ravel())


@slow_on_jax
@pytest.mark.parametrize("chunk_length", [8, slow_unless(False, 64)])
def test_time_mixing(reference_outputs, chunk_length):
    for path, case in cases(reference_outputs, "rwkv7_time_mixing_"):
        is_first = bool(case["first_layer"])
        mixing = TimeMixing(int(case["num_heads"]), 4, is_first, chunk_length=chunk_length)
        set_ranks(mixing, case, "weights")
        mixing.build(case["inputs"].shape)
        assign_time_mixing(mixing, case, "weights")
        first = None if is_first else tensors(case["first_value"])[0]
        (states,) = tensors(case["inputs"])
        outputs, _ = mixing(states, first_value=first)
        compare(outputs, case["outputs"], path)
        state, steps = mixing.init_state(*states.shape[:2]), []
        for start, stop in pairwise([0, *part_stops(states.shape[1])]):
            shared = None if first is None else first[:, start:stop]
            outputs, _, state = mixing.decode_step(states[:, start:stop], state, shared)
            steps.append(ops.convert_to_numpy(outputs))
        compare(np.concatenate(steps, axis=1), case["outputs"], f"{path}, in steps")
        final = ops.swapaxes(state[1], -1, -2)
        compare(final, case["final_state"], f"{path}, state", atol=LAYER_TOLERANCE)


def decoder(case: Weights):
    """Return a model with the weights of a case."""
    words = case["weights/emb/weight"]
    num_layers = count_layers(case, "weights/blocks/{}/ln1/weight")
    head_size = words.shape[1] // int(case["num_heads"])
    model = assemble("rwkv7", case, words, num_layers, head_size=head_size, low_rank=4)
    stack, embedding = model.decoder, model.decoder_embedding
    for index in range(num_layers):
        set_ranks(stack.time_mixings[index], case, f"weights/blocks/{index}/att")
        wide = case[f"weights/blocks/{index}/ffn/key/weight"]
        stack.channel_mixings[index].inner_width = len(wide)
    model.build(case["token_ids"].shape)
    embedding.tokens.embeddings.assign(words)
    norms = {"blocks/0/ln0": embedding.norm, "ln_out": stack.final_norm}
    for index in range(num_layers):
        at = f"weights/blocks/{index}"
        assign_time_mixing(stack.time_mixings[index], case, f"{at}/att")
        channels = stack.channel_mixings[index]
        channels.shift_gamma.assign(case[f"{at}/ffn/x_k"].ravel())
        assign_all(channels, case, f"{at}/ffn", key="key", value="value")
        for number in (0, 1):
            norms[f"blocks/{index}/ln{number + 1}"] = stack.norms[2 * index + number]
    for name, norm in norms.items():
        assign(norm, case, f"weights/{name}")
    return model


@slow_on_jax
def test_decoder(reference_outputs):
    for path, case in cases(reference_outputs, "rwkv7_decoder_"):
        model, (token_ids,) = decoder(case), tensors(case["token_ids"].astype("int32"))
        blocks = model.decoder.outputs(model.decoder_embedding(token_ids))
        for index, (found, expected) in enumerate(zip(blocks, case["layer_outputs"], strict=True)):
            compare(found, expected, f"{path}, block {index}", atol=LAYER_TOLERANCE)
        outputs = model.decode(token_ids)[0]
        compare(outputs, case["outputs"], path)
        compare_logits(outputs, case["weights/head/weight"].T, case, path)
        in_parts = decode_in_parts(model, case["token_ids"].astype("int32"))
        compare(in_parts, case["outputs"], f"{path}, in parts")
