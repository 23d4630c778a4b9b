"""Small cells with methods, planned with their parents."""

from __future__ import annotations

from typing import Any

from suite.matrix.expansion import expand
from suite.matrix.planned_cells import PlannedCell
from suite.matrix.registry import load_registry
from suite.matrix.request import Request


def plan(task: str, architecture: str, *methods: str, **settings: Any) -> list[PlannedCell]:
    """Return the cells of one small training with methods: its parents come first."""
    request = {
        "tasks": (task,),
        "architectures": (architecture,),
        "lengths": (32,),
        "seeds": (0,),
        "steps": 8,
        "batch_size": 4,
        "options": {"compile": "graph"},
        "methods": (methods,),
        **settings,
    }
    return expand(Request(**request), load_registry(()))
