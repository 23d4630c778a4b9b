"""keras-hub's backbones: equal to their own call, loaded from presets, and refused at plan time."""

from __future__ import annotations

import importlib.util
import math
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from keras import ops

from baselines.hub import BACKBONES
from baselines.layers.given_model import GivenModel
from suite.api import (
    BuildRequest,
    Form,
    Inputs,
    ModelSize,
    SourceRequest,
    Status,
    Track,
    supports,
    track_of,
)
from suite.api.plugins import ARCHITECTURES, TASKS, find_plugin
from suite.worker.conformance.gradients import BACKEND, run, tensors
from suite.worker.train import cell
from tests.architectures import slow_unless
from tests.builders.presets import LONGEST, WORDS, save_preset
from tests.builders.trainings import make_job
from tests.suite.worker.conftest import brief_measurements, eager  # noqa: F401

HUB = find_plugin(ARCHITECTURES, "hub")
SIZE = ModelSize("case", 1, 48, 3, 96)
LENGTH, REAL = 11, 7
MASK = np.arange(LENGTH)[None, :] < np.array([[REAL], [LENGTH]])
TOKENS = np.random.default_rng(0).integers(WORDS, size=(2, LENGTH)).astype("int32")


def request_of(form: Form = Form.ENCODER, length: int = LENGTH, words: int = WORDS, **options):
    given = {**HUB.options, **options}
    size = options.get("size", SIZE)
    given.pop("size", None)
    return BuildRequest(form, Inputs.TOKEN_IDS, size, length, given, vocabulary_size=words)


