"""Optimizers: another rule of updates, or another schedule of the learning rate."""

from __future__ import annotations

from typing import Any

from suite.api import Method, MethodContext, Options, Stage
from suite.methods._options import check_options, from_0_to_below_1

DEFAULT = ("adamw", "linear")
"""The optimizer and the schedule of every training without methods."""
PAPERS = {
    "adamw": "Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization",
    "adam": "Kingma and Ba 2015, Adam: A Method for Stochastic Optimization",
    "sgd": "Sutskever et al. 2013, On the importance of initialization and momentum",
    "lion": "Chen et al. 2023, Symbolic Discovery of Optimization Algorithms",
    "adafactor": "Shazeer and Stern 2018, Adafactor: Adaptive Learning Rates with Sublinear Memory",
    "muon": "Jordan et al. 2024, Muon; Liu et al. 2025, Muon is Scalable for LLM Training",
    "schedule_free": "Defazio et al. 2024, The Road Less Scheduled",
}
"""The sources of the optimizers, by their names."""
SCHEDULES = ("linear", "cosine", "constant", "inverse_square_root")


class Optimizer(Method):
    """Another optimizer, with the warm-up, weight decay and clipping of the recipe.

    Weight decay is decoupled as in AdamW, except for `adam`, whose gradient has it. Good learning
    rates differ by orders of magnitude between optimizers: compare them at rates that were tuned
    for each (`bench tune`). `adafactor` steps relative to the size of each weight. Keras keeps a
    whole second moment for it, so it saves no memory. `muon` updates kernels of the backbone;
    AdamW updates all other weights. `schedule_free` is scored at its averaged weights.
    """

    version = 1
    title = "Optimizer"
    summary = "another optimizer than AdamW, or another schedule of the learning rate"
    paper = f"{PAPERS['adamw']}; each other optimizer has its own"
    stage = Stage.TRAIN
    options = {"name": DEFAULT[0], "schedule": DEFAULT[1], "momentum": 0.9}
    """`momentum`: that of `sgd`. With `schedule_free`, the schedule must be `constant`."""

    def check(self, options: Options) -> None:
        name, schedule, momentum = (options[key] for key in self.options)
        usual = self.options["momentum"]
        check_options(
            self,
            options,
            ("name", name in PAPERS, f"one of {', '.join(PAPERS)}"),
            ("schedule", schedule in SCHEDULES, f"one of {', '.join(SCHEDULES)}"),
            from_0_to_below_1(options, "momentum"),
            (
                *("schedule", name != "schedule_free" or schedule == "constant"),
                "constant with name=schedule_free",
            ),
            ("momentum", name == "sgd" or momentum == usual, "for name=sgd alone"),
        )

    def optimizer(
        self, optimizer: Any, model: Any, total_steps: int, context: MethodContext
    ) -> Any:
        """Return the optimizer of the options; the given one for the defaults."""
        options = context.options
        name, schedule = options["name"], options["schedule"]
        if (name, schedule) == DEFAULT:
            return optimizer
        import keras

        from suite.methods import _optimizers

        if name == "adamw":
            optimizer.learning_rate = _optimizers.make_schedule(
                schedule, context.recipe, total_steps
            )
            return optimizer
        chosen = _optimizers.make_optimizer(options, context.recipe, model, total_steps)
        if hasattr(optimizer, "inner_optimizer"):
            return keras.optimizers.LossScaleOptimizer(chosen)
        return chosen

    def candidates(
        self,
        candidates: list[list[Any]],
        model: Any,
        optimizer: Any,
        step: int,
        total_steps: int,
        context: MethodContext,
    ) -> list[list[Any]]:
        """Return the averaged weights of `schedule_free` in place of the model's own."""
        if context.options["name"] != "schedule_free":
            return candidates
        averaged = getattr(optimizer, "inner_optimizer", optimizer).averaged()
        own, *others = candidates
        pairs = zip(model.weights, own, strict=True)
        return [[averaged.get(id(weight), value) for weight, value in pairs], *others]


METHOD = Optimizer()
