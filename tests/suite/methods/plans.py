"""Contexts and plans of methods, for their tests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from suite.api import MethodContext, Recipe
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request

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


def planned(task: str, *methods: str, **options: str) -> Any:
    """Return the planned cell of `vanilla` (or `vit`) on a task with some methods."""
    request = Request(
        tasks=(task,),
        architectures=("vit" if task == "image_classification" else "vanilla",),
        lengths=(64,),
        seeds=(0,),
        threads=2,
        methods=(methods,),
        options=options,
    )
    (one,) = expand(request, REGISTRY)
    return one
