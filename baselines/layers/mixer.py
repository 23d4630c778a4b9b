"""The declaration of a mixer of positions, of which patterns of layers consist.

At the top of a mixer's file, import the standard library and `suite.api` only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

from suite.api import BuildRequest, Form
from suite.api.options import Options

STACKS = {
    Form.ENCODER: (False,),
    Form.DECODER: (True,),
    Form.ENCODER_DECODER: (False, True),
}
"""Whether each stack of a form is causal."""


class Mixer(ABC):
    """A layer that mixes positions: its options, its sizes and costs, and the layer itself.

    A mixer gets the request of `layer_request`: one layer of a causal decoder or of an encoder,
    with the mixer's own options. All figures are those of this layer.
    """

    options: Options = {}
    """The options and their defaults."""
    has_heads: bool = False
    """Whether heads can be removed."""
    has_direction: bool = False
    """Whether the layer of an encoder reads the sequence from one end, so that layers alternate."""
    carries_state: bool = False
    """Whether the decoding state can be carried from one batch to the next."""

    def problem(self, request: BuildRequest) -> str | None:
        """Return why an option is invalid, or None. The reason continues "a mixer that …"."""
        return None

    def claimed_costs(self, request: BuildRequest) -> tuple[str, str]:
        """Return the claimed time and memory: see `Architecture.claimed_costs`."""
        return "n", "n"

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return "heads" if the layer has heads that cannot be removed, and otherwise nothing.

        A method removes heads of every layer that has some: one layer whose heads stay is enough.
        """
        return ()

    def norm_placement(self, request: BuildRequest) -> str:
        """Return the placement of the norms of a layer with this mixer."""
        return "before"

    @abstractmethod
    def count_weights(self, request: BuildRequest) -> int:
        """Return the number of weights, with or without biases: parity allows a tenth."""

    @abstractmethod
    def operations(self, request: BuildRequest) -> float:
        """Return the operations that mix positions: see `Architecture.mixing_operations`."""

    @abstractmethod
    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int) -> int:
        """Return the bytes of the decoding state: see `Architecture.state_bytes`."""

    @abstractmethod
    def layer(self, request: BuildRequest, backward: bool) -> Any:
        """Return the layer; with `backward`, it reads the sequence from its end.

        The layer has `call(hidden_states, padding_mask=None)`. In a decoder, it also has
        `init_state(batch_size, max_length)` and `decode_step(hidden_states, state, position)`.
        """


def layer_request(request: BuildRequest, causal: bool, options: Options) -> BuildRequest:
    """Return the request of one layer of a decoder, or of an encoder, with a mixer's options."""
    return replace(
        request,
        form=Form.DECODER if causal else Form.ENCODER,
        model_size=replace(request.model_size, num_layers=1),
        options=options,
    )


def value_and_key_widths(request: BuildRequest) -> tuple[int, int]:
    """Return the channels of values, all of the width, and those of keys, the `key_share` of it."""
    width = request.model_size.width
    return width, int(request.options["key_share"] * width)


def key_share_problem(request: BuildRequest) -> str | None:
    """Return why the heads do not divide the `key_share` of the width, or None."""
    share, size = request.options["key_share"], request.model_size
    keys = share * size.width / size.num_heads
    if keys >= 1 and keys == int(keys):
        return None
    return (
        "needs a key_share of the width that its heads divide; received: "
        f"key_share={share}, width={size.width}, num_heads={size.num_heads}. Use another share"
    )


def short_convolution_problem(request: BuildRequest) -> str | None:
    """Return why the kernel size of a short convolution is invalid, or None."""
    if (kernel_size := request.options["short_convolution"]) < 0:
        return f"needs a short_convolution of at least 0; received: {kernel_size}. Use 0 for none"
    return None


def largest_head_size(request: BuildRequest, width: int | None = None) -> int:
    """Return the largest divisor of the width that is at most the option `head_size`."""
    width = width or request.model_size.width
    largest = min(int(request.options["head_size"]), width)
    return next(size for size in range(largest, 0, -1) if width % size == 0)
