"""Prompt tuning: learned vectors before the input of a frozen model."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from suite.api import MethodContext, MethodRequest, Part, Unsupported
from suite.methods._efficient_tuning import EfficientTuning, train_added


class Prompt(EfficientTuning):
    """Trains `length` vectors before the embedded input, and the head; everything else is frozen.

    The vectors are real positions, which the others see as the first ones. They belong to the
    encoder, or to a decoder alone. The positions of the input stay the same, and the head does not
    see the vectors. A backbone takes them if it has a method `add_prefix`.
    """

    title = "Prompt tuning"
    summary = "train vectors before the input of a frozen model, and the head"
    paper = "Lester et al. 2021, The Power of Scale for Parameter-Efficient Prompt Tuning"
    options = {"length": 16}
    size = "length"

    def parts(self, request: MethodRequest) -> Collection[Part]:
        return (Part.PREFIX,)

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        usual = request.task is not None and request.task.recipe.carry_state
        if request.cell.options.get("carry_state", usual):
            return (
                "precedes each input, which a carried state continues; received: "
                "carry_state=true. Leave one of them out"
            )
        return None

    def model(self, model: Any, context: MethodContext) -> Any:
        """Return the model with the vectors, and everything but these and the head frozen.

        Raises:
            Unsupported: the backbone takes no vectors before its input.
        """
        add_prefix = getattr(model.backbone, "add_prefix", None)
        if add_prefix is None:
            raise Unsupported("The architecture takes no vectors before its embedded input.")
        return train_added(model, lambda: add_prefix(context.options["length"]))


METHOD = Prompt()
