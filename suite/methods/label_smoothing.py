"""Label smoothing: a share of the probability of each target is spread over all classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from suite.api import Method, MethodContext, MethodRequest, Options, Stage
from suite.methods._losses import mean_over_positions, unclassed_reason
from suite.methods._options import check_options, from_0_to_below_1


class LabelSmoothing(Method):
    """Cross-entropy with smoothed targets (Szegedy et al. 2016, section 7).

    With ε = `share` and K classes, the loss is (1 − ε) times that of the task plus ε times the mean
    of −log p over the K classes, at the positions or examples that have a target. Some tasks smooth
    their targets themselves, by 0.1. Both together smooth as one share of 1 − (1 − ε)(1 − 0.1): the
    default adds up to 0.19.
    """

    version = 1
    title = "Label smoothing"
    summary = "spread a share of each target's probability over all classes"
    paper = "Szegedy et al. 2016, Rethinking the Inception Architecture for Computer Vision"
    stage = Stage.TRAIN
    options = {"share": 0.1}

    def check(self, options: Options) -> None:
        check_options(self, options, from_0_to_below_1(options, "share"))

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        if not request.options["share"]:
            return None
        reason = unclassed_reason(request)
        if not reason and not request.task.offers_all_classes:
            reason = "an example of this task offers some of them alone"
        return f"smooths over all classes, and {reason}" if reason else None

    def loss(self, loss: Callable[..., Any], context: MethodContext) -> Callable[..., Any]:
        """Return the loss with smoothed targets; the loss itself with a share of 0."""
        share = context.options["share"]
        if share == 0:
            return loss

        def smoothed(outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
            logits = context.task.class_logits(outputs, features)
            spread = _mean_over_classes(logits, targets, features)
            return (1 - share) * loss(outputs, targets, features) + share * spread

        return smoothed


def _mean_over_classes(
    outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]
) -> Any:
    """Return the mean of −log p over the classes, and over what has a target.

    `outputs` are logits, (batch, classes) or (batch, n, classes).
    """
    from keras import ops

    losses = -ops.mean(ops.log_softmax(outputs, axis=-1), axis=-1)
    if len(outputs.shape) == 2:
        return ops.mean(losses)
    return mean_over_positions(losses, features, targets.get("scored"))


METHOD = LabelSmoothing()
