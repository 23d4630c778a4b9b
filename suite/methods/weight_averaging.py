"""Weight averaging: the mean of the weights of the last steps competes on validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suite.api import Method, MethodContext, Options, Stage
from suite.methods._options import check_options, from_0_to_1

NUM_AVERAGED = 20
"""The most steps whose weights are averaged."""
MEAN, COUNT = "mean", "count"
"""The names of the state: the mean so far, and the number of sets of weights in it."""


class WeightAveraging(Method):
    """The mean of the weights of several steps (Izmailov et al. 2018, section 3.1).

    The steps are the last and others evenly before it, `NUM_AVERAGED` at most, in the last `share`
    of the training. The mean is float32 and lies in the memory of the host. Validation scores it
    after the last step. It is kept if it is better than every other set of weights.
    """

    version = 1
    title = "Weight averaging"
    summary = "average the weights of the last steps; validation decides whether to keep the mean"
    paper = (
        "Izmailov et al. 2018, Averaging Weights Leads to Wider Optima and Better Generalization"
    )
    stage = Stage.TRAIN
    options = {"share": 0.5}
    """`share`: the share of the steps, at the end, from which the averaged ones are."""

    def check(self, options: Options) -> None:
        check_options(self, options, from_0_to_1(options, "share"))

    def after_step(self, model: Any, step: int, total_steps: int, context: MethodContext) -> None:
        if step in averaged_steps(total_steps, context.options["share"]):
            add_to_mean(context.state, model.get_weights())

    def candidates(
        self,
        candidates: list[list[Any]],
        model: Any,
        optimizer: Any,
        step: int,
        total_steps: int,
        context: MethodContext,
    ) -> list[list[Any]]:
        """Return the candidates and, after the last step, the mean of several sets of weights."""
        if step < total_steps or _count(context) < 2:
            return candidates
        return [*candidates, context.state[MEAN]]

    def facts(self, model: Any, context: MethodContext) -> Mapping[str, Any]:
        """Return the number of averaged steps, and whether validation kept the mean.

        A cell that takes a trained model has no such facts; its parent has them.
        """
        import numpy as np

        if MEAN not in context.state:
            return {}
        pairs = zip(model.get_weights(), context.state[MEAN], strict=True)
        kept = all(np.array_equal(weights, mean.astype(weights.dtype)) for weights, mean in pairs)
        return {"averaged_steps": _count(context), "mean_is_kept": kept}


def averaged_steps(total_steps: int, share: float) -> set[int]:
    """Return the steps whose weights are averaged: the last, and others evenly before it."""
    interval = max(1.0, share * total_steps / NUM_AVERAGED)
    count = min(NUM_AVERAGED, int(share * total_steps))
    return {total_steps - round(i * interval) for i in range(count)}


def add_to_mean(state: dict[str, list[Any]], weights: list[Any]) -> None:
    """Add the weights of one step to the mean in `state`."""
    import numpy as np

    if MEAN not in state:
        state[MEAN] = [np.zeros(value.shape, np.float32) for value in weights]
        state[COUNT] = [np.array(0)]
    state[COUNT][0] = state[COUNT][0] + 1
    for mean, value in zip(state[MEAN], weights, strict=True):
        mean += (value.astype(np.float32) - mean) / np.float32(state[COUNT][0])


def _count(context: MethodContext) -> int:
    return int(context.state[COUNT][0]) if COUNT in context.state else 0


METHOD = WeightAveraging()
