"""The initial values of weights: one policy for all architectures.

- **Kernels**: Glorot's uniform distribution (Glorot and Bengio 2010, equation 16), which keeps the
  variance from layer to layer. Biases start at 0, norms at scale 1.
- **Token embeddings**: normal with variance 1 / width, so that a head with the transposed table
  starts with scores of unit variance. Architectures that follow Vaswani et al. 2017
  (section 3.4) multiply the embeddings by √width.
- **Vectors added to embeddings** (learned positions, token types) and the class token have the
  scale of the embeddings beside them: see `embedding_stddev`.
- **Recurrent kernels**: orthogonal (Saxe et al. 2014). Forget gates start with a bias of 1, so that
  a state persists (Gers et al. 2000; Jozefowicz et al. 2015).

Papers and published code demand these deviations:
- GPT-2, option `scaled_residuals`: kernels at the end of residual branches are divided by √N for N
  residual branches (Radford et al. 2019, section 2.3).
- Reformer, option `axial_stddev`: in the authors' code, positions start with the standard deviation
  1, whatever that of the embeddings is (Kitaev et al. 2020).
- Longformer, option `matched_projections`: global projections start with the values of the ordinary
  ones (Beltagy et al. 2020, section 3.1).
- Performer: random features have orthogonal rows (Choromanski et al. 2021, section 2.4).
- Mamba: the decay rates of a channel's numbers are 1, 2, 3, … (Gu and Dao 2023, section 3.6).
- Mamba-2: decay rates and step sizes start in the ranges of the authors' code, and depthwise
  kernels within ±1/√k (Dao and Gu 2024). Gated DeltaNet: the same, with decay rates from 0 to 16
  (Yang et al. 2025).
- Griffin: decays of channels start in the ring of De et al. 2024, section 2.4.
- Kimi Delta Attention and Mamba-3: step sizes, and the decay rates of the former, as in Mamba-2.
- xLSTM: biases of input gates start at −10, those of forget gates from 3 to 6 (the authors' code).
- RWKV-7: decays, and the weights of the position before, depend on the channel and the layer as in
  the authors' code (Peng et al. 2025).
- T5: scores are not divided by the root of the head size, so the kernels of queries are. The biases
  of distances have variance 1 / width (the authors' code; Raffel et al. 2020, section 2.1).
- Hub: the initial values of keras-hub's own backbones.
- Transformer-XL: the biases u and v, which replace queries, start as small random numbers, as in
  the authors' code (Dai et al. 2019, section 3.3).
"""

from __future__ import annotations

import math
import random
from typing import Any

import keras
from keras import ops

from suite.api import BuildRequest, Inputs

QUERY_BIAS_STDDEV = 0.02
"""The scale of Transformer-XL's u and v in the authors' code."""


def kernel(num_residual_branches: int = 1) -> Any:
    """Return Glorot's uniform initializer, with values divided by √`num_residual_branches`."""
    return keras.initializers.VarianceScaling(1.0 / num_residual_branches, "fan_avg", "uniform")


def repeated_kernel() -> Any:
    """Return `kernel()` with a fixed seed: kernels of one shape get the same values."""
    seed = random.randint(1, 10**9)  # noqa: S311 (as Keras draws its default seeds)
    return keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform", seed=seed)


def dense(
    units: int | None, activation: Any = None, *, kernel_initializer: Any = None, **kwargs: Any
) -> Any:
    """Return a dense layer whose kernel starts as `kernel()`, unless an initializer is given."""
    return keras.layers.Dense(
        units, activation, kernel_initializer=kernel_initializer or kernel(), **kwargs
    )


def add_dense(
    layer: Any, name: str, inputs: int | None, units: int | None, **settings: Any
) -> None:
    """Give a layer a built dense layer with a name, without a bias unless `settings` say so."""
    settings = {"use_bias": False, "dtype": layer.dtype_policy, **settings}
    projection = dense(units, name=name, **settings)
    projection.build((None, None, inputs))
    setattr(layer, name, projection)


