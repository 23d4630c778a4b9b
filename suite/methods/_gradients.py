"""The base of the methods that move the embedded inputs along a gradient."""

from __future__ import annotations

from collections.abc import Collection

from suite.api import Inputs, Method, MethodRequest, Part


class GradientMethod(Method):
    """A method that takes the gradient of a batch with respect to its embedded inputs."""

    def parts(self, request: MethodRequest) -> Collection[Part]:
        """Return the tokens that the backbone embeds; a task's embeddings need no part of it."""
        return (Part.EMBEDDED,) if request.build.inputs is Inputs.TOKEN_IDS else ()

    def unsupported_reason(self, request: MethodRequest) -> str | None:
        if request.task.contiguous and request.cell.options.get(
            "carry_state", request.task.recipe.carry_state
        ):
            return "differentiates single batches; omit carry_state=true"
        return None
