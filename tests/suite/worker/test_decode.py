"""The outcome of a decoding cell, and the generation that it measures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from keras import ops

from suite.api import Form, Job, Mode, Recipe
from suite.api.plugins import ARCHITECTURES, find_plugin
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.measures import MEASURES, phases_of
from suite.records.model_sizes import MODEL_SIZES
from suite.worker import decode
from suite.worker.decode import START_ID, Decoder
from suite.worker.measure import timing, warmup
from suite.worker.model import Model
from tests.architectures import slow_unless
from tests.builders.models import make_model, sharpened
from tests.suite.worker.measure.machine import FakeMachine

VOCABULARY, CONTEXT, COUNT = 37, 11, 6


def recomputed(model: Model, context: np.ndarray) -> np.ndarray:
    """Return greedy tokens, each by a pass over the whole sequence."""
    batch, ones = len(context), np.ones(context.shape, bool)
    target = np.full((batch, 1), START_ID, "int32")
    decodes = model.form is Form.DECODER
    sequence = context if decodes else target
    for _ in range(COUNT + decodes):
        if decodes:
            features = {"token_ids": sequence, "padding_mask": np.ones(sequence.shape, bool)}
        else:
            features = {"token_ids": context, "padding_mask": ones, "target_ids": sequence}
        scores = ops.convert_to_numpy(model(features, training=False))[:, -1]
        sequence = np.append(sequence, scores.argmax(axis=-1)[:, None], axis=1).astype("int32")
    return sequence[:, -COUNT:]


@pytest.mark.parametrize(
    ("name", "form"),
    [("gpt", Form.DECODER), slow_unless(False, "lstm", Form.ENCODER_DECODER)],
)
def test_a_compiled_loop_generates_what_recomputation_chooses(name, form):
    """A call generates all tokens; reading the context again starts anew."""
    own_length = COUNT if form is Form.DECODER else 0
    model = sharpened(make_model(name, form, CONTEXT + own_length, VOCABULARY))
    max_length = CONTEXT + COUNT if form is Form.DECODER else COUNT
    context = np.random.default_rng(0).integers(VOCABULARY, size=(2, CONTEXT)).astype("int32")
    decoder = Decoder(model, CONTEXT, max_length, xla=False, loop_xla=True)
    decoder.hold(context)
    expected = recomputed(model, context)
    assert (decoder.generate(COUNT) == expected).all()
    decoder.hold(context)
    assert (decoder.generate(COUNT) == expected).all()


def job_of(folder: Path, architecture: str, **asked: object) -> Job:
    folder.mkdir()
    request = Request(
        mode=Mode.DECODE,
        benchmark="cost",
        architectures=(architecture,),
        lengths=(128,),
        batch_size=2,
        rounds=1,
        **asked,
    )
    (planned,) = expand(request, load_registry())
    paths = (folder, folder.parent, folder.parent / "checkpoint.npz")
    return Job(planned.cell, MODEL_SIZES["tiny"], Recipe(), None, (), *paths)


def test_a_decoding_lists_its_measures_and_every_phase_with_interference(tmp_path, monkeypatch):
    """Others take half of the cores while single tokens are measured."""
    for name, value in (("MIN_SECONDS", 0.01), ("BLOCK_SECONDS", 0.01), ("LATENCY_SECONDS", 0.1)):
        monkeypatch.setattr(timing, name, value)
    monkeypatch.setattr(warmup, "throwaway_step", lambda xla: None)
    machine = FakeMachine(monkeypatch, cores=64)

    def report_progress(phase, fraction, loss=None):
        machine.other_cores = 2.0 if phase == "measuring single tokens" else 0.0

    job = job_of(tmp_path / "cell", "lstm")
    architecture = find_plugin(ARCHITECTURES, "lstm")
    outcome = decode.run(job, architecture, report_progress)
    measured, details = outcome["measurements"], outcome["details"]
    names = {f"{phase}.{name}" for phase in measured for name in measured[phase]}
    names -= {name for name in names if name.endswith("padded_tokens_per_second")}
    known = {
        name
        for name in MEASURES
        if name.startswith(phases_of(Mode.DECODE)) and not name.endswith("padded_tokens_per_second")
    }
    assert names == known
    assert details["noisy"] == ["generation.latency"]
    generation = measured["generation"]
    assert generation["state_bytes"]["value"] == 2 * details["declared_state_bytes"]
    in_process = generation["state_memory_bytes"]
    assert in_process["value"] is None and "without an accelerator" in in_process["method"]
    speed, seconds = (generation[name]["value"] for name in ("tokens_per_second", "step_seconds"))
    assert speed * seconds == pytest.approx(2.0, rel=0.2)
