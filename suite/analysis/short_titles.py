"""Short names of comparisons, for people who choose one of a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from suite.analysis.grouping import ComparisonKey
from suite.api import Mode

DISTINGUISHING: tuple[Callable[[ComparisonKey], str], ...] = (
    lambda key: "open track" if key.track == "open" else "",
    lambda key: key.task_options,
    lambda key: key.source,
    lambda key: f"size {key.model_size}",
    lambda key: f"{key.steps:,} steps",
    lambda key: key.batch,
    lambda key: key.backend,
    lambda key: key.precision,
    lambda key: f"{key.threads} thread{'s' if key.threads > 1 else ''}" if key.threads else "",
    lambda key: key.machine,
    lambda key: f"data {key.fingerprint[:8]}" if key.fingerprint else "joined data",
)
"""The parts of a name, the most telling first."""


def short_titles(keys: Iterable[ComparisonKey]) -> dict[ComparisonKey, str]:
    """Return a short name of each key, such as "core-1" or "trials, 300 steps".

    A name has only the parts that tell the key from other keys of its task, or of its form for
    probes. Each name is therefore unique within a task, and not among all keys.
    """
    subjects: dict[tuple[Mode, str, str], dict[ComparisonKey, str]] = {}
    for key in keys:
        form = key.form if key.mode is not Mode.TRAIN else ""
        subjects.setdefault((key.mode, key.task, form), {})[key] = _start(key)
    names: dict[ComparisonKey, str] = {}
    for subject in subjects.values():
        for part in DISTINGUISHING:
            subject = _extended(subject, part)
        names |= subject
    return names


def _start(key: ComparisonKey) -> str:
    if key.mode is not Mode.TRAIN:
        return f"{key.benchmark or f'{key.mode}s'}, {key.batch}"
    if key.benchmark:
        return key.benchmark
    return "trials scored on validation" if key.split == "validation" else "trials with --test"


def _extended(
    names: dict[ComparisonKey, str], part: Callable[[ComparisonKey], str]
) -> dict[ComparisonKey, str]:
    """Add a part to the names that several keys have, where the part differs between them."""
    parts: dict[str, set[str]] = {}
    for key, name in names.items():
        parts.setdefault(name, set()).add(part(key))
    return {
        key: f"{name}, {part(key)}" if len(parts[name]) > 1 and part(key) else name
        for key, name in names.items()
    }
