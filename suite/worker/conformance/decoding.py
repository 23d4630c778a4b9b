"""Checks of decoders: causality, decoding in steps, order, and the padding of the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np
from keras import ops

from suite.api import Form
from suite.worker.conformance.passes import (
    DIFFERENT,
    EQUAL,
    Check,
    Finding,
    NotApplicable,
    difference,
)
from suite.worker.conformance.subjects import VOCABULARY, Subject
from suite.worker.measure.memory import count_bytes

LAYOUT = "it declares content_dependent_layout"
CONTEXT, NUM_GENERATED = 5, 8


def no_look_ahead(subject: Subject) -> Finding:
    """Other tokens from a position on change no earlier position, and change the later ones."""
    if subject.architecture.content_dependent_layout:
        raise NotApplicable(LAYOUT)
    target = subject.values(2)
    whole = subject.decode(target)
    leaks = []
    for position in (1, 7, subject.length - 1):
        changed = target.copy()
        changed[:, position:] = (changed[:, position:] + 1) % VOCABULARY
        other = subject.decode(changed)
        leaks.append(difference(other[:, :position], whole[:, :position]))
        if not difference(other[:, position:], whole[:, position:]) > DIFFERENT:
            return Finding(float("nan"), high=EQUAL, reason="other tokens change no position")
    return Finding(float(np.max(leaks)), high=EQUAL, reason="later tokens change earlier positions")


def decoding_in_steps_equals_the_full_pass(subject: Subject) -> Finding:
    """Decoding with a state, in parts of one position and of several, equals the full pass."""
    if subject.architecture.content_dependent_layout:
        raise NotApplicable(LAYOUT)
    backbone, encoded = subject.backbone, dict(subject.encoded)
    target = subject.values(2)
    whole = subject.decode(target)
    state = backbone.init_state(2, subject.length)
    if encoded and hasattr(backbone, "project_encoder_output"):
        projected = backbone.project_encoder_output(encoded["encoder_output"])
        encoded["encoder_output"] = projected
    differences = []
    for start, stop in ((0, 1), (1, 2), (2, 7), (7, 8), (8, subject.length)):
        part = target[:, start:stop]
        states, state = backbone.decode(part, state=state, position=start, **encoded)
        found = ops.convert_to_numpy(states)
        differences.append(difference(found, whole[:, start:stop]))
    return Finding(float(np.max(differences)), high=EQUAL)


def generated_tokens_equal_a_full_recomputation(subject: Subject) -> Finding:
    """Greedy tokens with a state equal those of passes over the whole sequence.

    The context is read at once, and each token is then computed with the state. A pass over all of
    them shows what each recomputation chooses, because no position depends on later ones.
    """
    if subject.architecture.content_dependent_layout:
        raise NotApplicable(LAYOUT)
    backbone, encoded = subject.backbone, dict(subject.encoded)
    context, length = CONTEXT, min(subject.length, CONTEXT + NUM_GENERATED)
    tokens = subject.values(2, seed=5)
    width = subject.request.model_size.width
    scores = np.random.default_rng(6).normal(size=(width, VOCABULARY)).astype("float32")
    state = backbone.init_state(2, length)
    for start, stop in ((0, context), *((at, at + 1) for at in range(context, length - 1))):
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
        source = subject.encoded["encoder_output"][:1]
        if hasattr(subject.backbone, "project_encoder_output"):
            source = subject.backbone.project_encoder_output(source)
        state.append(source)
    counted = count_bytes(keras.tree.flatten(state))
    return Finding(
        float(abs(counted - declared)), high=0.0, reason=f"{counted:,} of {declared:,} bytes"
    )


def batch_members_do_not_mix(subject: Subject) -> Finding:
    """Each member of a batch has the hidden states that it has alone."""
    target = subject.values(3)
    alone = [subject.decode(target[i : i + 1]) for i in range(3)]
    return Finding(difference(subject.decode(target), np.concatenate(alone)), high=EQUAL)


def order_matters(subject: Subject) -> Finding:
    """Exchanging two neighbouring tokens changes the position after them."""
    if subject.architecture.control:
        raise NotApplicable("it is a control")
    target = subject.values(2)  # as many as the encoder's outputs
    target[:, -3:-1] = 1, 2
    exchanged = target.copy()
    exchanged[:, -3:-1] = 2, 1
    found, expected = (subject.decode(tokens)[:, -1] for tokens in (exchanged, target))
    return Finding(difference(found, expected), low=DIFFERENT, reason="the order is ignored")


def padding_of_the_source_does_not_leak(subject: Subject) -> Finding:
    """Other values at padded positions of the encoder's output change nothing."""
    target = subject.values(2)
    mask, output = subject.encoded["encoder_mask"], subject.encoded["encoder_output"]
    other = np.where(mask[:, :, None], output, 9.0).astype("float32")
    found = subject.decode(target, encoder_output=other)
    return Finding(difference(found, subject.decode(target)), high=EQUAL)


OF_DECODERS: Sequence[Check] = (
    no_look_ahead,
    decoding_in_steps_equals_the_full_pass,
    generated_tokens_equal_a_full_recomputation,
    the_state_has_its_declared_size,
    order_matters,
)
CHECKS: Mapping[Form, Sequence[Check]] = {
    Form.ENCODER: (),
    Form.DECODER: (batch_members_do_not_mix, *OF_DECODERS),
    Form.ENCODER_DECODER: (padding_of_the_source_does_not_leak, *OF_DECODERS),
}
"""The checks of the decoder of each form."""
