"""The model of a cell, its optimizer, and its compiled steps on the backend of Keras."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from suite.api import PERTURBATION, PRECISIONS, Form
from suite.api.errors import Unsupported
from suite.worker.data.batches import Batch
from suite.worker.measure.memory import Allocator
from suite.worker.parameter_counts import count_parameters
from suite.worker.perturbation import Compute, at_zero, perturbed

Features = Mapping[str, Any]


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
            self._inferring = compile_with_weights(self, self._infer)
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
        """Return the backbone's inputs, with the perturbation of the features if there is one."""
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
        """Count the weights by part: "total", "embedding", "head" and "mixing"."""
        return count_parameters(self)


class PositionHead(keras.layers.Layer):
    """Scores classes at every position by one dense layer on the hidden states."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scores = keras.layers.Dense(units)

    def call(self, hidden_states: Any, features: Any = None) -> Any:
        """Return the scores: (batch, length, classes)."""
        return self.scores(hidden_states)


def make_training_step(
    model: Model,
    loss: Callable[[Any, Features, Features], Any],
    optimizer: Any,
    xla: bool,
    wrap: Callable[[Compute, Compute], Compute] | None = None,
) -> Callable[[Batch], Any]:
    """Compile one update; calling it returns the loss as a tensor on the device.

    `xla` applies to TensorFlow alone: JAX always compiles by XLA, PyTorch never does. If the model
    `exposes_hidden_states`, the loss finds them in `features["hidden_states"]`. `wrap` gets two
    functions of (features, targets) and returns the one that is minimized. The first calls the
    model and returns its loss. The second returns the loss, and its gradient at the perturbation 0.
    """
    backend = _backend()
    if model.exposes_hidden_states:
        loss = _with_hidden_states(loss)

    def minimize(compute: Compute) -> Compute:
        if wrap is None:
            return compute
        return wrap(compute, at_zero(model, compute, backend.value_and_gradient))

    return _resetting(model, backend.make_training_step(model, loss, optimizer, xla, minimize))


def _with_hidden_states(
    loss: Callable[[Any, Features, Features], Any],
) -> Callable[[Any, Features, Features], Any]:
    def of_both(both: tuple[Any, Any], targets: Features, features: Features) -> Any:
        outputs, states = both
        return loss(outputs, targets, {**features, "hidden_states": states})

    return of_both


def make_prediction_step(
    model: Model, predict: Callable[[Any, Features, Features], Any], xla: bool
) -> Callable[[Batch], Any]:
    """Compile inference; calling it returns the reduced outputs as a NumPy array."""
    return _resetting(model, _backend().make_prediction_step(model, predict, xla))


def make_gradient_step(
    model: Model, loss: Callable[[Any, Features, Features], Any], xla: bool
) -> Callable[[Features, Features], Any]:
    """Compile the gradient of a batch's loss at the perturbation 0; it is a NumPy array.

    The function takes features and targets by name. The model infers: there is no dropout.
    """

    def compute(features: Features, targets: Features) -> Any:
        return loss(model(features, training=False), targets, features)

    measure = at_zero(model, compute, _backend().value_and_gradient)
    compiled = compile_with_weights(model, lambda *batch: measure(*batch)[1], xla)

    def step(features: Features, targets: Features) -> Any:
        arrays = (
            {k: ops.convert_to_tensor(v) for k, v in of.items()} for of in (features, targets)
        )
        return ops.convert_to_numpy(compiled(*arrays))

    return step


def compile_with_weights(
    model: Model, function: Callable[..., Any], xla: bool = False
) -> Callable[..., Any]:
    """Compile a function of tensors that reads a model's weights without changing them."""
    compiled: Callable[..., Any] = _backend().compile_with_weights(model, function, xla)
    return compiled


def held_state(model: Model, xla: bool) -> Any:
    """Return an empty `HeldState`: a state on the device that compiled functions change in place.

    `replace(state)` sets it, `arrays()` lists its arrays. `compile(function)` compiles
    `function(state, *inputs)` → `(result, state)`, where the state keeps its shapes and types; a
    call of the compiled function takes the inputs and returns the result.
    """
    return _backend().HeldState(model, xla)


def _resetting(model: Model, step: Callable[[Batch], Any]) -> Callable[[Batch], Any]:
    """Reset the carried state before each batch that does not continue the previous."""
    if not model.carries_state:
        return step

    def run(batch: Batch) -> Any:
        if batch.fresh:
            model.reset_state()
        return step(batch)

    return run


def fix_randomness(seed: int, precision: str = PRECISIONS[0]) -> None:
    """Make all later random numbers repeatable, and on a processor all operations too.

    On a processor, JAX and PyTorch keep freed memory from here on.

    On an accelerator, products of float32 numbers have full precision unless `precision` is
    `tensorfloat32`.

    On an accelerator the operations are the fastest of each library. Bitwise repeatable operations
    would slow JAX down too much, and a comparison of backends treats all of them alike.
    """
    keras.utils.set_random_seed(seed)
    if has_accelerator():
        _backend().multiply_float32(in_tensorfloat32=precision == "tensorfloat32")
    else:
        _backend().prepare_processor()


def share_work(num_devices: int) -> None:
    """Split every batch over several devices (JAX alone). Call this before building anything.

    Raises:
        ValueError: the machine has fewer devices.
    """
    _backend().share_work(num_devices)


def devices() -> list[str]:
    """Return the names of the devices that the backend sees."""
    return list(_backend().devices())


def allocator() -> Allocator | None:
    """Return the memory counters of the first accelerator; None where the processor computes.

    Raises:
        RuntimeError: the backend has no memory counters for the accelerator.
    """
    found: Allocator | None = _backend().allocator() if has_accelerator() else None
    return found


def has_accelerator() -> bool:
    """Whether the backend sees a device other than the processor."""
    return not all("CPU" in name.upper() for name in devices())


def _backend() -> Any:
    return importlib.import_module(f"suite.worker.backends.{keras.backend.backend()}")
