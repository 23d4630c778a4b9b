"""Adversarial examples: the scores with embeddings moved against the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from suite.api import PERTURBATION, MethodContext, MethodRequest, Options, Stage
from suite.methods._disturbances import check_strengths
from suite.methods._gradients import GradientMethod

HIGHEST = 10.0
"""The largest strength: beyond it, the perturbation hides the embeddings."""


class Adversarial(GradientMethod):
    """Scores with the embedded inputs moved by the fast gradient sign method.

    x' = x + ε·s·sign(∇ₓ loss), where s is the standard deviation of an example's embedded inputs,
    and the loss is that of the true targets (Goodfellow et al. 2015, section 4). Text is perturbed
    in its embeddings, as in Miyato et al. 2017, section 3; patches are perturbed themselves. A
    batch costs a forward and a backward pass more for each ε.
    """

    version = 1
    title = "Adversarial examples"
    summary = "score embeddings that are moved along the sign of the loss's gradient"
    paper = "Goodfellow et al. 2015, Explaining and Harnessing Adversarial Examples"
    stage = Stage.EVALUATE
    options = {"strengths": [0.0, 0.01, 0.05, 0.1]}
    """The values of ε."""

    def check(self, options: Options) -> None:
        check_strengths(self, options, HIGHEST)

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        if request.task.generation:
            return "moves a single prediction, but the task generates its answers token by token"
        return super().unsupported_reason(request)

    def attacks(
        self, gradient: Callable[..., Any], context: MethodContext
    ) -> Iterator[tuple[str, Callable[..., Any]]]:
        """Yield the attack at each strength; a strength of 0 changes nothing."""
        for epsilon in context.options["strengths"]:
            yield f"adversarial={epsilon:g}", partial(_attack, gradient, epsilon)


def _attack(
    gradient: Callable[..., Any],
    epsilon: float,
    features: Mapping[str, Any],
    targets: Mapping[str, Any],
) -> Mapping[str, Any]:
    import numpy as np

    if epsilon == 0:
        return features
    signs = np.sign(gradient(features, targets))
    return {**features, PERTURBATION: (epsilon * signs).astype(np.float32)}


METHOD = Adversarial()
