"""Option values: text from the command line, converted to the type of the option's default."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from suite.api import (
    COMPILE_MODES,
    DATA_OPTIONS,
    MIN_TRAIN_SHARE,
    RUN_OPTIONS,
    Cell,
    Options,
    Task,
)
from suite.api.errors import RequestError

KINDS = {bool: "true or false", int: "a whole number", float: "a number"}
"""Descriptions of the types that an option's default may have."""


def parse_options(asked: Mapping[str, str], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that `defaults` has and whose values differ from the defaults.

    Raises:
        RequestError: a value does not have the type of its default.
    """
    values = {
        name: parse_option(name, text, defaults[name])
        for name, text in asked.items()
        if name in defaults
    }
    return {name: value for name, value in sorted(values.items()) if value != defaults[name]}


def as_text(options: Options) -> dict[str, str]:
    """Return options as the command line would give them."""
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in options.items()
    }


def listed_options(task: Task, options: Options) -> dict[str, Any]:
    """Return the options that a benchmark lists for a task and that differ from the defaults."""
    return parse_options(as_text(options), {**RUN_OPTIONS, **defaults_of(task)})


def defaults_of(task: Task) -> dict[str, Any]:
    """Return the options of a task's data and recipe, and its own, with their defaults."""
    return {**DATA_OPTIONS, **task.recipe.to_dict(), **task.options}


def parse_option(name: str, text: str, default: Any) -> Any:
    """Return an option's value in the type of its default; a default of None takes any type.

    Raises:
        RequestError: the value has another type.
    """
    if isinstance(default, list):
        return _parse_list(name, text, default)
    try:
        # Python's True and False are accepted beside JSON's true and false.
        value = json.loads(text.lower() if isinstance(default, bool) else text)
    except ValueError:
        value = text
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(default, str) and not isinstance(value, str):
        value = text  # a class may have the name 1 or true
    if default is not None and type(value) is not type(default):
        raise RequestError(
            f"The option '{name}' is {KINDS.get(type(default), type(default).__name__)}",
            received=repr(text),
        )
    return value


def _parse_list(name: str, text: str, default: list[Any]) -> list[Any]:
    """Return a list of values like the first of the default; an empty default is one of words."""
    kind = type(default[0]) if default else str
    try:
        values = json.loads(text if text.startswith("[") else f"[{text}]")
    except ValueError:
        values = [word.strip() for word in text.split(",") if word.strip()] if kind is str else []
    if kind is float:
        values = [float(value) if type(value) is int else value for value in values]
    if not values or any(type(value) is not kind for value in values):
        raise RequestError(
            f"The option '{name}' is a list of {kind.__name__}",
            received=repr(text),
            remedy=f"Write it as {name}={','.join(map(str, default or ('a', 'b')))}",
        )
    return list(values)


def check_data_options(options: Options) -> None:
    """Check the values of a cell's `DATA_OPTIONS`.

    Raises:
        RequestError: the share of the training examples is out of range.
    """
    share = options.get("train_share", DATA_OPTIONS["train_share"])
    if not MIN_TRAIN_SHARE <= share <= 1:
        raise RequestError(
            f"The option 'train_share' must be from {MIN_TRAIN_SHARE} to 1: it is the share of the "
            "training examples that a model is trained on",
            received=share,
        )


def unsupported_run_options(cell: Cell) -> str | None:
    """Return why a cell's `RUN_OPTIONS` cannot be honoured, or None where they can."""
    devices, mode = (cell.options.get(name, RUN_OPTIONS[name]) for name in ("devices", "compile"))
    if devices < 1 or cell.batch_size % devices:
        return (
            "the batch size must be a multiple of the number of devices; "
            f"received: batch_size={cell.batch_size}, devices={devices}"
        )
    if devices > 1 and cell.backend != "jax":
        return f"only JAX splits a batch over devices; received: backend={cell.backend}"
    if mode not in COMPILE_MODES:
        return f"the compile modes are {', '.join(COMPILE_MODES)}; received: {mode}"
    if mode != "auto" and cell.backend != "tensorflow":
        return f"only TensorFlow has compile modes; received: backend={cell.backend}"
    return None
