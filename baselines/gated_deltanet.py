"""Gated DeltaNet: a recurrent state that forgets and replaces, linear in the length.

Yang, Kautz and Hatamizadeh 2025, "Gated Delta Networks: Improving Mamba2 with Delta Rule".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs
from suite.api.options import Options

CHUNK_LENGTH = 64
"""Positions in a chunk of the scan, as measured."""
EPSILON = 1e-6
MIXER_KERNELS = 6
"""The kernels of a mixer have about 6 · width² numbers, as in the authors' code."""


class GatedDeltaNet(Architecture):
    """Blocks of x + Mixer(RMSNorm(x)) and x + SwiGLU(RMSNorm(x)), without positions.

    A mixer has the authors' size: with the default `expansion` 2, keys have 3/4 of the width in all
    heads together, and values `expansion` times as much. Heads of keys have `head_size` channels or
    a little less. `values_per_key` is the number of value heads that share a key head.
    `kernel_size` is that of the convolution. With `negative_eigenvalues`, β is between 0 and 2
    (Grazzi et al. 2025, "Unlocking State-Tracking in Linear RNNs Through Negative Eigenvalues").
    SwiGLU is narrower than in the paper, so that a layer has the parameters of a Transformer layer.
    The encoder's layers read the sequence from its start and from its end in turn. In the
    encoder-decoder form, attention to the encoder's output follows each mixer.
    """

    version = 1
    title = "Gated DeltaNet"
    paper = "Yang, Kautz and Hatamizadeh 2025, Gated Delta Networks"
    forms = frozenset(Form)
    inputs = frozenset(Inputs)
    claimed_time = "n"
    claimed_memory = "n"
    options = {
        "expansion": 2,
        "head_size": 64,
        "values_per_key": 1,
        "kernel_size": 4,
        "negative_eigenvalues": False,
    }

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why an option is invalid, or None."""
        options = request.options
        sizes = {name: value for name, value in options.items() if name != "negative_eigenvalues"}
        if min(sizes.values()) < 1:
            return f"needs sizes of at least 1; received: {sizes}"
        unit, largest = _key_unit(options), round(_key_channels(request)[1])
        if unit > largest:
            return (
                f"has {largest} channels in a key head, whose values must divide into "
                f"values_per_key heads; received: values_per_key={options['values_per_key']}"
            )
        return None

    def missing_parts(self, request: BuildRequest) -> tuple[str, ...]:
        """Return that no heads can be removed but those of attention to an encoder's output."""
        return () if request.form is Form.ENCODER_DECODER else ("heads",)

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of convolution and scan: states, and comparisons in chunks.

        A chunk of c positions compares keys with keys and queries, inverts a triangular matrix (c³
        / 3), and multiplies the inverse with keys and values, and the weights with values. Each
        position is multiplied with the state three times.
        """
        from baselines.layers.flops import over_stacks

        length, heads = request.sequence_length, _heads(request)
        chunk = min(CHUNK_LENGTH, length)
        convolved = 2 * heads.key_width + heads.value_width
        convolution = 2.0 * request.options["kernel_size"] * convolved * length
        states = 6.0 * heads.key_size * heads.value_width * length
        shared = heads.num_values * heads.key_size
        compared = 2 * heads.key_width + shared + 2 * heads.value_width
        comparisons = 2.0 * compared * length * (chunk + 1) / 2
        inverses = heads.num_values * length * chunk**2 / 3
        mixer = convolution + states + comparisons + inverses
        return over_stacks(request, lambda causal: request.model_size.num_layers * mixer)

    def state_bytes(self, request: BuildRequest, max_length: int, value_bytes: int = 4) -> int:
        """Return the bytes of the states, in float32, and of the convolutions' inputs."""
        from baselines.layers.state_sizes import FLOAT32_BYTES, source_bytes

        heads = _heads(request)
        convolved = 2 * heads.key_width + heads.value_width
        inputs = (int(request.options["kernel_size"]) - 1) * convolved * value_bytes
        states = heads.key_size * heads.value_width * FLOAT32_BYTES
        own = request.model_size.num_layers * (inputs + states)
        return own + source_bytes(request, value_bytes)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the requested form."""
        from baselines.layers.block import Block
        from baselines.layers.gated_delta_mixer import GatedDeltaMixer
        from baselines.layers.transformer import build_transformer

        heads, options = _heads(request), request.options

        def mixer(index: int, causal: bool) -> GatedDeltaMixer:
            return GatedDeltaMixer(
                heads.num_keys,
                heads.num_values,
                heads.key_size,
                heads.value_size,
                kernel_size=options["kernel_size"],
                negative_eigenvalues=options["negative_eigenvalues"],
                backward=not causal and index % 2 == 1,
                epsilon=EPSILON,
                chunk_length=CHUNK_LENGTH,
            )

        block = Block(
            "none",
            norm="rms",
            norm_placement="before",
            feedforward="gated",
            epsilon=EPSILON,
            scaled_embeddings=False,
        )
        return build_transformer(
            request,
            block,
            mixer=mixer,
            feedforward_width=lambda causal: _feedforward_width(request),
            carries_state=True,
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


def _key_channels(request: BuildRequest) -> tuple[int, float]:
    """Return the number of key heads, and their size before it is rounded.

    Queries, keys, values, gates and outputs then have 6 · width² numbers in their kernels.
    """
    options = request.options
    keys = MIXER_KERNELS * request.model_size.width / (2 + 3 * options["expansion"])
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


def _feedforward_width(request: BuildRequest) -> int:
    """Return the width of SwiGLU that gives a layer the parameters of a Transformer layer."""
    size, heads = request.model_size, _heads(request)
    transformer = 4 * size.width + 2 * size.feedforward_width
    mixer = 2 * heads.key_width + 3 * heads.value_width + 2 * heads.num_values
    return max(1, round((transformer - mixer) / 3))


ARCHITECTURE = GatedDeltaNet()
