"""The optimizer of a recipe, and its learning rate by step."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from suite.api import Recipe
from suite.worker.backends import backend


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
    optimizer = backend.AdamW(
        schedule, weight_decay=recipe.weight_decay, global_clipnorm=recipe.clip_norm
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if keras.config.dtype_policy().compute_dtype == "float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)  # small gradients would underflow
    return optimizer
