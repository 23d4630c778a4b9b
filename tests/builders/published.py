"""Cases of published implementations, and how their weights are read."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
from keras import ops

Weights = Mapping[str, np.ndarray]


TOLERANCE = 1e-4


def cases(folder: Path, prefix: str) -> list[tuple[str, Weights]]:
    paths = sorted(folder.glob(f"{prefix}*.npz"))
    assert paths, f"{folder} has no {prefix}*.npz"
    return [(path.name, np.load(path)) for path in paths]


def count_layers(case: Weights, pattern: str) -> int:
    return sum(1 for index in range(99) if pattern.format(index) in case)


def assign(layer, case: Weights, name: str) -> None:
    layer.kernel.assign(case[f"{name}/weight"].T)


def compare_logits(outputs, kernel: np.ndarray, case: Weights, name: str, bias=0.0) -> None:
    """Compare the scores of tokens, which a head without a norm of its own has from outputs."""
    scores = ops.convert_to_numpy(outputs) @ kernel + bias
    if "logit_soft_cap" in case:
        cap = float(case["logit_soft_cap"])
        scores = cap * np.tanh(scores / cap)
    mask = np.ones(scores.shape[:2], bool)
    if "padding_mask" in case:
        mask = case["padding_mask"].astype(bool)
    np.testing.assert_allclose(
        scores[mask], case["logits"][mask], atol=1e-3, rtol=5e-5, err_msg=f"{name}, logits"
    )


def decode_in_parts(model, token_ids, **encoded) -> np.ndarray:
    """Return the decoder's output: of three positions, of single ones, of the rest, of the last."""
    batch, length = token_ids.shape
    state, found = model.init_state(batch, length), []
    bounds = sorted({0, *range(min(3, length), min(9, length)), length - 1, length})
    for start, stop in pairwise(bounds):
        newest = ops.convert_to_tensor(token_ids[:, start:stop])
        states, state = model.decode(newest, state=state, position=start, **encoded)
        found.append(ops.convert_to_numpy(states))
    return np.concatenate(found, axis=1)


def assign_rg_lru(mixer, case: Weights, at: str) -> None:
    """Assign the weights of a recurrent block of Griffin."""
    for name, theirs in (("kernel", "weight"), ("bias", "bias")):
        parts = [case[f"{at}/linear_{part}/{theirs}"].T for part in "xy"]
        getattr(mixer.input_projection, name).assign(np.concatenate(parts, axis=-1))
    assign(mixer.output_projection, case, f"{at}/linear_out")
    mixer.output_projection.bias.assign(case[f"{at}/linear_out/bias"])
    mixer.convolution.kernel.assign(case[f"{at}/conv_1d/weight"][:, 0].T)
    mixer.convolution.bias.assign(case[f"{at}/conv_1d/bias"])
    for ours, theirs in ((mixer.gate_kernel, "weight"), (mixer.gate_bias, "bias")):
        parts = [case[f"{at}/rg_lru/{gate}_gate_{theirs}"] for gate in ("input", "recurrent")]
        ours.assign(np.concatenate(parts, axis=-1))
    mixer.decay_bias.assign(case[f"{at}/rg_lru/recurrent_param"])
