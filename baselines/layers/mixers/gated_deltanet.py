"""The mixer of Gated DeltaNet: a state that decays and replaces the values of its keys.

Yang, Kautz and Hatamizadeh 2025, "Gated Delta Networks: Improving Mamba2 with Delta Rule".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from baselines.layers.flops import convolve_channels
from baselines.layers.mixer import Mixer, short_convolution_problem
from baselines.layers.state_sizes import FLOAT32_BYTES, convolution_bytes
from suite.api import BuildRequest
from suite.api.options import Options

CHUNK_LENGTH = 64
"""Positions in a chunk of the scan, as measured."""
EPSILON = 1e-6
KERNELS = 6
"""The kernels of a mixer have about 6 · width² numbers, as in the authors' code."""


class GatedDelta(Mixer):
    """The gated delta rule, with a mixer of the authors' size.

    With the default `expansion` 2, keys have 3/4 of the width in all heads together, and values
    `expansion` times as much. Heads of keys have `head_size` channels or a little less.
    `values_per_key` is the number of value heads that share a key head. `short_convolution`
    is the kernel size of the convolution; 0 means none. With `negative_eigenvalues`, β is between 0
    and 2 (Grazzi et al. 2025, "Unlocking State-Tracking in Linear RNNs Through Negative
    Eigenvalues").
    """

    options = {
        "expansion": 2,
        "head_size": 64,
        "values_per_key": 1,
        "short_convolution": 4,
        "negative_eigenvalues": False,
    }
    has_direction = True
    carries_state = True

    def problem(self, request: BuildRequest) -> str | None:
        """Return why an option is invalid, or None."""
        options = request.options
        names = "expansion", "head_size", "values_per_key"
        sizes = {name: options[name] for name in names}
        if min(sizes.values()) < 1:
            return f"needs sizes of at least 1; received: {sizes}. Use the defaults"
        unit, largest = _key_unit(options), round(_key_channels(request)[1])
        if unit > largest:
            return (
                f"has {largest} channels in a key head, whose values must divide into "
                f"values_per_key heads; received: values_per_key={options['values_per_key']}"
            )
        return short_convolution_problem(request)

    def count_weights(self, request: BuildRequest) -> int:
        """Return the number of weights in the kernels of both projections."""
        heads = _heads(request)
        units = 2 * heads.key_width + 3 * heads.value_width + 2 * heads.num_values
        return request.model_size.width * units

    def operations(self, request: BuildRequest) -> float:
        """Return the operations of convolution and scan: states, and comparisons in chunks.

        A chunk of c positions compares keys with keys and queries, inverts a triangular matrix (c³
        / 3), and multiplies the inverse with keys and values, and the weights with values. Each
        position is multiplied with the state three times.
        """
        length, heads = request.sequence_length, _heads(request)
        chunk = min(CHUNK_LENGTH, length)
        kernel_size = request.options["short_convolution"]
        convolution = convolve_channels(length, heads.convolved_width, kernel_size)
        states = 6.0 * heads.key_size * heads.value_width * length
        shared = heads.num_values * heads.key_size
        compared = 2 * heads.key_width + shared + 2 * heads.value_width
        comparisons = 2.0 * compared * length * (chunk + 1) / 2
        inverses = heads.num_values * length * chunk**2 / 3
        return float(convolution + states + comparisons + inverses)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int) -> int:
        """Return the bytes of the states, in float32, and of the convolutions' inputs."""
        heads, kernel_size = _heads(request), request.options["short_convolution"]
        inputs = convolution_bytes(heads.convolved_width, kernel_size, value_bytes)
        return inputs + heads.key_size * heads.value_width * FLOAT32_BYTES

    def layer(self, request: BuildRequest, backward: bool) -> Any:
        """Return the mixer."""
        from baselines.layers.gated_delta_mixer import GatedDeltaMixer

        heads, options = _heads(request), request.options
        return GatedDeltaMixer(
            heads.num_keys,
            heads.num_values,
            heads.key_size,
            heads.value_size,
            short_convolution=options["short_convolution"],
            negative_eigenvalues=options["negative_eigenvalues"],
            backward=backward,
            epsilon=EPSILON,
            chunk_length=CHUNK_LENGTH,
        )


@dataclass(frozen=True)
class _Heads:
    """The numbers and sizes of the heads of keys and of values."""

    num_keys: int
    num_values: int
    key_size: int
    value_size: int

    @property
    def key_width(self) -> int:
        return self.num_keys * self.key_size

    @property
    def value_width(self) -> int:
        return self.num_values * self.value_size

    @property
    def convolved_width(self) -> int:
        return 2 * self.key_width + self.value_width


def _key_channels(request: BuildRequest) -> tuple[int, float]:
    """Return the number of key heads, and their size before it is rounded.

    Queries, keys, values, gates and outputs then have 6 · width² numbers in their kernels.
    """
    options = request.options
    keys = KERNELS * request.model_size.width / (2 + 3 * options["expansion"])
    num_keys = max(1, -(-round(keys) // options["head_size"]))
    return num_keys, keys / num_keys


def _key_unit(options: Options) -> int:
    """Return the number that divides a key head, so that its values divide into value heads."""
    shared = int(options["values_per_key"])
    return shared // math.gcd(shared, options["expansion"])


def _heads(request: BuildRequest) -> _Heads:
    """Return the numbers and sizes of the heads."""
    num_keys, size = _key_channels(request)
    unit, shared = _key_unit(request.options), request.options["values_per_key"]
    key_size = unit * max(1, round(size / unit))
    value_size = request.options["expansion"] * key_size // shared
    return _Heads(num_keys, num_keys * shared, key_size, value_size)


MIXER = GatedDelta()