def test_keras_hub_is_imported_before_the_baseline_of_memory(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    given = GivenModel("given", ("preset", ""), {"inputs": {}, "form": "encoder"}, "digest")
    for architecture in (HUB, given):
        with pytest.raises(ImportError, match="keras_hub"):
            architecture.import_libraries()


def hidden_states(backbone, token_ids, mask=MASK) -> np.ndarray:
    return run(lambda *given: backbone.encode(*given, training=False)[0], token_ids, mask)


def theirs(backbone, token_ids, mask=MASK) -> np.ndarray:
    """Return the output of keras-hub's own call."""
    given = {"token_ids": token_ids, "padding_mask": mask, "segment_ids": 0 * token_ids}
    given = dict(
        zip(given, tensors(*(part.astype("int32") for part in given.values())), strict=True)
    )
    found = backbone({name: given[name] for name in backbone.input}, training=False)
    return ops.convert_to_numpy(found["sequence_output"] if isinstance(found, dict) else found)


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """A folder with a tiny random BERT and its tokenizer, and that BERT."""
    folder = tmp_path_factory.mktemp("preset")
    return folder, save_preset(folder)


def test_a_preset_gives_the_hidden_states_of_the_saved_backbone(preset):
    folder, bert = preset
    found = hidden_states(HUB.build(request_of(preset=str(folder))), TOKENS)
    np.testing.assert_allclose(found, theirs(bert, TOKENS), atol=1e-6)
    assert found.shape == (2, LENGTH, 8)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the cell trains on TensorFlow")
@pytest.mark.usefixtures("eager", "brief_measurements")
def test_a_preset_trains_on_the_tokens_of_its_own_tokenizer(preset, tmp_path):
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.tsv").write_text("text\tlabel\n" + "a b\tyes\nc d e\tno\n" * 4)
    job = make_job(tmp_path, "sentiment", "hub", 2, units="preset", preset=str(preset[0]))
    job = replace(job, source=SourceRequest("files", str(tmp_path)))
    task = find_plugin(TASKS, "sentiment")
    assert supports(HUB, request_of(length=32, preset=str(preset[0]))) is None
    assert track_of(task, job.cell.options) is Track.OPEN
    outcome = cell.run(job, task, HUB, (), lambda *progress: None, lambda outcome: None)
    assert outcome["status"] is Status.OK and outcome["details"]["training_steps"] == 2
    assert outcome["data"]["units"] == "preset"
    assert outcome["parameter_counts"]["embedding"] == 8 * (WORDS + LONGEST + 2)


@pytest.mark.parametrize(("name", "form"), [("auto", Form.ENCODER), ("auto", Form.DECODER)])
def test_the_hidden_states_are_those_of_keras_hubs_own_call(monkeypatch, name, form):
    from baselines.layers import hub_backbone

    made = []

    def build_and_keep(*given):
        made.append(build(*given))
        return made[0]

    build = hub_backbone.build_shape
    monkeypatch.setattr(hub_backbone, "build_shape", build_and_keep)
    backbone = HUB.build(request_of(form, backbone=name))
    assert type(made[0]).__name__ == {"encoder": "BertBackbone", "decoder": "Llama3Backbone"}[form]
    found = hidden_states(backbone, TOKENS)
    np.testing.assert_allclose(found, theirs(made[0], TOKENS), atol=1e-6)
    decoded = run(lambda *given: backbone.decode(given[0], padding_mask=given[1])[0], TOKENS, MASK)
    np.testing.assert_allclose(decoded, found, atol=1e-6)


ONE_OF_EACH_KIND = {kind: name for name, kind in BACKBONES.items()}.values()


@pytest.mark.skipif(BACKEND != "tensorflow", reason="one backend tests every backbone")
@pytest.mark.parametrize(
    "name", [slow_unless(name in ONE_OF_EACH_KIND, name) for name in BACKBONES]
)
def test_every_backbone_keeps_parity_and_its_form(name):
    kind = BACKBONES[name]
    backbone = HUB.build(request_of(kind.form, backbone=name))
    whole = hidden_states(backbone, TOKENS)
    other = np.where(MASK, TOKENS, (TOKENS + 1) % WORDS)
    np.testing.assert_allclose(hidden_states(backbone, other)[MASK], whole[MASK], atol=1e-5)
    later = TOKENS.copy()
    later[:, 5:] = (later[:, 5:] + 1) % WORDS
    seen = np.abs(hidden_states(backbone, later) - whole)[:, :5].max()
    assert (seen > 1e-4) == (kind.form is Form.ENCODER)
    if name == "albert":
        return  # its layers share their weights
    embedded = {id(weight) for part in backbone.embedding_layers for weight in part.weights}
    own = [weight for weight in backbone.trainable_weights if id(weight) not in embedded]
    width, wide = SIZE.width, SIZE.feedforward_width
    layer = 4 * width * (width + 1) + 2 * width * wide + wide + 5 * width
    assert sum(math.prod(weight.shape) for weight in own) == pytest.approx(layer, rel=0.1)


ODD = ModelSize("odd", 1, 12, 4, 24)
REFUSED = [
    (Form.ENCODER, {"backbone": "resnet"}, "has the backbones auto, .*bert.*; received: resnet"),
    (
        Form.ENCODER,
        {"backbone": "gemma"},
        "encoder: .*bert.*; received: backbone=gemma, of the form decoder",
    ),
    (Form.DECODER, {"backbone": "llama", "size": ODD}, "a multiple of 2 .* received: width=12"),
]


@pytest.mark.parametrize(("form", "options", "message"), REFUSED)
def test_unknown_and_unfit_backbones_are_refused(form, options, message):
    reason = supports(HUB, request_of(form, **options))
    assert reason is not None and re.search(message, reason)


def test_unfit_presets_are_refused(preset, tmp_path):
    folder = str(preset[0])
    (tmp_path / "config.json").write_text('{"class_name": "ResNetBackbone", "config": {}}')
    for request, message in (
        (request_of(preset=str(tmp_path / "none")), "needs a preset folder, .*; received: preset="),
        (request_of(preset=str(tmp_path)), "a preset of .*bert.*; received: .*a ResNetBackbone"),
        (request_of(preset=folder, backbone="roberta"), "a preset of roberta; .*a BertBackbone"),
        (request_of(Form.DECODER, preset=folder), "a preset of the form decoder; .*a BertBackbone"),
        (request_of(preset=folder, length=129), "at least 129 positions; received: .*with 128"),
        (request_of(preset=folder, words=32), "at least 32; received: .*with 31; save the token"),
    ):
        reason = supports(HUB, request)
        assert reason is not None and re.search(message, reason), reason


def test_a_missing_keras_hub_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    reason = supports(HUB, request_of())
    assert reason is not None and "pip install -e '.[hub]'" in reason


def test_planning_loads_neither_keras_nor_keras_hub(preset):
    script = (
        "import sys\n"
        "from suite.api import BuildRequest, Form, Inputs, ModelSize, SourceRequest, supports\n"
        "from suite.api.plugins import ARCHITECTURES, TASKS, find_plugin\n"
        "hub = find_plugin(ARCHITECTURES, 'hub')\n"
        "size = ModelSize('case', 1, 48, 3, 96)\n"
        "request = BuildRequest(Form.DECODER, Inputs.TOKEN_IDS, size, 8, hub.options)\n"
        "assert supports(hub, request) is None\n"
        "options = {'units': 'preset', 'preset': sys.argv[1]}\n"
        "task = find_plugin(TASKS, 'sentiment')\n"
        "assert task.inspect(SourceRequest('synthetic'), options)\n"
        "assert not {'keras', 'keras_hub', 'tensorflow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(preset[0])], check=True)
