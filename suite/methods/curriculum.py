"""Curriculum: short examples come first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from suite.api import (
    Method,
    MethodContext,
    MethodRequest,
    Options,
    Stage,
    TaskData,
    count_real,
    real_lengths,
)
from suite.methods._options import check_options, from_0_to_1

INITIAL_SHARE = 0.1
"""The share of the examples, the shortest, with which a curriculum begins."""
RANKED = "ranked_lengths"
"""The name of the state: the lengths of the training examples, the shortest first."""
Arrays = Mapping[tuple[str, str], Any]
"""Features and targets of some examples, by part and name."""


class Curriculum(Method):
    """Short examples come first (Platanios et al. 2019, section 3).

    The first `share` of the steps leaves out examples that are still too long. The rank of
    the longest that is allowed grows evenly from the shortest tenth to all examples. The number of
    steps stays the same, so a curriculum trains on fewer positions. The first batch of each length
    is not changed, so that all lengths compile in the first steps.
    """

    version = 1
    title = "Curriculum"
    summary = "begin with the shortest examples"
    paper = (
        "Platanios et al. 2019, Competence-based Curriculum Learning for Neural Machine Translation"
    )
    stage = Stage.TRAIN
    options = {"share": 0.5}
    """`share`: the share of the steps, at the beginning, after which all examples are used."""

    def check(self, options: Options) -> None:
        check_options(self, options, from_0_to_1(options, "share"))

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        if request.task.contiguous and request.options["share"]:
            return "orders examples by their length, and the task reads one stream"
        return None

    def data(self, data: TaskData, context: MethodContext) -> TaskData:
        """Return the data, and keep the lengths of the training examples."""
        import numpy as np

        context.state[RANKED] = [np.sort(real_lengths(data.train.features))]
        return data

    def batches(self, batches: Iterator[Any], context: MethodContext) -> Iterator[Any]:
        num_steps = round(context.options["share"] * context.cell.steps)
        if num_steps == 0:
            return batches
        return shortest_first(batches, context.state[RANKED][0], num_steps)


def shortest_first(batches: Iterator[Any], ranked: Any, num_steps: int) -> Iterator[Any]:
    """Yield `num_steps` batches of examples that are short enough, then all batches.

    `ranked` holds the lengths of the training examples, the shortest first: (examples,). Examples
    that wait for a batch keep their order.
    """
    import numpy as np

    waiting: dict[int, Arrays] = {}
    step = 0
    for batch in batches:
        if step >= num_steps:
            yield batch
            continue
        arrays = _arrays(batch)
        size, length = batch.features["padding_mask"].shape
        if length not in waiting:
            waiting[length] = {name: values[:0] for name, values in arrays.items()}
            step += 1
            yield batch
            continue
        share = INITIAL_SHARE + (1 - INITIAL_SHARE) * step / num_steps
        longest = ranked[int(share * (len(ranked) - 1))]
        short = real_lengths(batch.features) <= longest
        held = {
            name: np.concatenate([waiting[length][name], values[short]])
            for name, values in arrays.items()
        }
        if len(held["features", "padding_mask"]) >= size:
            step += 1
            yield _with_arrays(batch, {name: values[:size] for name, values in held.items()})
            held = {name: values[size:] for name, values in held.items()}
        waiting[length] = held


def _arrays(batch: Any) -> Arrays:
    return {
        (part, name): values
        for part in ("features", "targets")
        for name, values in getattr(batch, part).items()
    }


def _with_arrays(batch: Any, arrays: Arrays) -> Any:
    parts: dict[str, dict[str, Any]] = {"features": {}, "targets": {}}
    for (part, name), values in arrays.items():
        parts[part][name] = values
    return replace(batch, **parts, num_tokens=count_real(parts["features"]))


METHOD = Curriculum()
