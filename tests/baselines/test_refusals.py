"""An unsupported request is rejected before anything is built, with the reason."""

from __future__ import annotations

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
    ("reformer", {"chunk": 0}, "at least one position and at least one hash; received: chunk=0"),
    ("reformer", {"chunk": 8, "axial_grid": [4, 4]}, r"each of 32 positions; .*\[4, 4\]"),
    ("transformer_xl", {"segment": 0}, "segments of at least one position .* segment=0"),
    ("bert", {"form": Form.DECODER}, "has no decoder form; it has: encoder"),
]


@pytest.mark.parametrize(("name", "changes", "message"), CASES)
def test_the_message_states_the_rule_and_the_received_value(name, changes, message):
    architecture = find_plugin(ARCHITECTURES, name)
    changes = dict(changes)
    form = changes.pop("form", Form.ENCODER)
    options = {**architecture.options, **changes}
    request = BuildRequest(form, Inputs.TOKEN_IDS, SIZE, 32, options, vocabulary_size=9)
    with pytest.raises(Unsupported, match=message):
        architecture.build(request)
