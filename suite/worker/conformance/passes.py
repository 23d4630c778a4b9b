"""Checks of whole passes: shapes, padding, the batch, repetition, training, precision, gradients.

Each check takes a subject and returns a finding, or raises `NotApplicable`. The name of a check is
that of its function. Figures are differences of hidden states relative to their root mean square.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from suite.api import Form
from suite.worker.conformance.gradients import BACKEND, differentiate
from suite.worker.conformance.subjects import BATCH, PADDED, Subject
from suite.worker.steps import default_policy

EQUAL = 1e-5
"""The largest difference of hidden states that are equal but for rounding in float32."""
ROUNDED = 1e-4
"""The largest difference where a compiler, decoding or another batch takes the same sums in another
order."""
DIFFERENT = 1e-3
"""The least difference of hidden states that differ."""
NEAR = 0.1
"""The largest distance of a median position in half precision, relative to its size in float32."""
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
    return _has_shape(subject, subject.states(subject.values()), subject.length)


def longer_sequences_run(subject: Subject) -> Finding:
    """A sequence of twice the training length runs, unless the length is declared fixed."""
    if reason := subject.architecture.fixed_length_reason(subject.request):
        raise NotApplicable(f"it {reason}")
    length = 2 * subject.length
    values = subject.values(1, length=length)
    decodes = subject.form is Form.DECODER
    return _has_shape(
        subject, subject.decode(values) if decodes else subject.encode(values), length
    )


def _has_shape(subject: Subject, states: np.ndarray, length: int) -> Finding:
    expected = (len(states), length, subject.request.model_size.width)
    if states.shape != expected:
        return Finding(1.0, high=0.0, reason=f"the shape is {states.shape} instead of {expected}")
    return Finding(float(np.sum(~np.isfinite(states))), high=0.0, reason="values are not finite")


def padding_does_not_leak(subject: Subject) -> Finding:
    """Other values at padded positions change no real position, in training neither."""
    mask, values = subject.mask, subject.values()
    given = mask if values.ndim == 2 else mask[:, :, None]
    others = np.where(given, values, subject.values(seed=9))
    leaks = {}
    for training in (False, True):
        states = []
        for each in (values, others):
            with subject.restored():  # both passes in training draw the same numbers
                states.append(subject.states(each, mask, training=training))
        for name, real, *pair in zip(PADDED, mask, *states, strict=True):
            reason = f"{name}, in training" if training else name
            leaks[reason] = difference(*(part[real] for part in pair))
    return worst(leaks)


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
    """Each member of a batch has the hidden states that it has alone, but for rounding."""
    values, mask = subject.values(), subject.mask
    together = subject.states(values, mask)
    figures = {}
    for row, (name, real) in enumerate(zip(PADDED, mask, strict=True)):
        alone = subject.states(values[row : row + 1], mask[row : row + 1])[0]
        mixed = difference(together[row, real], alone[real])
        figures[f"example {row + 1} of {len(mask)}, {name}"] = mixed
    return worst(figures, high=ROUNDED)


def order_matters(subject: Subject) -> Finding:
    """The reversed input has other hidden states than the reversed ones of the input."""
    if subject.architecture.control:
        raise NotApplicable("it is a control")
    values = subject.values(1)
    forward, backward = subject.encode(values), subject.encode(values[:, ::-1])[:, ::-1]
    return Finding(difference(backward, forward), low=DIFFERENT, reason="the order is ignored")


def the_same_call_gives_the_same(subject: Subject) -> Finding:
    """A call has the same result again, after others and at once, in training too.

    In training, a layout that depends on the content may be drawn anew for each call.
    """
    mask, values, others = subject.mask, subject.values(), subject.values(seed=8)

    def call(inputs: np.ndarray, training: bool) -> np.ndarray:
        states: np.ndarray = subject.states(inputs, mask, training=training)[mask]
        return states

    figures, first = [], {}
    for training in (False, True):
        first[training] = call(values, training)
        call(others, training)
        again = [call(values, training) for _ in range(2)]
        if not (training and subject.architecture.content_dependent_layout):
            figures += [difference(each, first[training]) for each in again]
    figures.append(difference(call(values, False), first[False]))
    reason = "a call changes a later one, or draws numbers"
    return Finding(float(np.max(figures)), high=EQUAL, reason=reason)


def training_equals_evaluation(subject: Subject) -> Finding:
    """Without dropout, a pass in training has the hidden states of evaluation."""
    if subject.architecture.content_dependent_layout:
        raise NotApplicable("it declares content_dependent_layout: training may draw another")
    mask, values = subject.mask, subject.values()
    states = [subject.states(values, mask, training=mode)[mask] for mode in (True, False)]
    reason = "dropout that the request lacks, statistics of the batch, or another rule in training"
    return Finding(difference(*states), high=EQUAL, reason=reason)


def compiled_equals_eager(subject: Subject) -> Finding:
    """A compiled pass has the hidden states of separate operations."""
    if BACKEND == "torch":
        raise NotApplicable("PyTorch runs separate operations")
    mask, values = subject.mask, subject.values()
    states = [subject.states(values, mask, compiled=mode)[mask] for mode in (True, False)]
    return Finding(difference(*states), high=ROUNDED)


def bfloat16_is_near_float32(subject: Subject) -> Finding:
    """In mixed bfloat16, hidden states are finite and near those in float32."""
    return near_float32(subject, "mixed_bfloat16")


def near_float32(subject: Subject, policy: str) -> Finding:
    """Return how far the hidden states of a dtype policy are from those in float32.

    The figure is that of the median position: rounding may change the layout of a few.
    """
    mask, values = subject.mask, subject.values()
    with default_policy(policy):  # the same seed gives the same weights, in float32
        rounded = Subject(subject.architecture, subject.request).states(values, mask)
    if not np.isfinite(rounded.astype("float32")).all():
        return Finding(float("nan"), high=NEAR, reason="values are not finite")
    exact, near = subject.states(values, mask)[mask], rounded.astype("float32")[mask]
    distances = np.linalg.norm(near - exact, axis=-1) / np.linalg.norm(exact, axis=-1)
    return Finding(float(np.median(distances)), high=NEAR)


def gradients_reach_every_weight(subject: Subject) -> Finding:
    """Each trainable weight has a gradient that is not zero."""
    size = subject.request.model_size
    values, mask = subject.values(), np.ones((BATCH, subject.length), bool)
    aim = np.random.default_rng(5).normal(size=(*mask.shape, size.width)).astype("float32")

    def loss() -> Any:
        states = subject.compute(values, mask, training=True)
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


def worst(figures: Mapping[str, float], high: float = EQUAL) -> Finding:
    """Return the finding of the largest of some differences, by reason; NaN is the largest."""
    reason = max(figures, key=lambda each: np.nan_to_num(figures[each], nan=np.inf))
    return Finding(figures[reason], high=high, reason=reason)


def difference(states: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference, relative to the root mean square of the expected."""
    return float(differences(states, expected).max())


def differences(states: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return the differences, relative to the root mean square of the expected."""
    scale = np.sqrt(np.mean(np.square(expected, dtype="float64")))
    relative: np.ndarray = np.abs(states - expected) / (scale or 1.0)
    return relative


OF_EVERY_FORM: Sequence[Check] = (
    padding_does_not_leak,
    batch_members_do_not_mix,
    the_same_call_gives_the_same,
    training_equals_evaluation,
    compiled_equals_eager,
    bfloat16_is_near_float32,
    gradients_reach_every_weight,
)
"""The checks of whole passes, beside those of shapes."""
OF_ENCODERS: Sequence[Check] = (adding_padding_changes_nothing, order_matters)
