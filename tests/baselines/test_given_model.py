"""Given models: which inputs they have, and how they stand among architectures."""

from __future__ import annotations

import sys

import keras
import numpy as np
import pytest

from baselines.layers.describe_model import describe, imported_beside
from baselines.layers.given_backbone import GivenBackbone, load_model
from baselines.layers.given_model import GivenModel
from suite.api import BuildRequest, Form, Inputs, ModelSize, RequestError
from tests.builders import given_models

FUNCTIONS = given_models.__file__


def facts_of(name, form=""):
    return describe("function", f"{FUNCTIONS}:{name}", form)


@pytest.mark.parametrize(
    ("name", "form", "roles", "width"),
    [
        ("convolution", "decoder", ["tokens"], 0),
        ("recurrent_layer", "encoder", ["vectors"], 64),
        ("pooled_vectors", "encoder", ["vectors"], 6),
        ("one_score_each", "decoder", ["tokens"], 0),
        ("event_types", "encoder", ["tokens"], 0),
    ],
)
def test_inputs_and_form_are_found_out(name, form, roles, width):
    facts = facts_of(name)
    assert facts["form"] == form and facts["width"] == width
    assert [role for role, _ in facts["inputs"].values()] == roles
    assert facts["longest"] is None
    backbone = GivenBackbone(load_model("function", f"{FUNCTIONS}:{name}"), facts)
    assert facts["pooled"] == (name == "pooled_vectors")
    tokens = np.arange(18, dtype="int32").reshape(2, 9) * 50
    outputs, _ = (backbone.decode if form == "decoder" else backbone.encode)(tokens)
    assert outputs.shape[:2] == (2, 9) and 2 <= outputs.shape[2] <= 40


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("needs_a_width", r"without arguments. Received: needs_a_width\(width\)"),
        ("raises", "raised an exception. Received: ValueError: no such thing"),
        ("returns_a_number", "must return a Keras model or layer. Received: int"),
        ("exits", "cannot be loaded. Received: SystemExit: 3"),
        ("ten_features", "no length axis"),
        ("nothing_of_this_name", "no such function"),
        ("other_outputs_each_time", "outputs differ. Give --form encoder or --form decoder"),
        ("not_a_number", "are not numbers"),
        ("words_and_tags", "not take its inputs, with tokens below 40|not numbers"),  # JAX
    ],
)
def test_what_is_no_model_of_sequences_is_one_line(name, message):
    with pytest.raises(RequestError, match=message):
        facts_of(name)


def test_a_table_of_distances_limits_no_positions():
    assert facts_of("relative_positions")["longest"] is None


def test_a_model_that_mixes_blocks_is_no_decoder():
    assert facts_of("block_encoder")["form"] == "encoder"


def test_a_form_that_cannot_be_found_out_may_be_given():
    assert facts_of("other_outputs_each_time", "encoder")["form"] == "encoder"


def test_a_file_may_import_the_modules_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "parts_beside.py").write_text("WIDTH = 6\n")
    (tmp_path / "old").mkdir()  # another version, which PYTHONPATH names
    (tmp_path / "old" / "parts_beside.py").write_text("WIDTH = 5\n")
    sys.path.insert(0, str(tmp_path / "old"))
    file = tmp_path / "model_beside.py"
    file.write_text(
        "from dataclasses import dataclass\nimport keras\nfrom parts_beside import WIDTH\n"
        "@dataclass\nclass Size:\n    width: 'int' = WIDTH\n"
        "def make():\n    return keras.layers.Dense(Size().width)\n"
    )
    assert load_model("function", f"{file}:make").units == 6
    assert imported_beside(file) == [str(tmp_path / "parts_beside.py")]
    assert sys.path[0] != str(tmp_path)


def test_a_file_of_keras_with_a_custom_class_is_refused_with_advice(tmp_path):
    class Own(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    tokens = keras.Input((None,), dtype="int32")
    path = tmp_path / "own.keras"
    keras.Model(tokens, Own()(keras.layers.Embedding(9, 4)(tokens))).save(path)
    with pytest.raises(RequestError, match=r"Keras does not know.*FILE\.py:function"):
        load_model("keras", str(path))


def test_a_file_that_keras_did_not_save_is_refused(tmp_path):
    path = tmp_path / "text.keras"
    path.write_text("no model")
    with pytest.raises(RequestError, match=r"not one that Keras 3 saved. Received: text\.keras"):
        load_model("keras", str(path))


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "bfloat16"])
def test_a_file_of_keras_has_the_precision_that_it_was_saved_with(tmp_path, policy):
    tokens = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(9, 4, dtype=policy)(tokens)
    path = tmp_path / "model.keras"
    keras.Model(tokens, keras.layers.Softmax(dtype="float32")(embedded)).save(path)
    assert describe("keras", str(path), "")["precision"] == policy


def test_a_file_of_keras_has_its_vocabulary_and_its_positions(tmp_path):
    keras_hub = pytest.importorskip("keras_hub")
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    embedded = keras_hub.layers.TokenAndPositionEmbedding(30, 64, 8)(tokens)
    path = tmp_path / "model.keras"
    keras.Model(tokens, embedded).save(path)
    facts = describe("keras", str(path), "")
    assert (facts["vocabulary"], facts["longest"]) == (30, 64)
    architecture = GivenModel("model", ("keras", str(path)), facts, "d")
    size = ModelSize("any", 1, 8, 1, 8)
    request = BuildRequest(Form(facts["form"]), Inputs.TOKEN_IDS, size, 65, {})
    assert "has 64 positions" in architecture.unsupported_reason(request)


def test_a_preset_of_keras_hub_has_its_own_inputs(tmp_path):
    keras_hub = pytest.importorskip("keras_hub")
    keras.utils.set_random_seed(7)  # later tokens change earlier outputs by 3e-5
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=30, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16,
        max_sequence_length=64,
    )  # fmt: skip
    backbone.save_to_preset(str(tmp_path / "preset"))
    facts = describe("preset", str(tmp_path / "preset"), "")
    roles = {name: role for name, (role, _) in facts["inputs"].items()}
    assert roles == {"token_ids": "tokens", "padding_mask": "mask", "segment_ids": "zeros"}
    assert (facts["form"], facts["longest"], facts["vocabulary"]) == ("encoder", 64, 30)


def test_a_model_of_too_few_positions_is_refused(tmp_path):
    keras_hub = pytest.importorskip("keras_hub")
    tokens = keras.Input((None,), dtype="int32")
    path = tmp_path / "short.keras"
    embedded = keras_hub.layers.TokenAndPositionEmbedding(30, 32, 8)(tokens)
    keras.Model(tokens, embedded).save(path)
    with pytest.raises(RequestError, match=r"too few positions for a card\. Received: 32"):
        describe("keras", str(path), "")
