"""A model, its optimizer, and its compiled steps on whichever backend Keras has here."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import ops

from suite.api import Form, Recipe
from suite.worker.data.batches import Batch
from suite.worker.measure.timing import Allocator

Features = Mapping[str, Any]


class Model(keras.Model):
    """embed (the task's) → mix (the architecture) → head (the task's).

    Without an embedding the backbone takes `features["patches"]` or `features["token_ids"]` through
    its own. In the encoder-decoder form `features["target_ids"]` is what the decoder is given.
    With `carries_memory`, a decoder whose backbone `carries_state` goes on from the state after the
    batch before, until `forget` is called.
    """

    def __init__(
        self,
        embedding: Any,
        backbone: Any,
        head: Any,
        form: Form = Form.ENCODER,
        carries_memory: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.embedding = embedding
        self.backbone = backbone
        self.head = head
        self.form = form
        self.carries_memory = carries_memory and getattr(backbone, "carries_state", False)
        self.carried_state: list[Any] = []
        if hasattr(head, "tie"):
            head.tie(backbone.tie_embeddings())

    def build(self, input_shape: Any = None) -> None:
        """Make room for the memory; the parts are built when they are first called."""
        if self.carries_memory:
            empty = self.backbone.init_state(*input_shape["padding_mask"])
            for tensor in keras.tree.flatten(empty):
                dtype = keras.backend.standardize_dtype(tensor.dtype)
                part = self.add_weight(tensor.shape, "zeros", dtype=dtype, trainable=False)
                self.carried_state.append(part)

    def forget(self) -> None:
        """Empty the memory: what comes next does not go on from what came before."""
        for part in self.carried_state:
            part.assign(ops.zeros(part.shape, part.dtype))

    def call(self, features: Features, training: bool | None = None) -> Any:
        """Give the head's outputs for a batch's features."""
        hidden_states = self.hidden_states(features, training, self.carries_memory)
        if extra := getattr(self.backbone, "extra_positions", 0):
            # A class token speaks for all; the others' states are for heads that ask for them.
            features = {
                **features,
                "position_states": hidden_states[:, extra:],
                "padding_mask": ops.ones_like(features["padding_mask"][:, :1]),
            }
            hidden_states = hidden_states[:, :1]
        return self._score(hidden_states, features)

    def hidden_states(
        self, features: Features, training: bool | None = None, carries_memory: bool = False
    ) -> Any:
        """Give what the head is shown: (batch, length, width), extra positions in front."""
        if self.embedding is None:
            inputs = features["patches"] if "patches" in features else features["token_ids"]
        else:
            inputs = self.embedding(features, training=training)
        mask = features["padding_mask"]
        if self.form is Form.DECODER:
            return self._decode(inputs, mask, training, carries_memory)
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

    def _score(self, hidden_states: Any, features: Features) -> Any:
        """Give the head's outputs in float32, whatever the precision of the layers."""
        return ops.cast(self.head(hidden_states, features), "float32")

    def _decode(self, inputs: Any, mask: Any, training: bool | None, carries_memory: bool) -> Any:
        given = {"padding_mask": mask, "training": training}
        if not carries_memory:
            return self.backbone.decode(inputs, **given)[0]
        empty = self.backbone.init_state(*mask.shape)
        state = keras.tree.pack_sequence_as(empty, [ops.copy(part) for part in self.carried_state])
        hidden_states, state = self.backbone.decode(inputs, state=state, **given)
        for part, value in zip(self.carried_state, keras.tree.flatten(state), strict=True):
            part.assign(value)
        return hidden_states

    def parameter_counts(self) -> dict[str, int]:
        """Count the weights by part: `mixing` is what parity between architectures is about."""
        parts = [*getattr(self.backbone, "embedding_layers", ()), self.embedding]
        outside = {id(weight): weight for part in parts if part for weight in part.weights}
        own = [weight for weight in self.head.weights if id(weight) not in outside]
        embedding = sum(int(ops.size(weight)) for weight in outside.values())
        head = sum(int(ops.size(weight)) for weight in own)
        total = sum(int(ops.size(weight)) for weight in self.trainable_variables)
        return {
            "total": total,
            "embedding": embedding,
            "head": head,
            "mixing": total - embedding - head,
        }


