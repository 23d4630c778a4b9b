"""Edits of a benchmark file by commands: sections of measured values, and the hashes of [frozen].

The other lines of the file stay as they are, comments included.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

FROZEN = re.compile(r"^\[frozen\][ \t]*$\n?", re.MULTILINE)
"""The head of the section of hashes; the text may occur elsewhere, as in a summary."""
Tables = Mapping[str, Mapping[Any, str]]
"""The values of a section's tables as TOML, by table and key."""


def with_tables(text: str, section: str, tables: Tables) -> str:
    """Return a file with these tables in place of all `[SECTION.…]`; they come before [frozen]."""
    former = re.compile(rf"^\[{section}\.[^\n]*\n(?:(?!\[)[^\n]*\n?)*", re.MULTILINE)
    body, *rest = FROZEN.split(former.sub("", text), maxsplit=1)
    parts = [body.rstrip() + "\n"]
    for name, values in tables.items():
        lines = "".join(f"{key} = {value}\n" for key, value in values.items())
        parts.append(f"[{section}.{name}]\n{lines}")
    if rest:
        parts.append(f"[frozen]\n{rest[0].strip()}\n")
    return "\n".join(parts)


def with_hash(text: str, name: str, digest: str) -> str:
    """Return a file whose section [frozen] states a hash, in place of a former one."""
    body, *rest = FROZEN.split(text, maxsplit=1)
    former = re.compile(rf'^"?{re.escape(name)}"? = "[0-9a-f]*"\n?', re.MULTILINE)
    others = former.sub("", rest[0]).strip() if rest else ""
    lines = "\n".join(filter(None, [f'"{name}" = "{digest}"', others]))
    return f"{body.rstrip()}\n\n[frozen]\n{lines}\n"
