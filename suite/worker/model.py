"""The model of a cell: the task's ends around the architecture's backbone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from suite.api import (
    PERTURBATION,
    Architecture,
    BuildRequest,
    Form,
    Inputs,
    PluginError,
    Recipe,
    Task,
    Unsupported,
)
from suite.worker.backends import backend
from suite.worker.data.batches import Features
from suite.worker.perturbation import perturbed

QUANTIZED = ("kernel", "embeddings")
"""The names of the weights that Keras quantizes; their scales have other names."""


class Model(keras.Model):
    """The task's embedding, the architecture's backbone and the task's head.

    Without an embedding, the backbone embeds `features["patches"]` or `features["token_ids"]`. In
    the encoder-decoder form, the decoder reads `features["target_ids"]`. With `carries_state`, a
    decoder whose backbone carries state continues from the state after the previous batch, until
    `reset_state` is called.
    """

    def __init__(
        self,
        embedding: Any,
        backbone: Any,
        head: Any,
        form: Form = Form.ENCODER,
        carries_state: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.embedding = embedding
        self.backbone = backbone
        self.head = head
        self.form = form
        self.carries_state = carries_state and getattr(backbone, "carries_state", False)
        self.carried_state: list[Any] = []
        self.training_state: list[Any] = []
        self.frozen: set[int] = set()
        self.exposes_hidden_states = False
        self._inferring: Callable[[Features], tuple[Any, Any]] | None = None
        if hasattr(head, "tie"):
            head.tie(backbone.tie_embeddings())

    def build(self, input_shape: Any = None) -> None:
        """Create the variables of the carried state; the parts are built by their first call."""
        if self.carries_state:
            empty = self.backbone.init_state(*input_shape["padding_mask"])
            for tensor in keras.tree.flatten(empty):
                dtype = keras.backend.standardize_dtype(tensor.dtype)
                part = self.add_weight(tensor.shape, "zeros", dtype=dtype, trainable=False)
                self.carried_state.append(part)

    def reset_state(self) -> None:
        """Set the carried state to zeros, so that the next batch does not continue the previous."""
        for part in self.carried_state:
            part.assign(ops.zeros(part.shape, part.dtype))

    def add_training_state(self, shape: Any, initializer: str, name: str) -> Any:
        """Return a new weight that only training reads, such as a mask of zeros and ones.

        Checkpoints and kept weights hold it. It does not count as a parameter of the model.
        """
        self._tracker.unlock()  # Keras locks a built model
        weight = self.add_weight(shape, initializer, dtype="uint8", trainable=False, name=name)
        self.training_state.append(weight)
        self._tracker.lock()
        return weight

    def call(self, features: Features, training: bool | None = None) -> Any:
        """Return the head's outputs for the features of a batch.

        In training, a model that `exposes_hidden_states` returns these too.
        """
        outputs, states = self.outputs_and_states(features, training, self.carries_state)
        return (outputs, states) if training and self.exposes_hidden_states else outputs

    def outputs_and_states(
        self, features: Features, training: bool | None = None, carries_state: bool = False
    ) -> tuple[Any, Any]:
        """Return the head's outputs and the hidden states of the positions, (batch, n, width)."""
        hidden_states = self.hidden_states(features, training, carries_state)
        extra = getattr(self.backbone, "extra_positions", 0)
        if not extra:
            return self._score(hidden_states, features), hidden_states
        # The head scores the class token; it may read the states of the other positions too.
        states = hidden_states[:, extra:]
        features = {
            **features,
            "position_states": states,
            "padding_mask": ops.ones_like(features["padding_mask"][:, :1]),
        }
        return self._score(hidden_states[:, :1], features), states

    def infer(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        """Return the outputs and hidden states of a batch as arrays, in float32.

        Each shape of the features compiles once.
        """
        if self._inferring is None:
            self._inferring = backend.compile_with_weights(self, self._infer)
        outputs, states = self._inferring(dict(features))
        return ops.convert_to_numpy(outputs), ops.convert_to_numpy(states)

    def _infer(self, features: Features) -> tuple[Any, Any]:
        outputs, states = self.outputs_and_states(features, training=False)
        return outputs, ops.cast(states, "float32")

    def hidden_states(
        self, features: Features, training: bool | None = None, carries_state: bool = False
    ) -> Any:
        """Return the backbone's output, extra positions first: (batch, length, width)."""
        inputs, mask = self._inputs(features, training), features["padding_mask"]
        if self.form is Form.DECODER:
            return self._decode(inputs, mask, training, carries_state)
        hidden_states, _ = self.backbone.encode(
            inputs,
            padding_mask=mask,
            global_mask=features.get("global_mask"),
            training=training,
        )
        if self.form is Form.ENCODER_DECODER:
            hidden_states, _ = self.backbone.decode(
                features["target_ids"],
                encoder_output=hidden_states,
                encoder_mask=mask,
                padding_mask=features.get("target_mask"),
                training=training,
            )
        return hidden_states

    def encode_source(self, token_ids: Any, mask: Any = None, global_mask: Any = None) -> Any:
        """Return the encoder's output as the decoding steps take it: projected once if possible."""
        output, _ = self.backbone.encode(
            token_ids, padding_mask=mask, global_mask=global_mask, training=False
        )
        project = getattr(self.backbone, "project_encoder_output", None)
        return project(output) if project else output

    def decode_step(self, token: Any, state: Any, position: Any, **source: Any) -> tuple[Any, Any]:
        """Return the scores of the token that follows, (batch, vocabulary), and the state.

        `token` (batch,) stands at `position`. The state keeps its types. `source` holds the
        encoder's output, in the encoder-decoder form.
        """
        dtypes = [keras.backend.standardize_dtype(part.dtype) for part in keras.tree.flatten(state)]
        hidden_states, new = self.backbone.decode(
            token[:, None], state=state, position=position, training=False, **source
        )
        parts = map(ops.cast, keras.tree.flatten(new), dtypes)
        return self.head(hidden_states, {})[:, 0], keras.tree.pack_sequence_as(state, list(parts))

    def embed(self, features: Features, training: bool | None = None) -> Any:
        """Return the embedded inputs that a perturbation is added to: (batch, n, width).

        They are the task's embeddings, the patches, or the tokens that the backbone looked up.

        Raises:
            Unsupported: the backbone has no `embed`.
        """
        if self.embedding is not None:
            return self.embedding(features, training=training)
        if "patches" in features:
            return features["patches"]
        if getattr(self.backbone, "embed", None) is None:
            raise Unsupported("the architecture embeds tokens in a call that takes their ids alone")
        return self.backbone.embed(features["token_ids"])

    def _inputs(self, features: Features, training: bool | None) -> Any:
        if PERTURBATION in features:
            embedded = self.embed(features, training)
            return perturbed(embedded, features[PERTURBATION], features["padding_mask"])
        if self.embedding is not None or "patches" in features:
            return self.embed(features, training)
        return features["token_ids"]

    def _score(self, hidden_states: Any, features: Features) -> Any:
        """Return the head's outputs in float32 under every dtype policy."""
        return ops.cast(self.head(hidden_states, features), "float32")

    def _decode(self, inputs: Any, mask: Any, training: bool | None, carries_state: bool) -> Any:
        if not carries_state:
            return self.backbone.decode(inputs, padding_mask=mask, training=training)[0]
        empty = self.backbone.init_state(*mask.shape)
        state = keras.tree.pack_sequence_as(empty, [ops.copy(part) for part in self.carried_state])
        # Padding ends a stream, so that nothing follows it that could see it.
        hidden_states, state = self.backbone.decode(inputs, state=state, training=training)
        for part, value in zip(self.carried_state, keras.tree.flatten(state), strict=True):
            part.assign(value)
        return hidden_states

    def freeze(self, weights: Iterable[Any]) -> None:
        """Leave weights out of the training; they stay parameters of the model."""
        for weight in weights:
            weight.trainable = False
            self.frozen.add(id(weight))

    def parameter_counts(self) -> dict[str, int]:
        """Count the weights by part; parity between architectures is about "mixing".

        A quantized weight counts as many parameters as before its quantization.
        """
        sizes = self._weight_sizes()
        layers = [*getattr(self.backbone, "embedding_layers", ()), self.embedding]
        embedded = {id(weight) for layer in layers if layer for weight in layer.weights}
        own = {id(weight) for weight in self.head.weights} - embedded
        embedding, head = (sum(sizes.get(key, 0) for key in part) for part in (embedded, own))
        total = sum(sizes.values())
        return {
            "total": total,
            "embedding": embedding,
            "head": head,
            "mixing": total - embedding - head,
        }

    def _weight_sizes(self) -> dict[int, int]:
        sizes = {
            id(weight): math.prod(weight.shape)
            for weight in self.weights
            if weight.trainable or id(weight) in self.frozen
        }
        for layer in self._flatten_layers():
            if layer.quantization_mode:
                for weight in layer.weights:
                    if weight.name in QUANTIZED:  # the property of this name unpacks the values
                        sizes[id(weight)] = math.prod(getattr(layer, weight.name).shape)
        return sizes


class PositionHead(keras.layers.Layer):
    """Scores classes at every position by one dense layer on the hidden states."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scores = keras.layers.Dense(units)

    def call(self, hidden_states: Any, features: Any = None) -> Any:
        """Return the scores: (batch, length, classes)."""
        return self.scores(hidden_states)


def mean_cross_entropy(outputs: Any, targets: Features, features: Features) -> Any:
    """Return the mean cross-entropy of `targets["labels"]`, a loss for a `PositionHead`."""
    return ops.mean(
        ops.sparse_categorical_crossentropy(targets["labels"], outputs, from_logits=True)
    )


def build_model(
    task: Task,
    architecture: Architecture,
    request: BuildRequest,
    spec: Mapping[str, Any],
    recipe: Recipe,
) -> Model:
    """Build the task's embedding, the architecture's backbone and the task's head."""
    return Model(
        build_embedding(task, request, spec),
        architecture.build(request),
        task.build_head(spec),
        task.form,
        task.contiguous and recipe.carry_state,
    )


def build_embedding(task: Task, request: BuildRequest, spec: Mapping[str, Any]) -> Any:
    """Build the task's embedding; None where the architecture embeds token ids or patches.

    Raises:
        PluginError: the task returns an embedding for `Inputs.TOKEN_IDS`, or none for
            `Inputs.EMBEDDINGS`.
    """
    embedding = task.build_embedding(spec, request.model_size.width)
    given = embedding is not None
    if {Inputs.TOKEN_IDS: False, Inputs.EMBEDDINGS: True}.get(request.inputs, given) != given:
        raise PluginError(
            "`build_embedding` must return an embedding for Inputs.EMBEDDINGS, and None for "
            "Inputs.TOKEN_IDS",
            received=f"Inputs.{request.inputs.name} and {embedding} from build_embedding",
            remedy="Change the task's `inputs` (or `inputs_for`), or what build_embedding returns",
        )
    return embedding
