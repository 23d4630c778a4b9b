"""Adversarial training: each update also takes the loss at perturbed embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from suite.api import PERTURBATION, MethodContext, Options, Stage
from suite.methods._gradients import GradientMethod
from suite.methods._options import at_least, check_options, from_0_to_1


class AdversarialTraining(GradientMethod):
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
        check_options(self, options, at_least(0, options, "epsilon"), from_0_to_1(options, "share"))

    def update_loss(
        self,
        compute: Callable[..., Any],
        differentiate: Callable[..., Any],
        context: MethodContext,
    ) -> Callable[..., Any]:
        """Return the mean of both losses; the plain loss with an ε or a share of 0."""
        epsilon, weight = context.options["epsilon"], context.options["share"]
        if epsilon == 0 or weight == 0:
            return compute

        def both(features: Mapping[str, Any], targets: Mapping[str, Any]) -> Any:
            from keras import ops

            plain, gradient = differentiate(features, targets)
            moved = ops.stop_gradient(epsilon * ops.sign(gradient))
            perturbed = compute({**features, PERTURBATION: moved}, targets)
            return (1 - weight) * plain + weight * perturbed

        return both


METHOD = AdversarialTraining()
