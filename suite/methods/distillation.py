"""Distillation: a model learns from the outputs of a trained teacher too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from suite.api import Method, MethodContext, MethodRequest, Options, Stage, Unsupported
from suite.methods._losses import mean_over_positions, unclassed_reason
from suite.methods._options import at_least, check_options, from_0_to_1

if TYPE_CHECKING:
    from suite.api import Cell

TEACHER = "teacher"
LOGITS, STATES = "teacher_logits", "teacher_hidden_states"
"""The features of a batch that hold what the teacher returns."""


class Distillation(Method):
    """Soft targets, and optionally hidden states, of a teacher of another architecture.

    The teacher is the model of the same cell with the architecture `teacher`, trained without
    methods. With w = `weight` and T = `temperature`, the loss is (1 − w) times that of the task
    plus w · T² times the cross-entropy of softmax(student / T) with the targets softmax(teacher /
    T) (Hinton et al. 2015, section 2). `hidden_weight` times the mean squared difference of the
    final hidden states is added (Romero et al. 2015, equation 3; Jiao et al. 2020, equation 8).
    Both models have one width, so that no projection lies between. The softmax is over the classes
    of the task: for answers in a text, over the positions where one may start or end. The soft
    targets count at the real positions that the task scores, or for each example, and hidden states
    at all real positions. The teacher trains at its own tuned learning rate. Without one, and in
    every trial, it trains at the rate of the recipe.

    The teacher infers each training batch before the step, so that its time is no part of the time
    of a step. The peak memory of the training includes the teacher. It starts each batch without a
    carried state.
    """

    version = 2
    title = "Distillation"
    summary = "learn from the outputs and hidden states of a trained teacher"
    paper = "Hinton, Vinyals and Dean 2015, Distilling the Knowledge in a Neural Network"
    stage = Stage.TRAIN
    options = {"teacher": "vanilla", "weight": 0.5, "temperature": 2.0, "hidden_weight": 0.0}

    def check(self, options: Options) -> None:
        check_options(
            self,
            options,
            from_0_to_1(options, "weight"),
            ("temperature", options["temperature"] > 0, "above 0"),
            at_least(0, options, "hidden_weight"),
        )

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        reason = unclassed_reason(request) if request.options["weight"] else None
        return f"compares scores of classes, and {reason}" if reason else None

    def needs(self, cell: Cell, options: Options) -> Mapping[str, Cell]:
        """Return the teacher's cell; none if the teacher has no weight."""
        if _is_neutral(options):
            return {}
        own = {name: value for name, value in cell.options.items() if name != "learning_rate"}
        return {TEACHER: replace(cell, architecture=options["teacher"], options=own, methods=())}

    def model(self, model: Any, context: MethodContext) -> Any:
        """Return the model, which shows its hidden states to the loss if these count."""
        if context.options["hidden_weight"]:
            model.exposes_hidden_states = True
        return model

    def batches(self, batches: Iterator[Any], context: MethodContext) -> Iterator[Any]:
        """Yield the batches with the teacher's logits and hidden states among the features."""
        if _is_neutral(context.options):
            yield from batches
            return
        teacher, with_states = context.parents[TEACHER](), context.options["hidden_weight"] > 0
        for batch in batches:
            logits, states = teacher.infer(batch.features)
            outputs = {LOGITS: logits, **({STATES: states} if with_states else {})}
            yield replace(batch, features={**batch.features, **outputs})

    def loss(self, loss: Callable[..., Any], context: MethodContext) -> Callable[..., Any]:
        """Return the loss with the teacher's terms; the loss itself if these have no weight."""
        options = context.options
        if _is_neutral(options):
            return loss
        weight, hidden_weight = options["weight"], options["hidden_weight"]

        def distilled(outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
            total = loss(outputs, targets, features)
            if weight:
                student, teacher = (
                    context.task.class_logits(logits, features)
                    for logits in (outputs, features[LOGITS])
                )
                scored = {**features, LOGITS: teacher}
                soft = soft_loss(student, targets, scored, options["temperature"])
                total = (1 - weight) * total + weight * soft
            if hidden_weight:
                total = total + hidden_weight * hidden_loss(features)
            return total

        return distilled


def soft_loss(
    outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any], temperature: float
) -> Any:
    """Return T² times the mean cross-entropy with the teacher's softened targets.

    `outputs` are logits, (examples, classes) or (batch, n, classes), as are the teacher's.

    Raises:
        Unsupported: the teacher's logits have another shape.
    """
    from keras import ops

    teacher = ops.cast(features[LOGITS], outputs.dtype)
    _check_shapes("logits", teacher, outputs)
    soft = ops.softmax(teacher / temperature, axis=-1)
    losses = -ops.sum(soft * ops.log_softmax(outputs / temperature, axis=-1), axis=-1)
    if len(outputs.shape) == 3:
        losses = mean_over_positions(losses, features, targets.get("scored"))
    return temperature**2 * ops.mean(losses)


def hidden_loss(features: Mapping[str, Any]) -> Any:
    """Return the mean squared difference of the final hidden states of both models.

    Raises:
        Unsupported: the widths or the positions of the models differ.
    """
    from keras import ops

    states = ops.cast(features["hidden_states"], "float32")
    teacher = ops.cast(features[STATES], "float32")
    _check_shapes("hidden states", teacher, states)
    differences = ops.mean(ops.square(states - teacher), axis=-1)
    return mean_over_positions(differences, features)


def _is_neutral(options: Options) -> bool:
    return not options["weight"] and not options["hidden_weight"]


def _check_shapes(name: str, teacher: Any, student: Any) -> None:
    if tuple(teacher.shape) != tuple(student.shape):
        raise Unsupported(
            f"distillation compares {name} of one shape. Received: {tuple(teacher.shape)} of the "
            f"teacher and {tuple(student.shape)} of the student. Choose another teacher."
        )


METHOD = Distillation()
