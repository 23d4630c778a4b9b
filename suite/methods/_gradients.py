"""Helpers of the methods that take the gradient of a batch."""

from __future__ import annotations

from suite.api import MethodRequest


def carried_reason(request: MethodRequest) -> str | None:
    """Return that the gradient of one batch ends at its beginning, where state is carried on."""
    if request.task.contiguous and request.cell.options.get(
        "carry_state", request.task.recipe.carry_state
    ):
        return "differentiates single batches; omit carry_state=true"
    return None
