"""Models of Hugging Face: their forms, their cache, and what is refused. They need PyTorch."""

from __future__ import annotations

import json
import sys

import keras
import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
if keras.backend.backend() != "torch":
    pytest.skip("models of Hugging Face run on PyTorch", allow_module_level=True)

from baselines.layers.describe_model import describe  # noqa: E402
from baselines.layers.given_backbone import GivenBackbone, load_model  # noqa: E402
from baselines.layers.given_model import GivenModel  # noqa: E402
from suite.api import RequestError  # noqa: E402
from suite.api.conformance import Verdict  # noqa: E402
from suite.worker.conformance.kit import check_cases  # noqa: E402

GPT2 = {"model_type": "gpt2", "n_layer": 2, "n_embd": 16, "n_head": 2, "vocab_size": 50,
        "n_positions": 64, "architectures": ["GPT2LMHeadModel"]}  # fmt: skip
MODERNBERT = {"model_type": "modernbert", "num_hidden_layers": 2, "hidden_size": 16,
              "intermediate_size": 24, "num_attention_heads": 2, "vocab_size": 50,
              "max_position_embeddings": 8192, "pad_token_id": 0, "bos_token_id": 1,
              "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}  # fmt: skip


def config(folder, content):
    path = folder / "config.json"
    path.write_text(json.dumps(content))
    return str(path)


def test_a_decoder_has_learned_positions_and_a_cache(tmp_path):
    facts = describe("huggingface", config(tmp_path, GPT2), "")
    assert (facts["form"], facts["longest"], facts["caches"]) == ("decoder", 64, True)
    assert facts["vocabulary"] == 50 and facts["mixing"] < facts["parameters"]


def test_all_modules_of_a_model_are_imported_before_its_weights_are_made(tmp_path):
    """The probe takes its baseline of memory between the two; no other test has this model."""
    content = {"model_type": "gpt_neo", "num_layers": 2, "attention_types": [[["global"], 2]],
               "hidden_size": 16, "num_heads": 2, "vocab_size": 50, "max_position_embeddings": 64,
               "architectures": ["GPTNeoForCausalLM"]}  # fmt: skip
    place = config(tmp_path, content)
    architecture = GivenModel("neo", ("huggingface", place), {"inputs": {}, "form": "decoder"}, "d")
    assert "transformers.models.gpt_neo.modeling_gpt_neo" not in sys.modules
    architecture.import_libraries()
    imported = set(sys.modules)
    model = load_model("huggingface", place)
    assert set(sys.modules) == imported
    assert {part.device.type for part in model.module.parameters()} == {"cpu"}


def test_positions_of_roberta_begin_after_the_padding(tmp_path):
    content = {"model_type": "roberta", "num_hidden_layers": 1, "hidden_size": 16,
               "intermediate_size": 24, "num_attention_heads": 2, "vocab_size": 50,
               "max_position_embeddings": 66, "pad_token_id": 1}  # fmt: skip
    place = config(tmp_path, content)
    facts = describe("huggingface", place, "")
    assert (facts["form"], facts["longest"]) == ("encoder", 64)
    backbone = GivenBackbone(load_model("huggingface", place), facts)
    outputs, _ = backbone.encode(keras.ops.full((1, 64), 7, dtype="int32"))
    assert outputs.shape[:2] == (1, 64)
    architecture = GivenModel("roberta", ("huggingface", place), facts, "d")
    cases = [results for case, results in check_cases(architecture, ()) if "259" not in case]
    verdicts = {result.check: result.verdict for results in cases for result in results}
    assert verdicts["padding does not leak"] is Verdict.PASSED, "an id of padding shifts positions"


def test_weights_are_float32_where_the_configuration_names_bfloat16(tmp_path):
    """Rounding would hide which positions a later token changes, and cards state float32."""
    place = config(tmp_path, {**GPT2, "torch_dtype": "bfloat16"})
    backbone = GivenBackbone(load_model("huggingface", place), describe("huggingface", place, ""))
    assert backbone.decode(keras.ops.ones((1, 9), "int32"))[0].dtype == torch.float32
    (tmp_path / "whole").mkdir()
    backbone.model.module.to(torch.bfloat16).save_pretrained(tmp_path / "whole")
    loaded = load_model("huggingface", str(tmp_path / "whole"))
    assert {part.dtype for part in loaded.module.parameters()} == {torch.float32}


def test_decoding_with_the_cache_equals_the_full_pass(tmp_path):
    place = config(tmp_path, GPT2)
    backbone = GivenBackbone(load_model("huggingface", place), describe("huggingface", place, ""))
    tokens = keras.ops.convert_to_tensor(np.arange(24, dtype="int32").reshape(2, 12))
    whole, _ = backbone.decode(tokens, training=False)
    last, _ = backbone.read_context(tokens, backbone.init_state(2, 12))
    assert last.shape[1] == 1, "the scores of 8,192 positions take more than the model"
    np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (last, whole[:, -1:])), atol=1e-4)
    for _ in range(2):  # a held state is cut off at the position
        state, parts = backbone.init_state(2, 12), []
        for start, stop in ((0, 5), (5, 6), (6, 9), (8, 9), (9, 12)):
            part, state = backbone.decode(tokens[:, start:stop], state=state, position=start)
            parts.append(part if start != 8 else part[:, :0])
        stepped = keras.ops.concatenate(parts, axis=1)
        np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (stepped, whole)), atol=1e-4)


def test_an_encoder_has_no_cache_and_no_end(tmp_path):
    facts = describe("huggingface", config(tmp_path, MODERNBERT), "")
    assert (facts["form"], facts["longest"], facts["caches"]) == ("encoder", None, False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**GPT2, "auto_map": {"AutoModel": "mine.Model"}}, "remote code is never run"),
        ({"model_type": "nothing-of-this-name"}, "kind that transformers does not know"),
        ({"model_type": "vit"}, "no vocabulary of tokens"),
        ({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}, "encoder-decoder"),
        ({"model_type": "bart"}, "encoder-decoder"),
    ],
)
def test_remote_code_and_models_without_a_card_are_refused(tmp_path, content, message):
    with pytest.raises(RequestError, match=message):
        describe("huggingface", config(tmp_path, content), "")
