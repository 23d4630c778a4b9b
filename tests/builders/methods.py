"""Contexts of methods, for their tests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from suite.api import MethodContext, Recipe
from suite.matrix.registry import load_registry

REGISTRY = load_registry(())


def context_of(
    name: str, options: dict[str, Any], *, task: str = "sentiment", spec: Any = (), **cell: Any
) -> MethodContext:
    """Return the context of a method with some options; `cell` sets fields of the cell."""
    method = REGISTRY.methods.get(name)
    return MethodContext(
        cell=SimpleNamespace(**{"seed": 0, "steps": 100, **cell}),
        options={**method.options, **options},
        task=REGISTRY.tasks.get(task),
        build=None,
        recipe=Recipe(),
        spec=dict(spec),
        parents={},
    )
