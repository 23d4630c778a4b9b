"""Magnitude pruning: the smallest weights are set to zero step by step during training."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from suite.api import Method, MethodContext, MethodRequest, Options, Stage
from suite.methods._options import at_least, check_options, from_0_to_1, from_0_to_below_1

SCOPES = ("layer", "global")
MASK = "mask_of_"
"""The names of masks begin with this text; the path of the weight follows."""


class Pruning(Method):
    """Gradual pruning by magnitude (Zhu and Gupta 2017, section 3).

    A share of the kernels and tables is zero: of all trainable weights with at least two axes, and
    so of no bias or norm. The share rises from 0 to `sparsity` between the shares `begin` and `end`
    of the training, by equation 1 of the paper: sparsity · (1 − (1 − p)³) at the progress p. Every
    `every` steps, the weights with the smallest absolute values are masked. Masked weights are set
    to zero after every update and stay masked. With the scope "layer", each weight matrix has the
    same share of zeros; with "global", all matrices together have it. With `begin` equal to `end`,
    all weights are masked at once.

    Validation selects among the weights from `end` on. Masks take one byte per weight while
    training. The model computes with zeros: it is neither faster nor smaller.
    """

    version = 1
    title = "Magnitude pruning"
    summary = "set the smallest weights to zero during training"
    paper = "Zhu and Gupta 2017, To prune, or not to prune"
    stage = Stage.TRAIN
    options = {"sparsity": 0.5, "scope": "layer", "begin": 0.2, "end": 0.7, "every": 10}

    def check(self, options: Options) -> None:
        begin, end = options["begin"], options["end"]
        check_options(
            self,
            options,
            from_0_to_below_1(options, "sparsity"),
            ("scope", options["scope"] in SCOPES, " or ".join(SCOPES)),
            ("begin", 0 <= begin <= end, f"from 0 to the option 'end', which is {end}"),
            from_0_to_1(options, "end"),
            at_least(1, options, "every"),
        )

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        names = {applied.name for applied in request.cell.methods}
        if request.options["sparsity"] and "weight_averaging" in names:
            return "does not combine with weight_averaging, whose means are not sparse"
        return None

    def model(self, model: Any, context: MethodContext) -> Any:
        """Return the model with a mask for each weight matrix; unchanged with a sparsity of 0."""
        if context.options["sparsity"]:
            for name, weight in _matrices(model).items():
                model.add_training_state(weight.shape, "ones", MASK + name)
        return model

    def after_step(self, model: Any, step: int, total_steps: int, context: MethodContext) -> None:
        """Mask more weights if the step is one to do so, and set all masked weights to zero."""
        options = context.options
        first, last = pruning_steps(total_steps, options)
        if not options["sparsity"] or step < first:
            return
        from keras import ops

        pairs = _weights_and_masks(model)
        if step == last or (step < last and (step - first) % options["every"] == 0):
            values = [ops.convert_to_numpy(ops.cast(weight, "float32")) for weight, _ in pairs]
            masks = [ops.convert_to_numpy(mask) for _, mask in pairs]
            sparsity = sparsity_at(step, total_steps, options)
            grown = grown_masks(values, masks, sparsity, options["scope"])
            for (_, mask), value in zip(pairs, grown, strict=True):
                mask.assign(value)
        for weight, mask in pairs:
            weight.assign(weight * ops.cast(mask, weight.dtype))

    def candidates(
        self,
        candidates: list[list[Any]],
        model: Any,
        optimizer: Any,
        step: int,
        total_steps: int,
        context: MethodContext,
    ) -> list[list[Any]]:
        """Return no weights before the pruning has ended."""
        ended = step >= min(total_steps, pruning_steps(total_steps, context.options)[1])
        return candidates if ended or not context.options["sparsity"] else []

    def facts(self, model: Any, context: MethodContext) -> dict[str, Any]:
        """Return the share of the weights in kernels and tables that are held at zero."""
        import numpy as np
        from keras import ops

        masks = [ops.convert_to_numpy(mask) for mask in _masks(model)]
        size = sum(mask.size for mask in masks)
        zeros = size - sum(int(np.count_nonzero(mask)) for mask in masks)
        return {"zero_weight_share": zeros / size if size else 0.0}


def pruning_steps(total_steps: int, options: Options) -> tuple[int, int]:
    """Return the first and the last step after which weights are masked."""
    first, last = (round(options[name] * total_steps) for name in ("begin", "end"))
    return max(1, first), max(1, last)


def sparsity_at(step: int, total_steps: int, options: Options) -> float:
    """Return the share of masked weights after a step between the first and the last."""
    first, last = pruning_steps(total_steps, options)
    progress = (step - first) / (last - first) if last > first else 1.0
    return float(options["sparsity"] * (1 - (1 - progress) ** 3))


def grown_masks(
    values: Sequence[Any], masks: Sequence[Any], sparsity: float, scope: str
) -> list[Any]:
    """Return masks of which a share is 0, at the smallest absolute values; no 0 becomes a 1.

    `values` and `masks` are arrays of equal shapes. The scope "layer" masks the same share of each.
    Time O(n log n).
    """
    import numpy as np

    sizes = [np.where(mask, np.abs(value), -1) for value, mask in zip(values, masks, strict=True)]
    groups = [[size] for size in sizes] if scope == "layer" else [sizes]
    grown: list[Any] = []
    for group in groups:
        flat = np.concatenate([size.ravel() for size in group])
        kept = np.ones(flat.size, np.uint8)
        kept[np.argsort(flat, kind="stable")[: math.floor(sparsity * flat.size + 0.5)]] = 0
        kept[flat < 0] = 0
        ends = np.cumsum([size.size for size in group])[:-1]
        parts = zip(np.split(kept, ends), group, strict=True)
        grown += [part.reshape(size.shape) for part, size in parts]
    return grown


def _masks(model: Any) -> list[Any]:
    return [state for state in model.training_state if state.name.startswith(MASK)]


def _weights_and_masks(model: Any) -> list[tuple[Any, Any]]:
    matrices = _matrices(model)
    return [(matrices[mask.name.removeprefix(MASK)], mask) for mask in _masks(model)]


def _matrices(model: Any) -> dict[str, Any]:
    """Return the trainable weights of two or more axes by path; equal paths have numbers."""
    matrices: dict[str, Any] = {}
    paths: Counter[str] = Counter()
    for weight in model.trainable_weights:
        if len(weight.shape) > 1:
            path = weight.path.replace("/", ".")
            matrices[f"{path}.{paths[path]}"] = weight
            paths[path] += 1
    return matrices


METHOD = Pruning()
