"""An unsupported request is rejected before anything is built, with the reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from suite.api import BuildRequest, Form, Inputs, ModelSize
from suite.api.errors import Unsupported
from suite.api.plugins import ARCHITECTURES, find_plugin

SIZE = ModelSize("case", 2, 12, 3, 20)
CASES = [
    ("longformer", {"window": [7]}, r"even and at least 2; received: \[7\]"),
    ("longformer", {"window": [8, 8, 8]}, r"one for each of 2; received: window=\[8, 8, 8\]"),
    ("longformer", {"dilation": [0]}, r"dilations of at least 1; received: \[0\]"),
    ("longformer", {"dilated_heads": 4}, "dilated_heads from 0 to 3; received: 4"),
    ("reformer", {"axial_stddev": 0}, "an axial_stddev above 0; received: 0"),
    ("bigbird", {"block_size": 0}, "at least 1 position, .*; received: block_size=0"),
    ("bigbird", {"random_blocks": -1}, "at least 0 random blocks; received: .*random_blocks=-1"),
    ("bigbird", {"positions": "alibi"}, "takes positions learned, rotary; received: .*=alibi"),
    ("bigbird", {"positions": "rotary", "num_heads": 4}, "even head size for rotary positions"),
    ("reformer", {"chunk": 0}, "at least one position and at least one hash; received: chunk=0"),
    ("reformer", {"chunk": 8, "axial_grid": [4, 4]}, r"each of 32 positions; .*\[4, 4\]"),
    ("transformer_xl", {"segment": 0}, "segments of at least one position .* segment=0"),
    ("llama", {"window": 0}, r"window of at least 1 position.*window=0, num_sinks=0\. Leave the"),
    ("llama", {"window": "all"}, "window of at least 1 position.*window=all"),
    ("llama", {"key_value_heads": 2}, "num_heads=3, key_value_heads=2. Use a divisor"),
    ("llama", {"key_value_heads": 0}, "num_heads=3, key_value_heads=0"),
    ("llama", {"rotary_base": 0.5}, "rotary_base greater than 1; received: 0.5"),
    ("llama", {"num_heads": 4}, r"even head size.*width=12, num_heads=4\. Use other numbers"),
    ("t5", {"num_buckets": 2}, "num_buckets of at least 4.*num_buckets=2, max_distance=128"),
    ("t5", {"max_distance": 16}, "num_buckets=32, max_distance=16. Use 32 and 128"),
    ("kimi_delta", {"head_size": 0}, r"at least 1; received: .*'head_size': 0.*Use the defaults"),
    ("gated_deltanet", {"head_size": 0}, r"sizes of at least 1; received: .*'head_size': 0"),
    ("gla", {"decay_rank": 0}, r"decay_rank of at least 1; received: 0\. Use 16"),
    ("gla", {"key_share": 0.3}, r"key_share=0\.3, width=12, num_heads=3\. Use another share"),
    ("xlstm", {"key_share": 0.3}, r"key_share=0\.3, width=12, num_heads=3\. Use another share"),
    ("mamba3", {"rank": 0}, r"sizes of at least 1; received: .*'rank': 0"),
    ("mamba3", {"rank": 17}, r"rank of at most 16; received: 17\. Use a lower rank"),
    ("mamba3", {"state_size": -1}, r"state_size of at least 0; received: -1\. Use 0"),
    ("mamba3", {"rotated_share": 2}, r"share from 0 to 1; received: 2\. Use 0\.5"),
    ("griffin", {"window": 0}, r"window of at least 1 position; received: window=0\. Use 1024"),
    ("griffin", {"short_convolution": 0}, r"short_convolution of at least 1; received: 0\. Use 4"),
    ("modernbert", {"window": 7}, r"even window of at least 2 positions.*window=7\. Use 128"),
    ("modernbert", {"global_every": 0}, r"global_every=0\. Use 3"),
    ("modernbert", {"local_rotary_base": 1}, r"local_rotary_base greater than 1; received: 1\."),
    (
        "rwkv7",
        {"head_size": 0, "form": Form.DECODER},
        r"head_size of at least 1 .*'head_size': 0.*Use the defaults",
    ),
    ("bert", {"form": Form.DECODER}, "has no decoder form; it has: encoder"),
]


@pytest.mark.parametrize(("name", "changes", "message"), CASES)
def test_the_message_states_the_rule_and_the_received_value(name, changes, message):
    architecture = find_plugin(ARCHITECTURES, name)
    changes = dict(changes)
    form = changes.pop("form", Form.ENCODER)
    size = replace(SIZE, num_heads=changes.pop("num_heads", SIZE.num_heads))
    options = {**architecture.options, **changes}
    request = BuildRequest(form, Inputs.TOKEN_IDS, size, 32, options, vocabulary_size=9)
    with pytest.raises(Unsupported, match=message):
        architecture.build(request)
