"""Length warm-up: training begins with short windows of the same batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from suite.api import Method, MethodContext, MethodRequest, Options, Stage
from suite.methods._options import at_least, check_options, from_0_to_1


class LengthWarmup(Method):
    """The first updates cut each example into short windows (Li et al. 2022, section 3).

    In the first `share` of the steps, an example of n positions becomes n / `length` examples of
    `length` positions. A batch keeps its positions and targets; only the visible context is
    shorter. Time and memory of these updates are those of the shorter length.
    """

    version = 1
    title = "Length warm-up"
    summary = "begin the training with short windows of the same batches"
    paper = (
        "Li et al. 2022, The Stability-Efficiency Dilemma: Investigating Sequence Length Warmup "
        "for Training GPT Models"
    )
    stage = Stage.TRAIN
    options = {"length": 256, "share": 0.333}
    """`length`: the positions of a short window. `share`: the share of the steps with them."""

    def check(self, options: Options) -> None:
        check_options(self, options, at_least(1, options, "length"), from_0_to_1(options, "share"))

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        length, full = request.options["length"], request.cell.sequence_length
        if request.task.scored_unit != "positions" or request.task.generation:
            return "cuts examples into windows, and the task scores whole examples"
        if request.cell.options.get("carry_state", request.task.recipe.carry_state):
            return "changes the number of examples in a batch, which carry_state keeps"
        if length >= full or full % length:
            return f"cuts {full:,} positions into shorter windows of length={length}"
        return None

    def batches(self, batches: Iterator[Any], context: MethodContext) -> Iterator[Any]:
        num_steps = round(context.options["share"] * context.cell.steps)
        for step, batch in enumerate(batches):
            yield cut_batch(batch, context.options["length"]) if step < num_steps else batch


def cut_batch(batch: Any, length: int) -> Any:
    """Return a batch whose examples are cut into windows of `length` positions.

    Values of an example as a whole are repeated for each of its windows.
    """
    num_windows = batch.features["padding_mask"].shape[1] // length

    def cut(arrays: Mapping[str, Any]) -> dict[str, Any]:
        return {name: _cut(values, num_windows, length) for name, values in arrays.items()}

    return replace(
        batch,
        features=cut(batch.features),
        targets=cut(batch.targets),
        num_examples=batch.num_examples * num_windows,
    )


def _cut(values: Any, num_windows: int, length: int) -> Any:
    import numpy as np

    if values.ndim > 1 and values.shape[1] == num_windows * length:
        return values.reshape(-1, length, *values.shape[2:])
    return np.repeat(values, num_windows, axis=0)


METHOD = LengthWarmup()
