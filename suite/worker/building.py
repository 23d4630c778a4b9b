"""The model of a train cell: the task's ends around the architecture's backbone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suite.api import Architecture, BuildRequest, Inputs, Recipe, Task
from suite.api.errors import PluginError
from suite.worker.steps import Model


def build_model(
    task: Task,
    architecture: Architecture,
    request: BuildRequest,
    spec: Mapping[str, Any],
    recipe: Recipe,
) -> Model:
    """Build the task's embedding, the architecture's backbone and the task's head."""
    return Model(
        build_embedding(task, request, spec),
        architecture.build(request),
        task.build_head(spec),
        task.form,
        task.contiguous and recipe.carry_state,
    )


def build_embedding(task: Task, request: BuildRequest, spec: Mapping[str, Any]) -> Any:
    """Build the task's embedding; None where the architecture embeds token ids or patches.

    Raises:
        PluginError: the task returns an embedding for `Inputs.TOKEN_IDS`, or none for
            `Inputs.EMBEDDINGS`.
    """
    embedding = task.build_embedding(spec, request.model_size.width)
    given = embedding is not None
    if {Inputs.TOKEN_IDS: False, Inputs.EMBEDDINGS: True}.get(request.inputs, given) != given:
        raise PluginError(
            "`build_embedding` must return an embedding for Inputs.EMBEDDINGS, and None for "
            "Inputs.TOKEN_IDS",
            received=f"Inputs.{request.inputs.name} and {embedding} from build_embedding",
            remedy="Change the task's `inputs` (or `inputs_for`), or what build_embedding returns",
        )
    return embedding
