"""The optimizers and schedules of the method `optimizer`."""

from __future__ import annotations

import math
import re
from typing import Any

import keras
from keras import ops

from suite.api import Options, Recipe

WITHOUT_DECAY = ["bias", "gamma", "beta"]
"""Parts of the names of weights that do not decay."""


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that rises linearly to `peak`, and then follows the curve of `kind`.

    With w warm-up steps, `linear` and `cosine` fall to zero at `total_steps`, `constant` stays at
    the peak, and `inverse_square_root` falls as √(w / step).
    """

    def __init__(self, kind: str, peak: float, warmup_steps: int, total_steps: int) -> None:
        super().__init__()
        self.kind = kind
        self.peak = peak
        self.warmup_steps = max(1, warmup_steps)
        self.total_steps = max(total_steps, self.warmup_steps + 1)

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step, counted from 0."""
        position = ops.cast(step, "float32") + 1.0
        rising = position / self.warmup_steps
        left = (self.total_steps - position) / (self.total_steps - self.warmup_steps)
        if self.kind == "linear":
            falling = left
        elif self.kind == "cosine":
            falling = (1.0 - ops.cos(math.pi * ops.clip(left, 0.0, 1.0))) / 2
        elif self.kind == "inverse_square_root":
            falling = ops.sqrt(self.warmup_steps / position)
        else:
            falling = ops.ones_like(position)
        return self.peak * ops.clip(ops.minimum(rising, falling), 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "total_steps": self.total_steps,
        }


class Adam(keras.optimizers.Adam):
    """Adam with an L2 penalty: weight decay is part of the gradient (Kingma and Ba 2015).

    Keras's own Adam subtracts the decay from the weights, as AdamW does. Here the moments hold it
    (Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2). It is added
    after the gradient is clipped.
    """

    def _apply_weight_decay(self, variables: Any) -> None:
        """Do nothing: the gradient has the decay."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if self._use_weight_decay(variable):
            gradient = gradient + self.weight_decay * ops.convert_to_tensor(variable)
        super().update_step(gradient, variable, learning_rate)


class ScheduleFree(keras.optimizers.Optimizer):
    """Schedule-free AdamW (Defazio et al. 2024, "The Road Less Scheduled", algorithm 1).

    The weights of the model are y, at which gradients are taken. The optimizer steps from z, and
    averages z to x, which validation scores (`averaged`):

        y = (1 − β₁) z + β₁ x
        z ← z − γ (g / (√v̂ + ε) + λ y)
        x ← (1 − c) x + c z,  c = γ² / Σ γ²

    Each weight keeps v and the difference z − y, so the optimizer takes the memory of AdamW. v̂ is
    corrected for its start at 0, as in the authors' code. γ rises linearly for `warmup_steps` and
    is constant then.
    """

    def __init__(
        self,
        learning_rate: Any,
        warmup_steps: int,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.warmup_steps = max(1, warmup_steps)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def build(self, variables: Any) -> None:
        """Create the second moments and the differences z − y, all 0."""
        if self.built:
            return
        super().build(variables)
        self._velocities = self.add_optimizer_variables(variables, "velocity")
        self._differences = self.add_optimizer_variables(variables, "difference")

    def _apply_weight_decay(self, variables: Any) -> None:
        """Do nothing: the step of z has the decay."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        velocity, difference = self._velocities[index], self._differences[index]
        dtype = variable.dtype
        gradient, rate = ops.cast(gradient, dtype), ops.cast(learning_rate, dtype)
        step = ops.cast(self.iterations + 1, "float32")
        self.assign_add(velocity, (ops.square(gradient) - velocity) * (1 - self.beta_2))
        corrected = velocity / ops.cast(1 - self.beta_2**step, dtype)
        update = gradient / (ops.sqrt(corrected) + self.epsilon)
        if self._use_weight_decay(variable):
            update = update + self.weight_decay * ops.convert_to_tensor(variable)
        update = rate * update
        share = ops.cast(self._averaged_share(step), dtype)
        moved = share * difference - (1 - self.beta_1 * (1 - share)) * update
        self.assign_add(variable, moved)
        self.assign_sub(difference, update + moved)

    def _averaged_share(self, step: Any) -> Any:
        """Return c of a step, counted from 1: its γ² as a share of the sum of all γ²."""
        warmup = float(self.warmup_steps)
        rising = ops.minimum(step, warmup)
        total = rising * (rising + 1) * (2 * rising + 1) / (6 * warmup**2) + step - rising
        return ops.square(rising / warmup) / total

    def averaged(self) -> dict[int, Any]:
        """Return x of each weight, as a NumPy array, by the `id` of the weight."""
        averages = {}
        for variable, difference in zip(self._trainable_variables, self._differences, strict=True):
            y, z_less_y = (ops.convert_to_numpy(part) for part in (variable, difference))
            averages[id(variable)] = y + (1 - 1 / self.beta_1) * z_less_y
        return averages

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "warmup_steps": self.warmup_steps,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }


def make_schedule(kind: str, recipe: Recipe, total_steps: int) -> Schedule:
    """Return a schedule with the recipe's peak and warm-up."""
    warmup_steps = round(recipe.warmup_share * total_steps)
    return Schedule(kind, recipe.learning_rate, warmup_steps, total_steps)


def make_optimizer(options: Options, recipe: Recipe, model: Any, total_steps: int) -> Any:
    """Return any optimizer but AdamW, with the recipe's decay and clipping."""
    rate = make_schedule(options["schedule"], recipe, total_steps)
    settings: dict[str, Any] = {
        "learning_rate": rate,
        "weight_decay": recipe.weight_decay,
        "global_clipnorm": recipe.clip_norm,
    }
    match options["name"]:
        case "adam":
            optimizer = Adam(**settings)
        case "sgd":
            optimizer = keras.optimizers.SGD(momentum=options["momentum"], **settings)
        case "lion":
            optimizer = keras.optimizers.Lion(**settings)
        case "adafactor":
            # The schedule gives the steps; the paper's steps relative to the weights stay.
            optimizer = keras.optimizers.Adafactor(relative_step=False, **settings)
        case "muon":
            optimizer = keras.optimizers.Muon(
                adam_weight_decay=recipe.weight_decay,
                exclude_layers=[f"^{re.escape(path)}$" for path in paths_without_muon(model)],
                **settings,
            )
        case _:
            optimizer = ScheduleFree(warmup_steps=rate.warmup_steps, **settings)
    optimizer.exclude_from_weight_decay(var_names=WITHOUT_DECAY)
    return optimizer


def paths_without_muon(model: Any) -> list[str]:
    """Return the paths of the weights that are no kernels of hidden layers.

    Muon is for the matrices between hidden layers. Embeddings, positions, the head and vectors are
    updated by AdamW.
    """
    embeddings = getattr(model.backbone, "embedding_layers", ())
    outside = {id(weight) for part in embeddings if part for weight in part.weights}
    hidden = {
        id(weight)
        for weight in model.backbone.trainable_variables
        if weight.name == "kernel" and id(weight) not in outside
    }
    return [weight.path for weight in model.trainable_variables if id(weight) not in hidden]
