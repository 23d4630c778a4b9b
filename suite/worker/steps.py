"""The model of a cell, its optimizer, and its compiled steps on the backend of Keras."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
from keras import ops

from suite.api import PERTURBATION, Form, Recipe
from suite.api.errors import Unsupported
from suite.worker.data.batches import Batch
from suite.worker.measure.memory import Allocator
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
        self._frozen: set[int] = set()
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

    def call(self, features: Features, training: bool | None = None) -> Any:
        """Return the head's outputs for the features of a batch."""
        hidden_states = self.hidden_states(features, training, self.carries_state)
        if extra := getattr(self.backbone, "extra_positions", 0):
            # The head scores the class token; it may read the states of the other positions too.
            features = {
                **features,
                "position_states": hidden_states[:, extra:],
                "padding_mask": ops.ones_like(features["padding_mask"][:, :1]),
            }
            hidden_states = hidden_states[:, :1]
        return self._score(hidden_states, features)

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
        arguments = {"padding_mask": mask, "training": training}
        if not carries_state:
            return self.backbone.decode(inputs, **arguments)[0]
        empty = self.backbone.init_state(*mask.shape)
        state = keras.tree.pack_sequence_as(empty, [ops.copy(part) for part in self.carried_state])
        hidden_states, state = self.backbone.decode(inputs, state=state, **arguments)
        for part, value in zip(self.carried_state, keras.tree.flatten(state), strict=True):
            part.assign(value)
        return hidden_states

    def freeze(self, weights: Iterable[Any]) -> None:
        """Leave weights out of the training; they stay parameters of the model."""
        for weight in weights:
            weight.trainable = False
            self._frozen.add(id(weight))

    def parameter_counts(self) -> dict[str, int]:
        """Count the weights by part; parity between architectures is about `mixing`."""
        parts = [*getattr(self.backbone, "embedding_layers", ()), self.embedding]
        embedded = {id(weight): weight for part in parts if part for weight in part.weights}
        own = [weight for weight in self.head.weights if id(weight) not in embedded]
        embedding = sum(math.prod(weight.shape) for weight in embedded.values())
        head = sum(math.prod(weight.shape) for weight in own)
        total = sum(
            math.prod(weight.shape)
            for weight in self.weights
            if weight.trainable or id(weight) in self._frozen
        )
        return {
            "total": total,
            "embedding": embedding,
            "head": head,
            "mixing": total - embedding - head,
        }


class PositionHead(keras.layers.Dense):
    """Scores classes at every position by one dense layer on the hidden states."""

    def call(self, hidden_states: Any, features: Any = None) -> Any:
        """Return the scores: (batch, length, classes)."""
        return super().call(hidden_states)


class LinearWarmupAndDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that rises linearly to `peak`, then falls linearly to zero at `total_steps`."""

    def __init__(self, peak: float, warmup_steps: int, total_steps: int) -> None:
        super().__init__()
        self.peak = peak
        self.warmup_steps = max(1, warmup_steps)
        self.total_steps = max(total_steps, self.warmup_steps + 1)

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step, counted from 0."""
        position = ops.cast(step, "float32") + 1.0
        rising = position / self.warmup_steps
        falling = (self.total_steps - position) / (self.total_steps - self.warmup_steps)
        return self.peak * ops.clip(ops.minimum(rising, falling), 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "total_steps": self.total_steps,
        }


def make_optimizer(recipe: Recipe, total_steps: int) -> Any:
    """Build AdamW with the recipe's settings and without weight decay on biases and norms."""
    schedule = LinearWarmupAndDecay(
        recipe.learning_rate, round(recipe.warmup_share * total_steps), total_steps
    )
    optimizer = _backend().AdamW(
        schedule, weight_decay=recipe.weight_decay, global_clipnorm=recipe.clip_norm
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if keras.config.dtype_policy().compute_dtype == "float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)  # small gradients would underflow
    return optimizer


def make_training_step(
    model: Model,
    loss: Callable[[Any, Features, Features], Any],
    optimizer: Any,
    xla: bool,
    wrap: Callable[[Compute, Compute], Compute] | None = None,
) -> Callable[[Batch], Any]:
    """Compile one update; calling it returns the loss as a tensor on the device.

    `xla` applies to TensorFlow alone: JAX always compiles by XLA, PyTorch never does. `wrap` gets
    two functions of (features, targets) and returns the one that is minimized. The first calls the
    model and returns its loss. The second returns the loss, and its gradient at the perturbation 0.
    """
    backend = _backend()

    def minimize(compute: Compute) -> Compute:
        if wrap is None:
            return compute
        return wrap(compute, at_zero(model, compute, backend.value_and_gradient))

    return _resetting(model, backend.make_training_step(model, loss, optimizer, xla, minimize))


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


def fix_randomness(seed: int) -> None:
    """Make all later random numbers repeatable, and on a processor all operations too.

    On an accelerator the operations are the fastest of each library. Bitwise repeatable operations
    would slow JAX down too much, and a comparison of backends treats all of them alike.
    """
    keras.utils.set_random_seed(seed)
    if has_accelerator():
        _backend().keep_float32()
    else:
        _backend().fix_operations()


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
