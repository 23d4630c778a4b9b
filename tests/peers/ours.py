"""Our side of a case: the registry's architecture in Keras, built and trained as in a probe."""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np
from keras import ops

from suite.api import BuildRequest, Inputs, ModelSize, Recipe
from suite.api.plugins import ARCHITECTURES, find_plugin
from suite.worker.data.batches import Batch
from suite.worker.decode import Decoder, create_weights
from suite.worker.model import Model, PositionHead
from suite.worker.steps import (
    fix_randomness,
    make_optimizer,
    make_prediction_step,
    make_training_step,
)
from tests.peers.cases import (
    BLOCK,
    CHUNK,
    CLIP_NORM,
    GENERATED,
    GRIFFIN_WINDOW,
    HASHES,
    HEAD_SIZE,
    LEARNING_RATE,
    LOCAL_WINDOW,
    RANDOM_BLOCKS,
    STATE,
    VOCABULARY_SIZE,
    WINDOW,
    Case,
)

OPTIONS: dict[str, dict[str, Any]] = {
    "bigbird": {"block_size": BLOCK, "random_blocks": RANDOM_BLOCKS},
    "griffin": {"window": GRIFFIN_WINDOW},
    "hybrid": {"pattern": "qwen3_next"},
    "kimi_delta": {"head_size": HEAD_SIZE},
    "longformer": {"window": [WINDOW]},
    "mamba2": {"head_size": HEAD_SIZE, "state_size": STATE},
    "modernbert": {"window": LOCAL_WINDOW},
    "reformer": {"chunk": CHUNK, "hashes": HASHES},
}


def make(case: Case, features: dict[str, np.ndarray], labels: np.ndarray) -> tuple[Any, Any]:
    """Build the model; return functions for one inference step and one training step."""
    fix_randomness(0)
    architecture = find_plugin(ARCHITECTURES, case.architecture)
    images = "patches" in features
    request = BuildRequest(
        form=case.form,
        inputs=Inputs.PATCHES if images else Inputs.TOKEN_IDS,
        model_size=_size(case),
        sequence_length=case.sequence_length,
        options=_options(case, architecture),
        vocabulary_size=None if images else VOCABULARY_SIZE,
        max_global_tokens=int("global_mask" in features),
    )
    model = Model(
        None, architecture.build(request), _FirstOf(2) if images else PositionHead(2), case.form
    )
    xla = architecture.compile_with_xla(request)
    batch = Batch(features, {"labels": labels}, labels.size, len(labels))
    model({name: ops.convert_to_tensor(value[:1]) for name, value in features.items()})
    predict = make_prediction_step(model, lambda outputs, *_: outputs, xla)
    recipe = Recipe(learning_rate=LEARNING_RATE, clip_norm=CLIP_NORM)
    train = make_training_step(model, _loss, make_optimizer(recipe, 10**9), xla)
    return lambda: predict(batch), lambda: float(train(batch))


def make_generation(case: Case, context: np.ndarray) -> Any:
    """Build the model; return a function that times `GENERATED` tokens after a context, in seconds.

    A first call compiles.
    """
    fix_randomness(0)
    architecture = find_plugin(ARCHITECTURES, case.architecture)
    length = case.sequence_length + GENERATED
    request = BuildRequest(
        form=case.form,
        inputs=Inputs.TOKEN_IDS,
        model_size=_size(case),
        sequence_length=length,
        options=_options(case, architecture),
        vocabulary_size=VOCABULARY_SIZE,
    )
    model = Model(None, architecture.build(request), PositionHead(VOCABULARY_SIZE), case.form)
    create_weights(model)
    xla = architecture.compile_with_xla(request)
    decoder = Decoder(model, case.sequence_length, length, xla=xla, loop_xla=True)
    decoder.hold(context)
    decoder.generate(GENERATED)

    def seconds() -> float:
        started = time.perf_counter()
        decoder.generate(GENERATED)
        return time.perf_counter() - started

    return seconds


def _options(case: Case, architecture: Any) -> dict[str, Any]:
    given = OPTIONS.get(case.architecture, {})
    return {**architecture.defaults(given), **given}


def _size(case: Case) -> ModelSize:
    """Return the model size, with Reformer's widening of the feed-forward network undone."""
    wide = case.feedforward_width
    if case.architecture == "reformer":
        wide -= case.width // 2
    return ModelSize("peers", case.num_layers, case.width, case.num_heads, wide)


class _FirstOf(keras.layers.Dense):
    """Scores two classes from the first position, the class token."""

    def call(self, hidden_states: Any, features: Any) -> Any:
        return super().call(hidden_states[:, 0])


def _loss(outputs: Any, targets: Any, features: Any) -> Any:
    return ops.mean(
        ops.sparse_categorical_crossentropy(targets["labels"], outputs, from_logits=True)
    )
