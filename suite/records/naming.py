"""Names of entries, texts of options, and ids of runs."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime


def entry_name(architecture: str, options: Mapping[str, object], methods: str = "") -> str:
    """Return the name of an entry: the architecture, its options, and the text of its methods.

    The options of the task are left out.
    """
    name = f"{architecture} ({options_text(options)})" if options else architecture
    return " + ".join([name, *methods.split()])


def options_text(options: Mapping[str, object]) -> str:
    """Return options as "name=value name=value", sorted by name."""
    return " ".join(f"{name}={value}" for name, value in sorted(options.items()))


def new_run_id(now: datetime) -> str:
    """Return a new run id; run ids sort by time and are unique."""
    return f"{now:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(3)}".replace(".", "")


def split_label(label: str) -> tuple[str, str]:
    """Return the name and the version of a benchmark's label, empty texts for an empty label."""
    name, _, version = label.rpartition("-")
    return name, version
