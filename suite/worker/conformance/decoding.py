"""Checks of decoders: causality, decoding in steps, order, and the padding of the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import keras
import numpy as np
from keras import ops

from suite.api import Form
from suite.worker.conformance.passes import (
    DIFFERENT,
    EQUAL,
    ROUNDED,
    Check,
    Finding,
    NotApplicable,
    difference,
    differences,
    worst,
)
from suite.worker.conformance.subjects import BLOCK, LENGTH, VOCABULARY, Subject
from suite.worker.measure.memory import count_bytes

LAYOUT = "it declares content_dependent_layout"
ROUNDINGS = 2.0**-22
"""Two units in the last place of float32, relative to the number."""
CONTEXT, NUM_GENERATED = 5, 8
ROWS = 37
"""The targets of one pass that looks for look-ahead; 7 passes of 37 try 258 positions."""


def no_look_ahead(subject: Subject) -> Finding:
    """Other tokens from any position on change no earlier position, and change the later ones.

    Nor does padding from a position on.
    """
    if subject.architecture.content_dependent_layout:
        raise NotApplicable(LAYOUT)
    target, length = subject.values(1), subject.length
    whole = _decode_alike(subject, target)[0]
    padded = subject.decode(target, padding_mask=subject.mask[:1], **_source_of_first(subject, 1))
    before = difference(padded[0, : subject.real], whole[: subject.real])
    leaks = {"padding changes earlier positions": before}
    for first in range(1, length, ROWS):
        starts = range(first, min(first + ROWS, length))
        is_changed = np.arange(length)[None] >= np.array(starts)[:, None]
        tokens = np.where(is_changed, (target + 1) % VOCABULARY, target)
        for start, other in zip(starts, _decode_alike(subject, tokens), strict=True):
            leaks[f"position {start} changes earlier positions"] = difference(
                other[:start], whole[:start]
            )
            if not difference(other[start:], whole[start:]) > DIFFERENT:
                return Finding(float("nan"), high=EQUAL, reason="other tokens change no position")
    return worst(leaks)


def _decode_alike(subject: Subject, tokens: np.ndarray) -> np.ndarray:
    """Return the hidden states of targets that all have the first source, if there is one."""
    return subject.decode(tokens, **_source_of_first(subject, len(tokens)))


def _source_of_first(subject: Subject, count: int) -> dict[str, np.ndarray]:
    """Return the first source, if there is one, as that of `count` targets."""
    return {name: np.repeat(part[:1], count, axis=0) for name, part in subject.encoded.items()}


def decoding_in_steps_equals_the_full_pass(subject: Subject) -> Finding:
    """Decoding with a state, in parts of one position and of several, equals the full pass.

    Another target is decoded before: each decoding begins with a state of its own. Sums in another
    order may round otherwise: see `rounding`.
    """
    if subject.architecture.content_dependent_layout:
        raise NotApplicable(LAYOUT)
    if subject.architecture.part_dependent_layout and subject.length > LENGTH:
        raise NotApplicable("it declares part_dependent_layout")
    length, target = subject.length, subject.values()
    edges = [edge + shift for edge in range(BLOCK, length, BLOCK) for shift in (-1, 0, 1)]
    stops = sorted({1, 2, 7, 8, *edges, length})
    decode_in_steps(subject, subject.values(seed=7), [1, 2])
    states, whole = decode_in_steps(subject, target, stops), subject.decode(target)
    by_position = differences(states, whole).max(axis=(0, 2))
    high = EQUAL
    if by_position.max() > high:
        high = min(ROUNDED, max(EQUAL, rounding(subject)))
    reason = f"the first wrong position is {np.argmin(by_position <= high)}"
    return Finding(float(by_position.max()), high=high, reason=reason)


def rounding(subject: Subject) -> float:
    """Return how far hidden states move if each weight moves by `ROUNDINGS` of float32.

    On TensorFlow, decoding in steps moves those of built-in recurrences by at most a quarter of it.
    """
    generator, moved = np.random.default_rng(8), Subject(subject.architecture, subject.request)
    for weight in moved.backbone.trainable_weights:
        value = ops.convert_to_numpy(weight)
        signs = generator.choice([-1, 1], size=value.shape)
        weight.assign((value * (1 + ROUNDINGS * signs)).astype(value.dtype))
    target = subject.values()
    return difference(moved.decode(target, **subject.encoded), subject.decode(target))


def decode_in_steps(subject: Subject, target: np.ndarray, stops: Sequence[int]) -> np.ndarray:
    """Return the hidden states of a decoding with a state, in parts that end at `stops`."""
    backbone, encoded = subject.backbone, subject.projected
    state, parts = backbone.init_state(len(target), subject.length), []
    for start, stop in pairwise([0, *stops]):
        states, state = backbone.decode(
            target[:, start:stop], state=state, position=start, **encoded
        )
        parts.append(ops.convert_to_numpy(states))
    return np.concatenate(parts, axis=1)


def generated_tokens_equal_a_full_recomputation(subject: Subject) -> Finding:
    """Greedy tokens with a state equal those of passes over the whole sequence.

    The context is read at once, and each token is then computed with the state. A pass over all of
    them shows what each recomputation chooses, because no position depends on later ones.
    """
    if subject.architecture.content_dependent_layout:
        raise NotApplicable(LAYOUT)
    backbone, encoded = subject.backbone, dict(subject.encoded)
    context, length = CONTEXT, min(subject.length, CONTEXT + NUM_GENERATED)
    tokens = subject.values(seed=5)
    width = subject.request.model_size.width
    scores = np.random.default_rng(6).normal(size=(width, VOCABULARY)).astype("float32")
    state = backbone.init_state(len(tokens), length)
    for start, stop in ((0, context), *((i, i + 1) for i in range(context, length - 1))):
        states, state = backbone.decode(
            tokens[:, start:stop], state=state, position=start, **encoded
        )
        newest = ops.convert_to_numpy(states)[:, -1] @ scores
        tokens[:, stop] = newest.argmax(axis=-1)
    chosen = (subject.decode(tokens) @ scores).argmax(axis=-1)
    wrong = chosen[:, context - 1 : length - 1] != tokens[:, context:length]
    return Finding(float(wrong.mean()), high=0.0, reason="other tokens than by recomputation")


def the_state_has_its_declared_size(subject: Subject) -> Finding:
    """The arrays of the state have the bytes that the architecture declares."""
    form, length = subject.form, subject.length
    value_bytes = np.dtype(keras.config.dtype_policy().compute_dtype).itemsize
    declared = subject.architecture.state_bytes(subject.request, length, value_bytes)
    if declared is None:
        raise NotApplicable("it declares no size of its decoding state")
    state = [subject.backbone.init_state(1, length)]
    if form is Form.ENCODER_DECODER:
        output = subject.projected["encoder_output"]
        state.append(keras.tree.map_structure(lambda part: part[:1], output))
    counted = count_bytes(keras.tree.flatten(state))
    return Finding(
        float(abs(counted - declared)), high=0.0, reason=f"{counted:,} of {declared:,} bytes"
    )


def order_matters(subject: Subject) -> Finding:
    """Exchanging two neighbouring tokens changes the position after them."""
    if subject.architecture.control:
        raise NotApplicable("it is a control")
    target = subject.values()
    target[:, -3:-1] = 1, 2
    exchanged = target.copy()
    exchanged[:, -3:-1] = 2, 1
    states = [subject.decode(tokens)[:, -1] for tokens in (exchanged, target)]
    return Finding(difference(*states), low=DIFFERENT, reason="the order is ignored")


def padding_of_the_source_does_not_leak(subject: Subject) -> Finding:
    """Other values at padded positions of the encoder's output change nothing; real ones do."""
    target, states = subject.values(), {}
    mask, output = subject.encoded["encoder_mask"], subject.encoded["encoder_output"]
    for is_real in (True, False):
        other = np.where((mask == is_real)[:, :, None], 9.0, output).astype("float32")
        states[is_real] = subject.decode(target, encoder_output=other)
    whole = subject.decode(target)
    if not (subject.architecture.control or difference(states[True], whole) > DIFFERENT):
        return Finding(float("nan"), high=EQUAL, reason="the source changes no position")
    return Finding(difference(states[False], whole), high=EQUAL)


OF_DECODERS: Sequence[Check] = (
    no_look_ahead,
    decoding_in_steps_equals_the_full_pass,
    generated_tokens_equal_a_full_recomputation,
    the_state_has_its_declared_size,
    order_matters,
)
CHECKS: Mapping[Form, Sequence[Check]] = {
    Form.ENCODER: (),
    Form.DECODER: OF_DECODERS,
    Form.ENCODER_DECODER: (padding_of_the_source_does_not_leak, *OF_DECODERS),
}
"""The checks of the decoder of each form."""