class PositionHead(keras.layers.Dense):
    """Scores classes at every position by one dense layer; uses nothing but the hidden states."""

    def call(self, hidden_states: Any, features: Any = None) -> Any:
        """Score."""
        return super().call(hidden_states)


class LinearWarmupAndDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to `peak` over the warm-up, then falls linearly to zero at `total_steps`."""

    def __init__(self, peak: float, warmup_steps: int, total_steps: int) -> None:
        super().__init__()
        self.peak = peak
        self.warmup_steps = max(1, warmup_steps)
        self.total_steps = max(total_steps, self.warmup_steps + 1)

    def __call__(self, step: Any) -> Any:
        """Give the rate of a step, counted from 0."""
        position = ops.cast(step, "float32") + 1.0
        rising = position / self.warmup_steps
        falling = (self.total_steps - position) / (self.total_steps - self.warmup_steps)
        return self.peak * ops.clip(ops.minimum(rising, falling), 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "total_steps": self.total_steps,
        }


def make_optimizer(recipe: Recipe, total_steps: int) -> Any:
    """Build AdamW as the recipe says; biases and norms do not decay."""
    schedule = LinearWarmupAndDecay(
        recipe.learning_rate, round(recipe.warmup_share * total_steps), total_steps
    )
    optimizer = _backend().AdamW(
        schedule, weight_decay=recipe.weight_decay, global_clipnorm=recipe.clip_norm
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if keras.config.dtype_policy().compute_dtype == "float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)  # small gradients would be 0
    return optimizer


def make_training_step(
    model: Model, loss: Callable[[Any, Features, Features], Any], optimizer: Any, xla: bool
) -> Callable[[Batch], Any]:
    """Compile one update; calling it returns the loss as a tensor on the device.

    `xla` is TensorFlow's to take; the other backends compile as they always do.
    """
    return _forgetting(model, _backend().make_training_step(model, loss, optimizer, xla))


def make_prediction_step(
    model: Model, predict: Callable[[Any, Features, Features], Any], xla: bool
) -> Callable[[Batch], Any]:
    """Compile inference; calling it returns the reduced outputs as a NumPy array."""
    return _forgetting(model, _backend().make_prediction_step(model, predict, xla))


def compile_with_weights(model: Model, function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of tensors that uses a model's weights and changes none."""
    compiled: Callable[..., Any] = _backend().compile_with_weights(model, function)
    return compiled


def _forgetting(model: Model, step: Callable[[Batch], Any]) -> Callable[[Batch], Any]:
    """Let a model forget before a batch that does not go on from the one before."""
    if not model.carries_memory:
        return step

    def run(batch: Batch) -> Any:
        if batch.fresh:
            model.forget()
        return step(batch)

    return run


def fix_randomness(seed: int) -> None:
    """Make every later draw of this process repeatable, and on a processor every operation.

    On an accelerator they run as fast as each library has them: JAX cannot be asked to repeat them
    to the last bit at a bearable price, and a comparison of backends asks the same of all.
    """
    keras.utils.set_random_seed(seed)
    if has_accelerator():
        _backend().keep_float32()
    else:
        _backend().fix_operations()


def share_work(num_devices: int) -> None:
    """Split every batch over several devices (JAX alone); before anything is built.

    Raises:
        ValueError: there are not as many.
    """
    _backend().share_work(num_devices)


def devices() -> list[str]:
    """Name the devices that the backend sees."""
    return list(_backend().devices())


def allocator() -> Allocator | None:
    """Return what tells of the first accelerator's memory; None where the processor computes.

    Raises:
        RuntimeError: there is an accelerator whose memory the backend does not tell.
    """
    found: Allocator | None = _backend().allocator() if has_accelerator() else None
    return found


def has_accelerator() -> bool:
    """Whether a device other than the processor is there."""
    return not all("CPU" in name.upper() for name in devices())


def _backend() -> Any:
    return importlib.import_module(f"suite.worker.backends.{keras.backend.backend()}")
