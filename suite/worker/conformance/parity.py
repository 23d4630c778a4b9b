"""Parameter parity: without embeddings and head, an architecture is as large as `vanilla`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from suite.api import Architecture, Form, Inputs, ModelSize, PluginError, supports
from suite.api.plugins import ARCHITECTURES, find_plugin
from suite.worker.conformance.gradients import tensors
from suite.worker.conformance.passes import Finding
from suite.worker.conformance.subjects import (
    LONGER,
    SIZE,
    main_inputs,
    random_inputs,
    request_for,
)
from suite.worker.model import Model, PositionHead

LENGTH, TOLERANCE, GLOBAL_TOKENS = 8, 0.1, 3
DECLARED_TOLERANCE = 0.02
"""The relative difference between the declared and the measured number of parameters."""
MAX_BUILT = 4
"""Models of more layers are not built: those of two layers and of four tell their size.

A pattern of two kinds of layers fits in both.
"""
Shapes = Sequence[tuple[int, ...]]


def parity_with_vanilla(architecture: Architecture, form: Form, size: ModelSize) -> Finding:
    """The parameters relative to `vanilla` are within a tenth, or as the architecture declares.

    Raises:
        PluginError: the architecture declares a number within a tenth.
    """
    declared = architecture.relative_parameters.get(form)
    counts = (0, GLOBAL_TOKENS) if _global_tokens_add_weights(architecture, form) else (0,)
    ratios = [relative_parameters(architecture, form, size, count) for count in counts]
    return judge_parity(max(ratios, key=lambda ratio: abs(ratio - (declared or 1.0))), declared)


def judge_parity(ratio: float, declared: float | None) -> Finding:
    """Return the finding for a number of parameters relative to `vanilla`."""
    if declared is None:
        remedy = "change the feed-forward width"
        return Finding(ratio, low=1 - TOLERANCE, high=1 + TOLERANCE, reason=remedy)
    if abs(declared - 1) <= TOLERANCE:
        raise PluginError(
            "relative_parameters declares a number within 10% of vanilla",
            received=declared,
            remedy="Remove it",
        )
    low, high = (declared * (1 + sign * DECLARED_TOLERANCE) for sign in (-1, 1))
    return Finding(ratio, low=low, high=high, reason=f"relative_parameters declares {declared}")


def relative_parameters(
    architecture: Architecture, form: Form, size: ModelSize, num_global: int = 0
) -> float:
    """Return the parameters of an architecture divided by those of `vanilla`."""
    vanilla = find_plugin(ARCHITECTURES, "vanilla")
    own = mixing_parameters(architecture, form, size, num_global)
    return own / mixing_parameters(vanilla, form, size)


def mixing_parameters(
    architecture: Architecture, form: Form, size: ModelSize, num_global: int = 0
) -> float:
    """Return the parameters that parity is about."""
    if size.num_layers > MAX_BUILT:
        return extrapolated(architecture, form, size, num_global)
    return counted(architecture, form, size, num_global)[0]


def extrapolated(
    architecture: Architecture, form: Form, size: ModelSize, num_global: int = 0
) -> float:
    """Return the parameters of a size, from models of two layers and of four."""
    two, four = (
        counted(architecture, form, replace(size, num_layers=layers), num_global)[0]
        for layers in (2, 4)
    )
    return two + (size.num_layers - 2) * (four - two) / 2


def _global_tokens_add_weights(architecture: Architecture, form: Form) -> bool:
    without, with_tokens = (counted(architecture, form, SIZE, n)[1] for n in (0, GLOBAL_TOKENS))
    return without != with_tokens


@cache
def counted(
    architecture: Architecture, form: Form, size: ModelSize, num_global: int = 0
) -> tuple[int, Shapes]:
    """Return the parameters that parity is about, and the shapes of all weights.

    Raises:
        Unsupported: the architecture does not support the request.
    """
    inputs = main_inputs(architecture) if form is Form.ENCODER else Inputs.TOKEN_IDS
    request = request_for(
        architecture,
        inputs,
        form=form,
        model_size=size,
        sequence_length=LENGTH,
        options=dict(architecture.options),
        max_global_tokens=num_global,
    )
    if supports(architecture, request) is not None:
        request = replace(request, sequence_length=LONGER)
    values, mask = tensors(
        random_inputs(inputs, 1, request.sequence_length, width=size.width),
        np.ones((1, request.sequence_length), bool),
    )
    features = {"padding_mask": mask, "target_ids": values}
    features["token_ids" if inputs is Inputs.TOKEN_IDS else "patches"] = values
    model = Model(None, architecture.build(request), PositionHead(2), form)
    model(features)
    shapes = [tuple(weight.shape) for weight in model.weights]
    return model.parameter_counts()["mixing"], shapes
