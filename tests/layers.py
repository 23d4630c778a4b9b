"""Small layers for tests: those of architectures, and one of each mixer of positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import baselines
from baselines.layers.block_sparse_attention import BlockSparseAttention
from baselines.layers.full_attention import FullAttention
from baselines.layers.gated_delta_mixer import GatedDeltaMixer
from baselines.layers.lightweight_convolution import LightweightConvolution
from baselines.layers.linear_attention import LinearAttention
from baselines.layers.long_short_term_memory import LongShortTermMemory
from baselines.layers.lsh_attention import LSHAttention
from baselines.layers.projected_attention import LengthProjection, ProjectedAttention
from baselines.layers.random_feature_attention import RandomFeatureAttention
from baselines.layers.relative_attention import RelativeAttention
from baselines.layers.reversible import ReversibleLayer, ReversibleStack
from baselines.layers.short_convolution import ShortConvolution
from baselines.layers.sliding_window_attention import SlidingWindowAttention
from baselines.layers.state_space import StateSpaceMixer
from baselines.layers.transformer_layer import TransformerLayer, TransformerStack
from suite.api import Inputs
from suite.worker.conformance.subjects import LENGTH, SIZE, VOCABULARY, random_inputs, shorten
from tests.architectures import ARCHITECTURES

SIZES = {"num_layers": 1, "width": SIZE.width, "num_heads": SIZE.num_heads}
_OF_OTHER_MIXERS = {
    name: default
    for name, default in ARCHITECTURES["hybrid"].options.items()
    if name.startswith(("kimi_delta_", "gla_", "mamba", "window_"))
}
NEEDED = {"hybrid": {"num_layers": 2, **_OF_OTHER_MIXERS}}
"""Arguments of layers whose pattern needs several layers, and takes no options of other mixers."""


def layer_of(name: str, **changes: Any) -> Any:
    """Return a small layer of an architecture, with plain arguments."""
    architecture = ARCHITECTURES[name]
    layer_class = getattr(baselines, type(architecture).__name__)
    options = {**shorten(architecture.options), **NEEDED.get(name, {}), **changes}
    return layer_class(**{**SIZES, "feedforward_width": 48, **options})


def layer_and_inputs(name: str, **changes: Any) -> tuple[Any, np.ndarray]:
    """Return a small layer and inputs for it: embeddings, or else patches, or else token ids."""
    kinds = Inputs.EMBEDDINGS, Inputs.PATCHES, Inputs.TOKEN_IDS
    takes = next(kind for kind in kinds if kind in ARCHITECTURES[name].inputs)
    vocabulary_size = VOCABULARY if takes is Inputs.TOKEN_IDS else None
    layer = layer_of(name, vocabulary_size=vocabulary_size, **changes)
    return layer, random_inputs(takes, 2, LENGTH)


def _lsh() -> LSHAttention:
    return LSHAttention(2, 4, num_hashes=2, num_buckets=4)


def _projected() -> ProjectedAttention:
    return ProjectedAttention(2, LengthProjection(40, 4), LengthProjection(40, 4))


_MIXERS: dict[str, Callable[..., Any]] = {
    "FullAttention": lambda: FullAttention(2),
    "FullAttention-convolution": lambda: FullAttention(2, short_convolution=4),
    "FullAttention-window": lambda: FullAttention(2, causal=True, window=3, num_sinks=1),
    "SlidingWindowAttention": lambda: SlidingWindowAttention(2, window=4, dilation=[1, 2]),
    "BlockSparseAttention": lambda: BlockSparseAttention(2, block_size=2, num_random_blocks=1),
    "ReversibleStack": lambda: ReversibleStack([ReversibleLayer(_lsh(), 24)]),
    "RelativeAttention": lambda: RelativeAttention(2, True, 4, 2),
    "RelativeAttention-whole": lambda: RelativeAttention(2, False, 40, 0),
    "LinearAttention": lambda: LinearAttention(2),
    "LinearAttention-causal": lambda: LinearAttention(2, causal=True, chunk_length=4),
    "RandomFeatureAttention": lambda: RandomFeatureAttention(2, features=16),
    "ProjectedAttention": _projected,
    "LightweightConvolution": lambda: LightweightConvolution(2, kernel_size=5),
    "ShortConvolution": lambda: ShortConvolution(4),
    "ShortConvolution-around": lambda: ShortConvolution(4, causal=False),
    "LongShortTermMemory": lambda: LongShortTermMemory(SIZE.width),
    "StateSpaceMixer": lambda: StateSpaceMixer(2, 8, 4, chunk_length=4),
    "StateSpaceMixer-backward": lambda: StateSpaceMixer(2, 8, 4, backward=True),
    "GatedDeltaMixer": lambda: GatedDeltaMixer(1, 2, 4, 8, chunk_length=4),
    "TransformerLayer": lambda **given: TransformerLayer(FullAttention(2), 24, **given),
    "TransformerStack": lambda: TransformerStack([TransformerLayer(FullAttention(2), 24)]),
}


def mixers() -> dict[str, Callable[..., Any]]:
    """Return a function for each mixer of positions, which makes a small layer from a seed."""

    def seeded(make: Callable[..., Any]) -> Callable[..., Any]:
        def made(**given: Any) -> Any:
            keras.utils.set_random_seed(3)
            return make(**given)

        return made

    return {name: seeded(make) for name, make in _MIXERS.items()}
