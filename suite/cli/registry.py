"""The registry of a command: a plug-in that cannot be used is named, and the command goes on."""

from __future__ import annotations

import sys

from suite.api.plugins import search_path_from_environment
from suite.matrix.registry import Registry, load_registry


def read_registry() -> Registry:
    """Return the registry, and name the plug-ins that it leaves out."""
    registry = load_registry(search_path_from_environment())
    print_left_out(registry)
    return registry


def print_left_out(registry: Registry) -> None:
    """Print a warning about each plug-in that cannot be used."""
    for collection in registry.collections:
        for name, reason in collection.broken.items():
            print(f"bench: the {collection.word} '{name}' is left out: {reason}", file=sys.stderr)
