"""Sizes of decoding states in bytes, from the published formulas. Standard library only."""

from __future__ import annotations

from suite.api import BuildRequest, Form

FLOAT32_BYTES = 4
"""The bytes of a number of a recurrent state, in every precision."""


def key_value_bytes(
    request: BuildRequest, places: int, value_bytes: int, num_heads: int | None = None
) -> int:
    """Return the bytes of the keys and values of all layers, at a number of places each.

    `num_heads` is the number of heads of keys and values, by default all.
    """
    size = request.model_size
    shared = size.num_heads if num_heads is None else num_heads
    width = shared * (size.width // size.num_heads)
    return size.num_layers * 2 * width * places * value_bytes


def convolution_bytes(channels: int, kernel_size: int, value_bytes: int) -> int:
    """Return the bytes of the last inputs that a `ShortConvolution` keeps."""
    return max(0, kernel_size - 1) * channels * value_bytes


def source_bytes(request: BuildRequest, value_bytes: int, num_heads: int | None = None) -> int:
    """Return the bytes of the keys and values of the encoder's output that each layer keeps."""
    if request.form is not Form.ENCODER_DECODER:
        return 0
    return key_value_bytes(request, request.sequence_length, value_bytes, num_heads)


def full_attention_bytes(
    request: BuildRequest,
    max_length: int,
    value_bytes: int,
    *,
    num_heads: int | None = None,
    window: int | None = None,
    num_sinks: int = 0,
) -> int:
    """Return the state of attention to all positions, or to a window and the first positions."""
    places = max_length if window is None else num_sinks + min(window, max_length)
    own = key_value_bytes(request, places, value_bytes, num_heads)
    return own + source_bytes(request, value_bytes, num_heads)
