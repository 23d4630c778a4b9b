"""Subjects of the checks: small backbones with random weights, and random inputs for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from suite.api import Architecture, BuildRequest, Form, Inputs, ModelSize, Options, supports
from suite.api.errors import Unsupported
from suite.worker.conformance.gradients import create_weights, run

SIZE = ModelSize("conformance", num_layers=2, width=16, num_heads=2, feedforward_width=48)
LENGTH, SHORT = 19, 6
LARGER = ModelSize("conformance", num_layers=2, width=64, num_heads=4, feedforward_width=192)
LONGER, LONGEST = 64, 256
LONG, BLOCK = 259, 64
"""The length of a long pass, and the positions of the blocks and chunks that it crosses."""
PADDED = (
    *("padding on the right", "padding on the left", "padding in the middle"),
    *("padding at every second position", "no padding"),
)
"""The padding of each example of a batch."""
BATCH = len(PADDED)
VOCABULARY = 37
PATCH_SIZE = 12
SEED = 3

Pass = Callable[..., Any]


class Whole(keras.layers.Layer):
    """A pass as a model calls it: layers inside learn from Keras whether they train."""

    def __init__(self, function: Pass) -> None:
        super().__init__()
        self.function = function

    def call(self, inputs: list[Any], training: bool | None = None) -> Any:
        """Return the result of the function for its inputs, of which some may be None."""
        return self.function(*inputs, training=training)


class Case(NamedTuple):
    """A form with a kind of inputs, at the length that its requests have if they can."""

    form: Form
    inputs: Inputs
    length: int = LENGTH

    @property
    def name(self) -> str:
        """The name of the case, such as "encoder, token_ids" or "decoder, 259 positions"."""
        parts: list[str] = [self.form]
        if self.length != LENGTH:
            parts.append(f"{self.length} positions")
        elif self.form is Form.ENCODER:
            parts.append(self.inputs)
        return ", ".join(parts)


def shorten(options: Options, length: int = LENGTH) -> dict[str, Any]:
    """Return options whose windows, kernels and segments are shorter than the sequence.

    Odd numbers stay odd and even ones even, because windows and kernels need one of the two.
    """
    longest, short = (LENGTH, SHORT) if length == LENGTH else (BLOCK, BLOCK)

    def shortened(value: Any) -> Any:
        if isinstance(value, list):
            return [shortened(item) for item in value]
        return short + value % 2 if type(value) is int and value > longest else value

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


def find_request(
    architecture: Architecture, form: Form, inputs: Inputs, length: int = LENGTH
) -> BuildRequest:
    """Return the smallest request of a form that an architecture supports, or raise `Unsupported`.

    A length of 19 or 259 is a multiple of no window. An architecture that needs a multiple or a
    longer sequence gets multiples of 64. Windows are short, so that a pass crosses several.
    Decoders keep their default options if they can: short segments would change the result of
    decoding in parts.
    """
    default = dict(architecture.options)
    choices = [shorten(default, length), default]
    if form is not Form.ENCODER:
        choices.reverse()
    multiples = (LONGER, LONGEST) if length == LENGTH else (LONGEST + BLOCK, 2 * LONGEST)
    reasons = []
    for size, tried in ((SIZE, length), *((LARGER, multiple) for multiple in multiples)):
        for options in choices:
            settings = {"form": form, "model_size": size, "sequence_length": tried}
            request = request_for(architecture, inputs, options=options, **settings)
            reason = supports(architecture, request)
            if reason is None:
                return request
            reasons.append(reason)
    raise Unsupported(f"{architecture.title} {reasons[0]}")


def main_inputs(architecture: Architecture) -> Inputs:
    """Return token ids, or else the first kind of inputs that the architecture accepts."""
    return next(inputs for inputs in Inputs if inputs in architecture.inputs)


def cases_of(architecture: Architecture) -> Iterator[Case]:
    """Yield each form with each kind of inputs, then at a long length; decoders read token ids."""
    for form in sorted(architecture.forms):
        kinds = Inputs if form is Form.ENCODER else (Inputs.TOKEN_IDS,)
        accepted = [inputs for inputs in kinds if inputs in architecture.inputs]
        yield from (Case(form, inputs) for inputs in accepted)
        yield from (Case(form, inputs, LONG) for inputs in accepted[:1])


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

    `passes` holds functions of tensors. They stay the same objects, so that JAX compiles each once
    per shape. A layer around each pass tells the layers inside whether they train. In the
    encoder-decoder form, `encoded` holds the encoder's output and its mask, as arguments of
    `decode`.
    """

    def __init__(self, architecture: Architecture, request: BuildRequest) -> None:
        self.architecture = architecture
        self.request = request
        self.form, self.length = request.form, request.sequence_length
        keras.utils.set_random_seed(SEED)
        self.backbone = architecture.build(request)
        self.passes: dict[tuple[Pass, bool], Pass] = {}
        create_weights(self._pass(self._compute), self.values(), self.mask)
        self.encoded: dict[str, np.ndarray] = {}
        if self.form is Form.ENCODER_DECODER:
            output = self.encode(self.values(seed=4), self.mask)
            self.encoded = {"encoder_output": output, "encoder_mask": self.mask}

    @property
    def real(self) -> int:
        """The number of real positions of the first example, which is padded on the right."""
        return 3 * self.length // 4

    @property
    def mask(self) -> np.ndarray:
        """The padding mask of a batch.

        Padding is on the right, on the left, in the middle, at every second position, and nowhere.
        At the long length, the left and the middle one cover whole blocks.
        """
        length, positions = self.length, np.arange(self.length)
        middle = (positions >= length // 5) & (positions < 4 * length // 5)
        masks = (
            positions < self.real,
            positions >= length // 2,
            ~middle,
            positions % 2 == 0,
            positions >= 0,
        )
        return np.stack(masks)

    @property
    def projected(self) -> dict[str, np.ndarray]:
        """The arguments `encoded` as decoding steps take them: projected once if possible."""
        project = getattr(self.backbone, "project_encoder_output", None)
        if not self.encoded or project is None:
            return dict(self.encoded)
        return {**self.encoded, "encoder_output": project(self.encoded["encoder_output"])}

    def values(self, batch: int = BATCH, seed: int = 0, length: int | None = None) -> np.ndarray:
        """Return random inputs of the request's kind and, by default, of its length."""
        width = self.request.model_size.width
        return random_inputs(self.request.inputs, batch, length or self.length, seed, width)

    def compute(self, values: Any, mask: Any = None, training: bool = False) -> Any:
        """Return the hidden states of a whole pass over tensors, without extra positions."""
        return self._pass(self._compute, training)(values, mask)

    def _compute(self, values: Any, mask: Any, training: bool) -> Any:
        """Return the hidden states of a whole pass.

        An encoder-decoder reads the values as its source and as its target.
        """
        given = {"padding_mask": mask, "training": training}
        if self.form is Form.DECODER:
            return self.backbone.decode(values, **given)[0]
        states = self.backbone.encode(values, **given)[0]
        if self.form is Form.ENCODER:
            return states[:, self.extra_positions :]
        encoded = {"encoder_output": states, "encoder_mask": mask}
        return self.backbone.decode(values, **encoded, **given)[0]

    def _encode(self, values: Any, mask: Any, training: bool) -> Any:
        states = self.backbone.encode(values, padding_mask=mask, training=training)[0]
        return states[:, self.extra_positions :]

    def _decode(
        self, target: Any, output: Any, encoder_mask: Any, mask: Any, training: bool
    ) -> Any:
        given = {} if output is None else {"encoder_output": output, "encoder_mask": encoder_mask}
        if mask is not None:
            given["padding_mask"] = mask
        return self.backbone.decode(target, training=training, **given)[0]

    def _pass(self, function: Pass, training: bool = False) -> Pass:
        if (function, training) not in self.passes:
            whole = Whole(function)
            self.passes[function, training] = lambda *inputs: whole([*inputs], training=training)
        return self.passes[function, training]

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Set the weights that no training changes back at the end, seeds among them.

        Numbers that the backend draws without such a seed are the same each time, too.
        """
        keras.utils.set_random_seed(SEED)
        kept = self.backbone.non_trainable_variables
        values = [ops.convert_to_numpy(variable) for variable in kept]
        yield
        for variable, value in zip(kept, values, strict=True):
            variable.assign(value)

    @property
    def extra_positions(self) -> int:
        """The positions that the backbone puts before those of the input."""
        return getattr(self.backbone, "extra_positions", 0)

    def states(
        self,
        values: np.ndarray,
        mask: np.ndarray | None = None,
        *,
        training: bool = False,
        compiled: bool | None = None,
    ) -> np.ndarray:
        """Return the hidden states of a whole pass; by default, every position is real."""
        mask = np.ones(values.shape[:2], bool) if mask is None else mask
        return run(self._pass(self._compute, training), values, mask, compiled=compiled)

    def encode(self, values: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """Return the encoder's hidden states of the input's positions."""
        mask = np.ones(values.shape[:2], bool) if mask is None else mask
        return run(self._pass(self._encode), values, mask)

    def decode(self, target: np.ndarray, **given: np.ndarray) -> np.ndarray:
        """Return the decoder's hidden states of a target, by default for `self.encoded`.

        Without a `padding_mask`, the decoder gets none.
        """
        given = {**self.encoded, **given}
        parts = (given.get(key) for key in ("encoder_output", "encoder_mask", "padding_mask"))
        return run(self._pass(self._decode), target, *parts)
