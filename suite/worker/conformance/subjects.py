"""Subjects of the checks: small backbones with random weights, and random inputs for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import keras
import numpy as np

from suite.api import Architecture, BuildRequest, Form, Inputs, ModelSize, Options, supports
from suite.api.errors import Unsupported
from suite.worker.conformance.gradients import create_weights, run

SIZE = ModelSize("conformance", num_layers=2, width=16, num_heads=2, feedforward_width=48)
LENGTH = 19
LARGER = ModelSize("conformance", num_layers=2, width=64, num_heads=4, feedforward_width=192)
LONGER, LONGEST = 64, 256
SHORT = 6
VOCABULARY = 37
PATCH_SIZE = 12
SEED = 3

Pass = Callable[..., Any]


def shorten(options: Options) -> dict[str, Any]:
    """Return options whose windows, kernels and segments are shorter than the sequence.

    Odd numbers stay odd and even ones even, because windows and kernels need one of the two.
    """

    def shortened(value: Any) -> Any:
        if isinstance(value, list):
            return [shortened(item) for item in value]
        return SHORT + value % 2 if type(value) is int and value > LENGTH else value

    return {name: shortened(value) for name, value in options.items()}


def request_for(architecture: Architecture, inputs: Inputs, **changes: Any) -> BuildRequest:
    """Return a request of the smallest size, with short windows where these are supported."""
    given = {
        "form": Form.ENCODER,
        "inputs": inputs,
        "model_size": SIZE,
        "sequence_length": LENGTH,
        "options": shorten(architecture.options),
        "vocabulary_size": VOCABULARY if inputs is Inputs.TOKEN_IDS else None,
    }
    request = BuildRequest(**{**given, **changes})
    if "options" not in changes and supports(architecture, request):
        return replace(request, options=dict(architecture.options))
    return request


def find_request(architecture: Architecture, form: Form, inputs: Inputs) -> BuildRequest:
    """Return the smallest request of a form that an architecture supports.

    A length of 19 is a multiple of no window. An architecture that needs a multiple or a longer
    sequence gets 64 or 256. Windows are short, so that a pass crosses several. Decoders keep their
    default options if they can: short segments would change the result of decoding in parts.

    Raises:
        Unsupported: the architecture supports none of the requests.
    """
    default = dict(architecture.options)
    choices = [shorten(default), default]
    if form is not Form.ENCODER:
        choices.reverse()
    reasons = []
    for size, length in ((SIZE, LENGTH), (LARGER, LONGER), (LARGER, LONGEST)):
        for options in choices:
            settings = {"form": form, "model_size": size, "sequence_length": length}
            request = request_for(architecture, inputs, options=options, **settings)
            reason = supports(architecture, request)
            if reason is None:
                return request
            reasons.append(reason)
    raise Unsupported(f"{architecture.title} {reasons[0]}")


def main_inputs(architecture: Architecture) -> Inputs:
    """Return token ids, or else the first kind of inputs that the architecture accepts."""
    return next(inputs for inputs in Inputs if inputs in architecture.inputs)


def cases_of(architecture: Architecture) -> Iterator[tuple[Form, Inputs]]:
    """Yield each form with each kind of inputs; decoders read token ids."""
    for form in sorted(architecture.forms):
        for inputs in Inputs if form is Form.ENCODER else (Inputs.TOKEN_IDS,):
            if inputs in architecture.inputs:
                yield form, inputs


def random_inputs(
    inputs: Inputs, batch: int, length: int, seed: int = 0, width: int = SIZE.width
) -> np.ndarray:
    """Return random token ids (batch, length), or vectors (batch, length, width)."""
    generator = np.random.default_rng(seed)
    if inputs is Inputs.TOKEN_IDS:
        return generator.integers(VOCABULARY, size=(batch, length)).astype("int32")
    width = PATCH_SIZE if inputs is Inputs.PATCHES else width
    return generator.normal(size=(batch, length, width)).astype("float32")


class Subject:
    """A backbone of an architecture, built for a request, with its passes.

    `encoder` and `decoder` are the passes as functions of tensors. They stay the same objects, so
    that JAX compiles each once per shape. In the encoder-decoder form, `encoded` holds the
    encoder's output and its mask, as arguments of `decode`.
    """

    def __init__(self, architecture: Architecture, request: BuildRequest) -> None:
        self.architecture = architecture
        self.request = request
        self.form, self.length = request.form, request.sequence_length
        keras.utils.set_random_seed(SEED)
        self.backbone = architecture.build(request)
        self.encoded: dict[str, np.ndarray] = {}
        if self.form is not Form.DECODER:
            create_weights(self.encoder, self.values(2), self.mask)
        if self.form is Form.ENCODER_DECODER:
            output = self.encode(self.values(2, seed=4), self.mask)
            self.encoded = {"encoder_output": output, "encoder_mask": self.mask}
        if self.form is not Form.ENCODER:
            create_weights(self.decoder, self.values(2), *self.encoded.values())

    @property
    def case(self) -> str:
        """The name of the case, such as "encoder, token_ids"."""
        return f"{self.form}, {self.request.inputs}" if self.form is Form.ENCODER else self.form

    @property
    def real(self) -> int:
        """The number of real positions of a padded example."""
        return 3 * self.length // 4

    @property
    def mask(self) -> np.ndarray:
        """The padding mask of two examples, of which the first is padded."""
        return np.arange(self.length)[None, :] < np.array([[self.real], [self.length]])

    def values(self, batch: int, seed: int = 0, length: int | None = None) -> np.ndarray:
        """Return random inputs of the request's kind and, by default, of its length."""
        width = self.request.model_size.width
        return random_inputs(self.request.inputs, batch, length or self.length, seed, width)

    @cached_property
    def encoder(self) -> Pass:
        """The encoder's pass over inputs and their padding mask."""
        encode = self.backbone.encode
        return lambda values, mask: encode(values, padding_mask=mask, training=False)[0]

    @cached_property
    def decoder(self) -> Pass:
        """The decoder's pass over a target, and over the encoder's output and mask if any."""

        def decode(target: Any, *encoded: Any) -> Any:
            given = dict(zip(("encoder_output", "encoder_mask"), encoded, strict=False))
            return self.backbone.decode(target, training=False, **given)[0]

        return decode

    @property
    def extra_positions(self) -> int:
        """The positions that the backbone puts before those of the input."""
        return getattr(self.backbone, "extra_positions", 0)

    def encode(self, values: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return the hidden states of the input's positions, without extra positions."""
        return run(self.encoder, values, mask)[:, self.extra_positions :]

    def decode(self, target: np.ndarray, **encoded: np.ndarray) -> np.ndarray:
        """Return the hidden states of a target, by default for `self.encoded`."""
        return run(self.decoder, target, *{**self.encoded, **encoded}.values())
