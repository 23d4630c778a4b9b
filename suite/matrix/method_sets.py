"""The methods of a request: from text to the methods of a cell, and to the cells they need."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from suite.api import (
    TRAINED,
    AppliedMethod,
    Architecture,
    Cell,
    Method,
    MethodRequest,
    Mode,
    Stage,
    Task,
    changes_model_alone,
    method_options,
    training_methods,
)
from suite.api.architecture import BuildRequest
from suite.api.cell import LocalPath, without_local_paths
from suite.api.errors import PluginError, RequestError, check_name
from suite.matrix.registry import PluginSet
from suite.records.options import parse_options

Methods = tuple[AppliedMethod, ...]

BETWEEN_OPTIONS = re.compile(r",(?=\w+=)")
STAGES = tuple(Stage)


def parse_methods(texts: Sequence[str], known: PluginSet[Method]) -> Methods:
    """Return the methods of texts such as "lora:rank=8,alpha=16".

    Raises:
        RequestError: a method or an option is unknown, invalid, repeated or out of order.
        PluginError: the file of a method cannot be used.
    """
    methods = tuple(_parse(text, known) for text in texts)
    names = [method.name for method in methods]
    if len(set(names)) < len(names):
        raise RequestError("A cell applies each method once", received=" ".join(texts))
    stages = [method.stage for method in methods]
    if stages != sorted(stages, key=STAGES.index):
        ordered = sorted(texts, key=lambda text: STAGES.index(stages[texts.index(text)]))
        raise RequestError(
            f"Methods are applied in the order of their stages: {', '.join(STAGES)}",
            received=", ".join(
                f"{name} ({stage})" for name, stage in zip(names, stages, strict=True)
            ),
            remedy=f'Write "{" ".join(ordered)}"',
        )
    return methods


def _parse(text: str, known: PluginSet[Method]) -> AppliedMethod:
    name, _, listed = text.partition(":")
    method = known.get(name)
    asked = {}
    for part in BETWEEN_OPTIONS.split(listed) if listed else ():
        option, equals, value = part.partition("=")
        if not equals or option in asked:
            raise RequestError(
                "A method is NAME or NAME:OPTION=VALUE,…, each option once", received=repr(text)
            )
        check_name(f"option of the method '{name}'", option, method.options)
        asked[option] = value
    options = parse_options(asked, method.options)
    every_option = {**method.options, **options}
    method.check(every_option)
    options |= method.derived_options(every_option)
    for option, value in options.items():
        if LocalPath.is_path(value):
            options[option] = LocalPath.of(value)
    return AppliedMethod(name, method.version, options, method.stage)


def unsupported_by_methods(
    cell: Cell,
    methods: Mapping[str, Method],
    task: Task | None,
    build: BuildRequest,
    architecture: Architecture,
) -> str | None:
    """Return why a cell cannot apply its methods, or None if it can."""
    if not cell.methods:
        return None
    for applied in cell.methods:
        method = methods[applied.name]
        if task is None and not changes_model_alone(method):
            return (
                f"the method '{applied.name}' changes the data, the loss or the updates, which a "
                f"{cell.mode} does not have; give a --task to train on"
            )
        request = MethodRequest(cell, method_options(method, applied), cast(Task, task), build)
        if reason := _refusal(method, applied.name, request, architecture):
            return f"the method '{applied.name}' {without_local_paths(reason, cell.methods)}"
    return None


def _refusal(
    method: Method, name: str, request: MethodRequest, architecture: Architecture
) -> str | None:
    """Return why a method cannot be applied to a cell, or None."""
    try:
        for part in method.parts(request):
            if part in architecture.missing_parts(request.build):
                return (
                    f"needs {part.text}, which {architecture.title} does not have; choose other "
                    "options or another architecture"
                )
        return method.unsupported_reason(request)
    except AttributeError as error:
        if request.task is not None or error.obj is not None:
            raise
        raise PluginError(
            f"The method '{name}' must not read the task of a {request.cell.mode}, which has none",
            received=str(error),
            remedy="Test request.task for None in `parts` and `unsupported_reason`",
        ) from error


def parents_of(cell: Cell, methods: Mapping[str, Method]) -> dict[str, Cell]:
    """Return the cells whose trained models a cell takes, by role; a probe has random weights.

    A cell that compresses a model, or disturbs examples, takes the model of the same cell without
    these methods. Only that cell has the parents of its methods.

    Raises:
        PluginError: two methods name the same role.
    """
    if cell.mode is not Mode.TRAIN:
        return {}
    training = training_methods(cell.methods)
    if len(training) < len(cell.methods):
        return {TRAINED: replace(cell, methods=training)}
    parents: dict[str, Cell] = {}
    for applied in training:
        method = methods[applied.name]
        needed = method.needs(cell, method_options(method, applied))
        if again := parents.keys() & needed.keys():
            raise PluginError(
                "Each parent of a cell has its own role", received=", ".join(sorted(again))
            )
        parents |= needed
    return parents


def task_of(task: Task, cell: Cell, methods: Mapping[str, Method]) -> Task:
    """Return the task of a cell: its methods may set another objective on the same data."""
    for applied in cell.methods:
        method = methods[applied.name]
        task = method.task(task, method_options(method, applied))
    return task
