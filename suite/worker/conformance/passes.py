"""Checks of whole passes: shapes, padding, the batch, order and gradients.

Each check takes a subject and returns a finding, or raises `NotApplicable`. The name of a check is
that of its function. Figures are differences of hidden states relative to their root mean square.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from suite.api import Form
from suite.worker.conformance.gradients import differentiate
from suite.worker.conformance.subjects import Subject

EQUAL = 1e-5
"""The largest difference of hidden states that are equal but for rounding in float32."""
DIFFERENT = 1e-3
"""The least difference of hidden states that differ."""
WITHOUT_GRADIENT = "key/bias"
"""The bias of attention keys adds one number to all scores of a query: it has no gradient."""


class NotApplicable(Exception):
    """A check does not apply to a subject; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A measured figure and its bounds, both included; `reason` explains a failure."""

    figure: float
    low: float | None = None
    high: float | None = None
    reason: str = ""


Check = Callable[[Subject], Finding]


def shape_is_batch_length_width(subject: Subject) -> Finding:
    """Hidden states have the shape (batch, length, width), and are finite."""
    values = subject.values(2)
    if subject.form is Form.DECODER:
        found = subject.decode(values)
    else:
        found = subject.encode(values, np.ones(subject.mask.shape, bool))
    expected = (2, subject.length, subject.request.model_size.width)
    if found.shape != expected:
        return Finding(1.0, high=0.0, reason=f"the shape is {found.shape} instead of {expected}")
    return Finding(float(np.sum(~np.isfinite(found))), high=0.0, reason="values are not finite")


def longer_sequences_run(subject: Subject) -> Finding:
    """A sequence of twice the training length runs, unless the length is declared fixed."""
    if reason := subject.architecture.fixed_length_reason(subject.request):
        raise NotApplicable(f"it {reason}")
    length = 2 * subject.length
    values = subject.values(1, length=length)
    if subject.form is Form.DECODER:
        found = subject.decode(values)
    else:
        found = subject.encode(values, np.ones((1, length), bool))
    expected = (1, length, subject.request.model_size.width)
    if found.shape != expected:
        return Finding(1.0, high=0.0, reason=f"the shape is {found.shape} instead of {expected}")
    return Finding(float(np.sum(~np.isfinite(found))), high=0.0, reason="values are not finite")


def padding_does_not_leak(subject: Subject) -> Finding:
    """Other values at padded positions change no real position."""
    mask, values = subject.mask, subject.values(2)
    others = values.copy()
    others[0, subject.real :] = subject.values(1, seed=9)[0, subject.real :]
    first, second = subject.encode(values, mask), subject.encode(others, mask)
    return Finding(difference(second[mask], first[mask]), high=EQUAL)


def adding_padding_changes_nothing(subject: Subject) -> Finding:
    """Padding after an example changes no real position."""
    architecture = subject.architecture
    for declaration in ("content_dependent_layout", "length_dependent_layout"):
        if getattr(architecture, declaration):
            raise NotApplicable(f"it declares {declaration}")
    real, values = subject.real, subject.values(1)
    mask = subject.mask[:1]
    padded = subject.encode(values, mask)[:, :real]
    return Finding(difference(padded, subject.encode(values[:, :real], mask[:, :real])), high=EQUAL)


def batch_members_do_not_mix(subject: Subject) -> Finding:
    """Each member of a batch has the hidden states that it has alone."""
    values, mask = subject.values(3), np.ones((3, subject.length), bool)
    together = subject.encode(values, mask)
    alone = [subject.encode(values[i : i + 1], mask[:1]) for i in range(3)]
    return Finding(difference(together, np.concatenate(alone)), high=EQUAL)


def order_matters(subject: Subject) -> Finding:
    """The reversed input has other hidden states than the reversed ones of the input."""
    if subject.architecture.control:
        raise NotApplicable("it is a control")
    values, mask = subject.values(1), np.ones((1, subject.length), bool)
    forward = subject.encode(values, mask)
    backward = subject.encode(values[:, ::-1], mask)[:, ::-1]
    return Finding(difference(backward, forward), low=DIFFERENT, reason="the order is ignored")


def gradients_reach_every_weight(subject: Subject) -> Finding:
    """Each trainable weight has a gradient that is not zero."""
    size = subject.request.model_size
    values, mask = subject.values(2), np.ones((2, subject.length), bool)
    aim = np.random.default_rng(5).normal(size=(2, subject.length, size.width)).astype("float32")

    def loss() -> Any:
        states = _trained_states(subject, values, mask)
        return ops.sum(states * ops.convert_to_tensor(aim))

    weights = subject.backbone.trainable_weights
    _, gradients = differentiate(loss, [], weights)
    missing = [
        weight.path
        for weight, gradient in zip(weights, gradients, strict=True)
        if not weight.path.endswith(WITHOUT_GRADIENT)
        and (gradient is None or not np.abs(gradient).max() > 0)
    ]
    reason = f"no gradient: {', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}"
    return Finding(float(len(missing)), high=0.0, reason=reason)


def _trained_states(subject: Subject, values: np.ndarray, mask: np.ndarray) -> Any:
    """Return the hidden states of a training pass through the whole backbone."""
    backbone, encoded = subject.backbone, {}
    if subject.form is not Form.DECODER:
        states, _ = backbone.encode(values, padding_mask=mask, training=True)
        if subject.form is Form.ENCODER:
            return states[:, subject.extra_positions :]
        encoded = {"encoder_output": states, "encoder_mask": mask}
    return backbone.decode(values, training=True, **encoded)[0]


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference, relative to the root mean square of the expected."""
    scale = float(np.sqrt(np.mean(np.square(expected, dtype="float64"))))
    largest = float(np.abs(found - expected).max())
    return largest / scale if scale else largest


OF_ENCODERS: Sequence[Check] = (
    padding_does_not_leak,
    adding_padding_changes_nothing,
    batch_members_do_not_mix,
    order_matters,
)
