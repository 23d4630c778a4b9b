"""Edits of a benchmark file by commands: sections of measured values, and the hashes of [frozen].

The other lines of the file stay as they are, comments included.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

FROZEN = re.compile(r"^[ \t]*\[[ \t]*frozen[ \t]*\][ \t]*(?:#[^\n]*)?$\n?", re.MULTILINE)
"""The head of the section of hashes; the text may occur elsewhere, as in a summary."""
HEADS = re.compile(r"^(?=[ \t]*\[)", re.MULTILINE)
"""The beginnings of tables, and of lines within a list, which belong to the table before."""
PAIR = re.compile(r"[ \t]*[\"']?(?P<key>[\w.-]+)[\"']?[ \t]*=[^#\n]*(?P<comment>#[^\n]*)?\n?")
Tables = Mapping[str, Mapping[Any, str]]
"""The values of a section's tables as TOML, by table and key."""


def with_tables(text: str, section: str, tables: Tables) -> str:
    """Return a file with these tables in place of all `[SECTION.…]`; new ones precede [frozen]."""
    head = re.compile(
        rf"[ \t]*\[[ \t]*{section}[ \t]*\.[ \t\"']*([^\]\"'\n]+?)[ \t\"']*\]([^\n]*)\n?"
    )
    left = dict(tables)
    blocks = []
    for block in HEADS.split(text):
        if found := head.match(block):
            values = left.pop(found[1], None)
            first = f"{found[0].rstrip()}\n" if values is not None else _line(found[2].strip())
            block = first + _with_pairs(block[found.end() :], values or {})
        blocks.append(block)
    body, *rest = _split_at_frozen("".join(blocks))
    parts = [body.rstrip() + "\n"]
    for name, values in left.items():
        lines = "".join(f"{key} = {value}\n" for key, value in values.items())
        parts.append(f"[{section}.{name}]\n{lines}")
    if rest:
        parts.append(f"{rest[0]}{rest[1].strip()}\n")
    return "\n".join(parts)


def _with_pairs(lines: str, values: Mapping[Any, str]) -> str:
    """Return the lines of a table with other values; comments stay, also those of former values."""
    comments: dict[str, str] = {}
    others = []
    for line in lines.splitlines(keepends=True):
        if found := PAIR.fullmatch(line):
            comments[found["key"]] = found["comment"] or ""
        else:
            others.append(line)
    pairs = [
        f"{key} = {value}  {comments.pop(str(key), '')}".rstrip() + "\n"
        for key, value in values.items()
    ]
    return "".join([*pairs, *map(_line, comments.values()), *others])


def _line(comment: str) -> str:
    return f"{comment}\n" if comment else ""


def _split_at_frozen(text: str) -> list[str]:
    """Return the text before [frozen], its head and the text after it; or the text alone."""
    found = FROZEN.search(text)
    return [text[: found.start()], found[0], text[found.end() :]] if found else [text]


def with_hash(text: str, name: str, digest: str) -> str:
    """Return a file whose section [frozen] states a hash, in place of a former one."""
    body, *rest = _split_at_frozen(text)
    head, others = rest or ("[frozen]\n", "")
    former = re.compile(
        rf'^[ \t]*"?{re.escape(name)}"?[ \t]*=[ \t]*"[0-9a-f]*"[ \t]*(#[^\n]*)?\n?', re.MULTILINE
    )
    found = former.search(others)
    comment = f"  {found[1]}" if found and found[1] else ""
    others = former.sub("", others).strip()
    lines = "\n".join(filter(None, [f'"{name}" = "{digest}"{comment}', others]))
    return f"{body.rstrip()}\n\n{head.rstrip()}\n{lines}\n"
