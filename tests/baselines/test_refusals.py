"""What an architecture or a layer cannot do is rejected with the rule and the received value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from keras import ops

from baselines.layers.attention import attention
from baselines.layers.attention_positions import BucketedPositions, RotaryPositions
from baselines.layers.chunked_scan import scan_in_chunks
from baselines.layers.full_attention import FullAttention
from baselines.layers.gated_delta_mixer import GatedDeltaMixer
from baselines.layers.lsh_attention import LSHAttention
from baselines.layers.positions import AxialPositions, LearnedPositions, resize_grid
from baselines.layers.projected_attention import LengthProjection
from baselines.layers.rotary_extension import ExtendedRotaryPositions
from baselines.layers.sliding_window_attention import SlidingWindowAttention
from suite.api import BuildRequest, Form, Inputs, ModelSize
from suite.api.errors import Unsupported
from suite.api.plugins import ARCHITECTURES, find_plugin
from tasks.common.patches import cut_patches

SIZE = ModelSize("case", 2, 12, 3, 20)
ROTARY = {"positions": "rotary"}
LATENT = {"form": Form.DECODER, "latent_rank": 8, "latent_query_rank": 6}
CASES = [
    ("longformer", {"window": [7]}, r"even and at least 2; received: \[7\]"),
    ("longformer", {"window": [8, 8, 8]}, r"one for each of 2; received: window=\[8, 8, 8\]"),
    ("longformer", {"dilated_heads": 4}, "dilated_heads from 0 to 3; received: 4"),
    ("longformer", {"dilated_heads": 2}, r"dilated_heads=2, dilation=\[1\]\. Give a dilation too"),
    ("reformer", {"axial_stddev": 0}, "an axial_stddev above 0; received: 0"),
    ("bigbird", {"block_size": 0}, "at least 1 position, .*; received: block_size=0"),
    ("bigbird", {"random_blocks": -1}, "at least 0 random blocks; received: .*random_blocks=-1"),
    ("bigbird", {"positions": "alibi"}, "takes positions learned, rotary; received: .*=alibi"),
    ("reformer", {"chunk": 0}, "at least one position and at least one hash; received: chunk=0"),
    ("reformer", {"chunk": 8, "axial_grid": [4, 4]}, r"each of 32 positions; .*\[4, 4\]"),
    ("transformer_xl", {"segment": 0}, "segments of at least one position .* segment=0"),
    ("llama", {"window": 0}, r"window of at least 1 position.*window=0, num_sinks=0\. Leave the"),
    ("llama", {"num_sinks": 4}, r"beside a window .*num_sinks=4, window=None\. Give a window too"),
    ("llama", {"rotary_factor": 8}, r"of an extension; .*=none, rotary_factor=8\. Give both"),
    ("llama", {"key_value_heads": 2}, "num_heads=3, key_value_heads=2. Use a divisor"),
    ("llama", {"rotary_base": 0.5}, "rotary_base greater than 1; received: 0.5"),
    ("llama", {"num_heads": 4}, r"even head size.*width=12, num_heads=4\. Use other numbers"),
    ("t5", {"num_buckets": 2}, "num_buckets of at least 4.*num_buckets=2, max_distance=128"),
    ("t5", {"max_distance": 16}, "num_buckets=32, max_distance=16. Use 32 and 128"),
    ("kimi_delta", {"head_size": 0}, r"head_size of at least 1; received: 0\. Use 64"),
    ("gated_deltanet", {"head_size": 0}, r"sizes of at least 1; received: .*'head_size': 0"),
    ("gla", {"decay_rank": 0}, r"decay_rank of at least 1; received: 0\. Use 16"),
    ("gla", {"key_share": 0.3}, r"key_share=0\.3, width=12, num_heads=3\. Use another share"),
    ("xlstm", {"key_share": 0.3}, r"key_share=0\.3, width=12, num_heads=3\. Use another share"),
    ("mamba3", {"rank": 0}, r"sizes of at least 1; received: .*'rank': 0"),
    ("mamba3", {"rank": 17}, r"rank of at most 16; received: 17\. Use a lower rank"),
    ("mamba3", {"state_size": -1}, r"state_size of at least 0; received: -1\. Use 0"),
    ("mamba3", {"rotated_share": 2}, r"share from 0 to 1; received: 2\. Use 0\.5"),
    ("griffin", {"window": 0}, r"window of at least 1 position; received: window=0\. Use 1024"),
    ("modernbert", {"window": 7}, r"even window of at least 2 positions.*window=7\. Use 128"),
    ("modernbert", {"global_every": 0}, r"global_every=0\. Use 3"),
    ("modernbert", {"global_every": 1, "window": 64}, r"no local layer .*window=64, .*Leave them"),
    ("modernbert", {"local_rotary_base": 1}, r"local_rotary_base greater than 1; received: 1\."),
    (
        "rwkv7",
        {"head_size": 0, "form": Form.DECODER},
        r"head_size of at least 1 .*'head_size': 0.*Use the defaults",
    ),
    ("bert", {"form": Form.DECODER}, "has no decoder form; it has: encoder"),
    *(
        (name, {"short_convolution": -1}, r"short_convolution of at least 0; received: -1\. Use 0")
        for name in ("gated_deltanet", "griffin", "kimi_delta", "mamba2")
    ),
    ("gated_deltanet", {"values_per_key": 26}, "in a key head.*received: values_per_key=26"),
    ("vanilla", {"positions": "rotatory"}, "takes positions none, sinusoidal, .*=rotatory"),
    ("vanilla", {"norm_placement": "first"}, "takes norm_placement after, before; .*=first"),
    ("vanilla", {"key_value_heads": 0}, "the heads; received: num_heads=3, key_value_heads=0"),
    ("vanilla", {"window": 0}, "window of at least 1 position; received: window=0"),
    ("vanilla", {"short_convolution": -1}, "at least 0 positions; .*short_convolution=-1. Use 0"),
    ("vanilla", {"activation": "tanh"}, "activation relu, gelu, gelu_tanh; received: .*=tanh"),
    (
        "vanilla",
        {"feedforward": "gated", "activation": "gelu"},
        r"plain networks alone; received: feedforward=gated, activation=gelu\. Leave either out",
    ),
    ("vanilla", {"rotary_factor": 2.0}, r"=none, rotary_factor=2\.0\. Give both"),
    ("vanilla", {"embedding_norm": 1}, "embedding_norm true or false; received: embedding_norm=1"),
    ("vanilla", {"positions": "sinusoidal", "width": 15}, "even .*width=15, num_heads=3"),
    *(
        (name, {"form": Form.DECODER, "rotary_extension": "yarn", **changes}, message)
        for name, changes, message in (
            ("vanilla", {"positions": "learned"}, "rotary positions alone; .*, positions=learned"),
            ("vanilla", {**ROTARY, "window": 4}, "without a window.*=yarn, window=4. Leave"),
            ("llama", {"rotary_factor": 1}, "rotary_factor greater than 1; received: 1. Use 4"),
            ("vanilla", {**ROTARY, "rotary_factor": "two"}, "greater than 1; received: two"),
            ("llama", {"rotary_extension": "linear"}, "takes rotary_extension none, ntk, yarn"),
            ("llama", {"latent_rank": 8}, "attention without a rotary extension.*=yarn, lat"),
            ("llama", {"rotary_extension": "ntk", "num_heads": 6}, "at least 4 .*num_heads=6"),
        )
    ),
    *(
        ("llama", {**LATENT, **changes}, message)
        for changes, message in (
            ({"latent_rank": 99}, "latent_rank of 1 to the width; received: .*=99"),
            ({"latent_rank": None}, "latent_query_rank=6, latent_rank=None. Give a"),
            ({"window": 4}, "without a window, num_sinks and .*; received: window=4"),
            ({"num_sinks": 2}, r"window=None, num_sinks=2, key_value_heads=None\. Leave them out"),
            ({"form": Form.ENCODER}, "in decoders alone; received: form=encoder"),
        )
    ),
]


@pytest.mark.parametrize(("name", "changes", "message"), CASES)
def test_the_message_states_the_rule_and_the_received_value(name, changes, message):
    architecture = find_plugin(ARCHITECTURES, name)
    changes = dict(changes)
    form = changes.pop("form", Form.ENCODER)
    own = {name: changes.pop(name) for name in ("width", "num_heads") if name in changes}
    size = replace(SIZE, **own)
    options = {**architecture.options, **changes}
    request = BuildRequest(form, Inputs.TOKEN_IDS, size, 32, options, vocabulary_size=9)
    with pytest.raises(Unsupported, match=message):
        architecture.build(request)


STATES = np.zeros((1, 5, 6), "float32")
LONG = np.zeros((1, 1, 2_049, 2), "float32")
HEADS = [np.zeros((1, number, 5, 4), "float32") for number in (6, 2, 2)]
OF_LAYERS = [
    (
        lambda: SlidingWindowAttention(2, 4, dilation=(1, 2, 3)),
        "one for all heads, or one for each",
    ),
    *(
        (lambda given=given: FullAttention(6, **given).build((None, None, 24)), message)
        for given, message in (
            ({"num_sinks": -2}, "num_sinks=-2"),
            ({"positions": RotaryPositions(), "head_size": 5}, "a head size of 5"),
            ({"short_convolution": -1}, "at least 0. Received: -1. Use 0 for no convolution"),
        )
    ),
    (
        lambda: FullAttention(3, short_convolution=3)(STATES, context=STATES),
        "Received: a context, short_convolution=3. Use 0",
    ),
    (lambda: attention(*map(ops.convert_to_tensor, HEADS), dropout=0.1), "dropout=0.1"),
    (
        lambda: attention(*map(ops.convert_to_tensor, (HEADS[0][:, :5], *HEADS[1:]))),
        "num_heads=5, num_key_value_heads=2",
    ),
    (lambda: BucketedPositions(32, 8), "Received: num_buckets=32, max_distance=8"),
    *(
        (
            lambda given=given: ExtendedRotaryPositions(
                16, **{"extension": "yarn", "factor": 4.0, **given}
            ).build((1, 2, 5, 2)),
            f"Received: .*{message}",
        )
        for given, message in (
            ({"extension": "none"}, "extension='none'"),
            ({"extension": "ntk"}, "a head size of 2"),
        )
    ),
    (lambda: GatedDeltaMixer(2, 3, 4, 4), r"num_key_heads=2, num_value_heads=3\. Change either"),
    (lambda: scan_in_chunks(*[LONG] * 3, LONG[..., 0], None, 4_096), "at most 2048 positions"),
    (lambda: LengthProjection(4, 2)(STATES), "Received: a sequence of 5"),
    (lambda: LSHAttention(2, 4, 1, 4)(STATES[..., :4], None), "multiple of the chunk length"),
    (lambda: LearnedPositions(4)(STATES), r"has 4 positions\. Received: a sequence of 5\."),
    (lambda: AxialPositions(4)(STATES), r"has 4 positions\. Received: a sequence of 5\."),
    (lambda: AxialPositions(7, grid=(2, 3)), r"Received: max_length=7, grid=\(2, 3\)"),
    (lambda: resize_grid(STATES[0], (2, 3), (4, 4)), r"Received: 5 rows, old_grid=\(2, 3\)"),
    (lambda: cut_patches(np.zeros((1, 4, 6, 3)), 4), "images of 4 × 6, patch_size=4"),
]
"""A function that makes or calls a layer, and what it is told."""


@pytest.mark.parametrize(("call", "message"), OF_LAYERS)
def test_a_layer_rejects_what_it_cannot_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()
