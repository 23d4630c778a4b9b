"""Names of entries and texts of options, as tables and boards show them."""

from __future__ import annotations

from collections.abc import Mapping


def entry_name(architecture: str, options: Mapping[str, object]) -> str:
    """Return the name of an entry: the architecture, and the options that are not the task's."""
    return f"{architecture} ({options_text(options)})" if options else architecture


def options_text(options: Mapping[str, object]) -> str:
    """Return options as "name=value name=value", sorted by name."""
    return " ".join(f"{name}={value}" for name, value in sorted(options.items()))
