"""Helpers of the methods that take the gradient of a batch."""

from __future__ import annotations

from collections.abc import Collection

from suite.api import Inputs, MethodRequest, Part


def moved_parts(request: MethodRequest) -> Collection[Part]:
    """Return the part of the backbone whose output a perturbation moves."""
    return (Part.EMBEDDED,) if request.build.inputs is Inputs.TOKEN_IDS else ()


def carried_reason(request: MethodRequest) -> str | None:
    """Return that the gradient of one batch ends at its beginning, where state is carried on."""
    if request.task.contiguous and request.cell.options.get(
        "carry_state", request.task.recipe.carry_state
    ):
        return "differentiates single batches; omit carry_state=true"
    return None
