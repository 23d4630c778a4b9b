"""The options of an architecture as arguments of its Keras class."""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, Form


def default_form(architecture: Architecture) -> Form:
    """Return the first of encoder, decoder and encoder-decoder that an architecture has."""
    return next(form for form in Form if form in architecture.forms)


def as_argument(default: Any) -> Any:
    """Return the default of an option as an argument: a list of one number as the number."""
    if not isinstance(default, list):
        return default
    return default[0] if len(default) == 1 else tuple(default)


def as_arguments(values: dict[str, Any]) -> str:
    """Return values as they are written in a call."""
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def check_option(name: str, value: Any, default: Any) -> Any:
    """Return the value of an option in the type of its default; None as default takes any type.

    Raises:
        ValueError: the value has another type.
    """
    if default is None:
        return value
    is_list = isinstance(default, list)
    items = list(value) if isinstance(value, list | tuple) else [value]
    kind = type(default[0] if is_list else default)
    if kind is float:
        items = [float(item) if type(item) is int else item for item in items]
    if any(type(item) is not kind for item in items) or not (is_list or len(items) == 1):
        raise ValueError(
            f"The argument {name} is {'one or more of ' if is_list else ''}{kind.__name__}. "
            f"Received: {name}={value!r}. The default is {as_argument(default)!r}."
        )
    return items if is_list else items[0]
