"""Adversarial training: each update also takes the loss at perturbed embeddings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from suite.api import (
    PERTURBATION,
    Method,
    MethodContext,
    MethodRequest,
    Options,
    Part,
    Stage,
)
from suite.api.errors import RequestError


class AdversarialTraining(Method):
    """Minimizes (1 − α)·L(x) + α·L(x + ε·s·sign(∇ₓ L)), where α is `share`.

    s is the standard deviation of an example's embedded inputs (Goodfellow et al. 2015, section 6;
    for text, Miyato et al. 2017, section 3). An update has a second forward and backward pass, and
    one more backward pass to the embedded inputs.
    """

    version = 1
    title = "Adversarial training"
    summary = "also minimize the loss at embeddings that are moved against the model"
    paper = (
        "Miyato et al. 2017, Adversarial Training Methods for Semi-Supervised Text Classification"
    )
    stage = Stage.TRAIN
    options = {"epsilon": 0.05, "share": 0.5}

    def check(self, options: Options) -> None:
        """Check the options."""
        if options["epsilon"] < 0:
            raise RequestError(
                "The option 'epsilon' of adversarial_training is at least 0",
                received=options["epsilon"],
            )
        if not 0 <= options["share"] <= 1:
            raise RequestError(
                "The option 'share' of adversarial_training is from 0 to 1",
                received=options["share"],
            )

    def parts(self, request: MethodRequest) -> Collection[Part]:
        """Return the tokens that the backbone embeds; a task's embeddings need no part of it."""
        from suite.methods._gradients import moved_parts

        return moved_parts(request)

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        """Return why the gradient of a batch does not exist, or None."""
        from suite.methods._gradients import carried_reason

        return carried_reason(request)

    def update_loss(
        self,
        compute: Callable[..., Any],
        differentiate: Callable[..., Any],
        context: MethodContext,
    ) -> Callable[..., Any]:
        """Return the mean of both losses; the plain loss with an ε or a share of 0."""
        epsilon, share = context.options["epsilon"], context.options["share"]
        if epsilon == 0 or share == 0:
            return compute

        def both(features: Mapping[str, Any], targets: Mapping[str, Any]) -> Any:
            from keras import ops

            plain, gradient = differentiate(features, targets)
            moved = ops.stop_gradient(epsilon * ops.sign(gradient))
            perturbed = compute({**features, PERTURBATION: moved}, targets)
            return (1 - share) * plain + share * perturbed

        return both


METHOD = AdversarialTraining()
