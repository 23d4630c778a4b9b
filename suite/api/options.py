"""The options of cells, and the recipe of a task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from suite.api.errors import RequestError

Options = Mapping[str, Any]

BACKENDS = ("tensorflow", "jax", "torch")

PRECISIONS = ("float32", "tensorfloat32", "mixed_bfloat16", "mixed_float16")
"""The first backend and the first precision are the defaults. `tensorfloat32` has float32 numbers,
whose products the tensor cores of a GPU compute from 19 bits."""
USUAL_MODEL_SIZE = "tiny"
"""The model size that labels leave out, as they leave out the first backend and precision."""
ACCELERATOR_PRECISIONS = frozenset({"tensorfloat32", "mixed_float16"})
"""The precisions that a processor does not offer."""


def size_label(model_size: str) -> str:
    """Return a part of a label, such as "size mini"; "" for the usual size."""
    return f"size {model_size}" if model_size != USUAL_MODEL_SIZE else ""


def dtype_policy(precision: str) -> str:
    """Return the name of a precision's dtype policy in Keras."""
    return "float32" if precision == "tensorfloat32" else precision


COMPILE_MODES = ("auto", "graph", "xla")
"""The architecture's preference, TensorFlow's graph, or XLA."""

RUN_OPTIONS: Options = {"devices": 1, "compile": "auto"}
"""The options of every cell, with their defaults.

`devices` is the number of devices that a batch is split over (data parallelism). `compile` is the
way TensorFlow compiles the model, one of `COMPILE_MODES`.
"""

DATA_OPTIONS: Options = {"train_share": 1.0}
"""The options of every task, with their defaults.

`train_share` is the share of the training examples that a model is trained on, from
`MIN_TRAIN_SHARE` to 1. It belongs to the comparison, as a task's own options do.
"""

MIN_TRAIN_SHARE = 0.01


OPEN_RECIPE_OPTIONS = frozenset({"carry_state"})
"""The options of a recipe that put a cell on the open track, unless they are 0 or false."""


VALIDATION_OPTIONS = ("validations", "validation_spacing")
"""The options of a recipe that say when a training is validated: they belong to the comparison."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The training hyper-parameters of a task, the same for every architecture of a comparison.

    The defaults have published sources. Dropout is that of Vaswani et al. 2017, section 5.4. Weight
    decay, warm-up and clipping are those of BERT (Devlin et al. 2019, appendix A.2, and its
    published code for fine-tuning). A task states the source of another value. No value may be
    chosen by test scores.

    Attributes:
        learning_rate: peak of the schedule.
        warmup_share: share of the steps in which the learning rate rises linearly. Afterwards
            the rate falls linearly to zero.
        weight_decay: of AdamW; biases and normalisation weights do not decay.
        clip_norm: bound of the gradient's global norm.
        dropout: rate inside the architecture.
        carry_state: whether the state is carried from batch to batch of a contiguous task, if the
            architecture can do so (Dai et al. 2019, section 3.2). Such a model sees more positions
            than the sequence length.
        validations: number of validation passes. The best weights are kept.
        validation_spacing: "even" over the steps, or "log" for a curve whose points are evenly
            spread over the logarithm of the steps.
    """

    learning_rate: float = 1e-3
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    dropout: float = 0.1
    carry_state: bool = False
    validations: int = 5
    validation_spacing: str = "even"

    def __post_init__(self) -> None:
        """Raise a RequestError for a value outside its range."""
        for name, fits, wanted in (
            ("learning_rate", 0 < self.learning_rate < math.inf, "above 0"),
            ("warmup_share", 0 <= self.warmup_share <= 1, "from 0 to 1"),
            ("weight_decay", 0 <= self.weight_decay < math.inf, "at least 0"),
            ("clip_norm", self.clip_norm > 0, "above 0"),
            ("dropout", 0 <= self.dropout < 1, "from 0 to below 1"),
            ("validations", self.validations >= 1, "at least 1"),
        ):
            if not fits:
                raise RequestError(
                    f"The option '{name}' must be {wanted}", received=getattr(self, name)
                )
        if self.validation_spacing not in ("even", "log"):
            raise RequestError(
                "The option 'validation_spacing' must be 'even' or 'log'",
                received=repr(self.validation_spacing),
            )

    def to_dict(self) -> dict[str, float | int | str]:
        """Return the values by name."""
        # asdict would copy deeply, which takes a third of the time of an expansion.
        return {name: getattr(self, name) for name in self.__dataclass_fields__}
