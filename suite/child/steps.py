"""A model, and its compiled training and prediction steps on the TensorFlow backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from suite.child.batches import Batch
from suite.contracts import Recipe

Features = Mapping[str, Any]


class Model(keras.Model):
    """embed (the task's) → mix (the architecture) → head (the task's).

    Without an embedding the backbone takes `features["token_ids"]` through its own.
    """

    def __init__(self, embedding: Any, backbone: Any, head: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embedding = embedding
        self.backbone = backbone
        self.head = head

    def build(self, input_shape: Any = None) -> None:
        """Leave building to the parts, which do it when they are first called."""

    def call(self, features: Features, training: bool | None = None) -> Any:
        """Give the head's outputs for a batch's features."""
        if self.embedding is None:
            inputs = features["token_ids"]
        else:
            inputs = self.embedding(features, training=training)
        hidden_states, _ = self.backbone.encode(
            inputs,
            padding_mask=features["padding_mask"],
            global_mask=features.get("global_mask"),
            training=training,
        )
        return self.head(hidden_states)

    def parameter_counts(self) -> dict[str, int]:
        """Count the weights by part: `mixing` is what parity between architectures is about."""
        outside = getattr(self.backbone, "embedding_layers", ())
        embedding = sum(layer.count_params() for layer in outside)
        if self.embedding is not None:
            embedding += self.embedding.count_params()
        total = sum(int(ops.size(weight)) for weight in self.trainable_variables)
        head = self.head.count_params()
        return {
            "total": total,
            "embedding": embedding,
            "head": head,
            "mixing": total - embedding - head,
        }


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
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=recipe.weight_decay, global_clipnorm=recipe.clip_norm
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def make_training_step(
    model: Model, loss: Callable[[Any, Features, Features], Any], optimizer: Any, xla: bool
) -> Callable[[Batch], Any]:
    """Compile one update; calling it returns the loss as a tensor on the device."""

    @tf.function(jit_compile=xla)  # type: ignore[untyped-decorator]
    def step(features: Features, targets: Features) -> Any:
        with tf.GradientTape() as tape:
            value = loss(model(features, training=True), targets, features)
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(value, weights), weights)
        return value

    return lambda batch: step(dict(batch.features), dict(batch.targets))


def make_prediction_step(
    model: Model, predict: Callable[[Any], Any], xla: bool
) -> Callable[[Batch], Any]:
    """Compile inference; calling it returns the reduced outputs as a NumPy array."""

    @tf.function(jit_compile=xla)  # type: ignore[untyped-decorator]
    def step(features: Features) -> Any:
        return predict(model(features, training=False))

    return lambda batch: step(dict(batch.features)).numpy()


def fix_randomness(seed: int) -> None:
    """Make every later draw and every operation of this process repeatable."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def devices() -> list[str]:
    """Name the devices that the backend sees."""
    return [device.name for device in tf.config.list_logical_devices()]