def lstm(units: int, **kwargs: Any) -> Any:
    """Return an LSTM layer with the kernels and the bias of the policy."""
    return keras.layers.LSTM(
        units,
        kernel_initializer=kernel(),
        recurrent_initializer=keras.initializers.Orthogonal(),
        unit_forget_bias=True,
        **kwargs,
    )


def token_table(width: int) -> Any:
    """Return the initializer of a token embedding."""
    return added_vectors(width**-0.5)


def added_vectors(stddev: float) -> Any:
    """Return the initializer of vectors that are added to embeddings of a standard deviation."""
    return keras.initializers.RandomNormal(stddev=stddev)


def orthogonal_rows(num_rows: int, size: int) -> Any:
    """Return an initializer of rows, (m, d), orthogonal in blocks of d, as long as normal vectors.

    Choromanski et al. 2021, section 2.4.
    """
    blocks = [keras.initializers.Orthogonal() for _ in range(-(-num_rows // size))]
    normal = keras.initializers.RandomNormal(stddev=1.0)

    def initialize(shape: tuple[int, int], dtype: Any = None) -> Any:
        directions = ops.concatenate([block((size, size), dtype) for block in blocks])[:num_rows]
        return directions * ops.norm(normal(shape, dtype), axis=1, keepdims=True)

    return initialize


def convolution_kernel(size: int) -> Any:
    """Return the initializer of a depthwise kernel, (size, channels): uniform within ±1/√size."""
    return keras.initializers.RandomUniform(-(size**-0.5), size**-0.5)


def log_uniform_rates(lowest: float = 1.0, highest: float = 16.0) -> Any:
    """Return the initializer of log(-A): A is uniform from -16 to -1 (Mamba-2's code)."""
    rates = keras.initializers.RandomUniform(lowest, highest)

    def initialize(shape: tuple[int, ...], dtype: Any = None) -> Any:
        return ops.log(rates(shape, dtype))

    return initialize


def counted_rates(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Return log(-A) for the rates −1, −2, −3, … along the last axis (Mamba's code)."""
    return ops.log(ops.broadcast_to(ops.arange(1, shape[-1] + 1, dtype=dtype), shape))


def block_kernel(size: int) -> Any:
    """Return `kernel()` for matrices that map parts of `size` channels to as many."""
    limit = math.sqrt(3.0 / size)
    return keras.initializers.RandomUniform(-limit, limit)


def ring_rates(lowest: float = 0.9, highest: float = 0.999) -> Any:
    """Return the initializer of Λ for decays exp(−softplus(Λ)) in a ring (Griffin's code)."""
    squares = keras.initializers.RandomUniform(lowest**2, highest**2)

    def initialize(shape: tuple[int, ...], dtype: Any = None) -> Any:
        rates = -0.5 * ops.log(squares(shape, dtype))
        return rates + ops.log(-ops.expm1(-rates))  # the inverse of the softplus

    return initialize


def step_size_bias(smallest: float = 1e-3, largest: float = 0.1) -> Any:
    """Return the initializer of a bias before a softplus that makes log-uniform step sizes.

    The range is that of the authors' code (Dao and Gu 2024).
    """
    logarithms = keras.initializers.RandomUniform(math.log(smallest), math.log(largest))

    def initialize(shape: tuple[int, ...], dtype: Any = None) -> Any:
        sizes = ops.exp(logarithms(shape, dtype))
        return sizes + ops.log(-ops.expm1(-sizes))  # the inverse of the softplus

    return initialize


def query_bias() -> Any:
    """Return the initializer of Transformer-XL's u and v."""
    return keras.initializers.RandomNormal(stddev=QUERY_BIAS_STDDEV)


def embedding_stddev(request: BuildRequest, scale: float = 1.0) -> float:
    """Return the standard deviation of the embeddings that positions are added to.

    Token embeddings are multiplied by `scale`. A task's own embeddings and projected patches have
    about unit variance: `tests/conformance/test_tasks.py` holds tasks to it.
    """
    if request.inputs is Inputs.TOKEN_IDS:
        return float(scale * request.model_size.width**-0.5)
    return 1.0
