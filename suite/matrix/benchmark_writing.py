"""Edits of a benchmark file by commands: measured values, the scale, and the hashes of [frozen].

The other lines of the file stay as they are, comments included. The scale holds the scores that
count as 0 and 100, for the versions that they were measured with. A score of another version is
measured anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from suite.api import Task
from suite.api.errors import RequestError
from suite.records.benchmark_sections import Scale
from suite.records.benchmarks import SCALE, Benchmark, hash_scale

FROZEN = re.compile(r"^[ \t]*\[[ \t]*frozen[ \t]*\][ \t]*(?:#[^\n]*)?$\n?", re.MULTILINE)
"""The head of the section of hashes; the text may occur elsewhere, as in a summary."""
HEADS = re.compile(r"^(?=[ \t]*\[)", re.MULTILINE)
"""The beginnings of tables, and of lines within a list, which belong to the table before."""
PAIR = re.compile(r"[ \t]*[\"']?(?P<key>[\w.-]+)[\"']?[ \t]*=[^#\n]*(?P<comment>#[^\n]*)?\n?")
Tables = Mapping[str, Mapping[Any, str]]
"""The values of a section's tables as TOML, by table and key."""
ScoresByLength = Mapping[str, Mapping[int, float]]
"""A score by task and length."""
References = Mapping[str, Mapping[int, tuple[float, int]]]
"""The score and the version of `vanilla`, by task and length."""
DIGITS = 6
"""The number of significant digits of a score in the file."""


def with_tables(text: str, section: str, tables: Tables) -> str:
    """Return a file with these tables in place of all `[SECTION.…]`; new ones precede [frozen]."""
    head = re.compile(
        rf"[ \t]*\[[ \t]*{section}[ \t]*\.[ \t\"']*([^\]\"'\n]+?)[ \t\"']*\]([^\n]*)\n?"
    )
    left = dict(tables)
    blocks = []
    for block in HEADS.split(text):
        if match := head.match(block):
            values = left.pop(match[1], None)
            first = f"{match[0].rstrip()}\n" if values is not None else _line(match[2].strip())
            block = first + _with_pairs(block[match.end() :], values or {})
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
        if match := PAIR.fullmatch(line):
            comments[match["key"]] = match["comment"] or ""
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
    match = FROZEN.search(text)
    return [text[: match.start()], match[0], text[match.end() :]] if match else [text]


def with_hash(text: str, name: str, digest: str) -> str:
    """Return a file whose section [frozen] states a hash, in place of a former one."""
    body, *rest = _split_at_frozen(text)
    head, others = rest or ("[frozen]\n", "")
    former = re.compile(
        rf'^[ \t]*"?{re.escape(name)}"?[ \t]*=[ \t]*"[0-9a-f]*"[ \t]*(#[^\n]*)?\n?', re.MULTILINE
    )
    match = former.search(others)
    comment = f"  {match[1]}" if match and match[1] else ""
    others = former.sub("", others).strip()
    lines = "\n".join(filter(None, [f'"{name}" = "{digest}"{comment}', others]))
    return f"{body.rstrip()}\n\n{head.rstrip()}\n{lines}\n"


def add_to_scale(
    benchmark: Benchmark, zeros: ScoresByLength, hundreds: References, tasks: Mapping[str, Task]
) -> int:
    """Write the scores that a benchmark's file lacks, and return their number.

    A score of the present versions stays as it is. A place needs a trivial score before a
    reference.

    Raises:
        RequestError: a reference is not better than the trivial score.
    """
    scale = {task: dict(scores) for task, scores in benchmark.scale.items()}
    num_new = 0
    for name, scores in zeros.items():
        versions = {
            "task_version": tasks[name].version,
            "benchmark_version": benchmark.version_of(name),
        }
        for length, zero in scores.items():
            known = scale.setdefault(name, {}).get(str(length))
            if known is None or not known.holds_for(**versions):
                scale[name][str(length)] = Scale(zero=_rounded(zero), **versions)
                num_new += 1
    for name, references in hundreds.items():
        for length, (score, version) in references.items():
            known = scale.get(name, {}).get(str(length))
            if known and known.vanilla_version != version:
                update = {"hundred": _rounded(score), "vanilla_version": version}
                _check_better(name, length, known.zero, update["hundred"], tasks[name])
                scale[name][str(length)] = known.model_copy(update=update)
                num_new += 1
    if num_new:
        _write(benchmark, scale)
    return num_new


def _check_better(name: str, length: int, zero: float, hundred: float, task: Task) -> None:
    if hundred > zero if task.primary_metric.higher_is_better else hundred < zero:
        return
    raise RequestError(
        f"The reference of {name} at length {length} must be better than the trivial predictor",
        received=f"{hundred:g} against {zero:g}",
        remedy="Check the published final runs",
    )


def _rounded(score: float) -> float:
    return float(f"{score:.{DIGITS}g}")


def _write(benchmark: Benchmark, scale: Mapping[str, Mapping[str, Scale]]) -> None:
    """Replace the sections of the scale and their hash in the file."""
    tables = {
        task: {length: _inline(values) for length, values in by_length.items()}
        for task, by_length in scale.items()
    }
    text = with_tables(benchmark.path.read_text(), SCALE, tables)
    benchmark.path.write_text(with_hash(text, SCALE, hash_scale(scale)))


def _inline(scale: Scale) -> str:
    stated = scale.model_dump(exclude_none=True).items()
    return f"{{ {', '.join(f'{name} = {value!r}' for name, value in stated)} }}"
