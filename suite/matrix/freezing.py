"""The freezing of a benchmark: its check against registry and records, and edits of its file.

A command writes the fingerprints of the data, the scores of trivial predictors, and the hashes of
[frozen]. The rest of the file stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import tomlkit

from suite.api import RUN_OPTIONS, Form, Mode, PluginError, Track
from suite.api.errors import RequestError, check_name
from suite.api.files import RESULTS, atomic_write_bytes
from suite.matrix.expansion import expand
from suite.matrix.planned_cells import PlannedCell
from suite.matrix.registry import Registry
from suite.matrix.request import Request
from suite.records.benchmarks import (
    Benchmark,
    hash_content,
    hash_task,
    read_benchmark,
)
from suite.records.naming import split_label
from suite.records.options import defaults_of
from suite.records.published import read_published

FLOOR = "identity"
"""The control that mixes no positions: every ranked benchmark has it."""

Fingerprints = Mapping[str, Mapping[int, str]]
"""The fingerprint of the data of each task, by length."""
TrivialScores = Mapping[str, Mapping[int, float]]
"""The test score of each task's trivial predictor, by length."""
DIGITS = 6
"""The number of significant digits of a score in the file."""
PublishedHashes = Mapping[str, AbstractSet[str]]
"""The hashes that published records state for a benchmark, by label such as "core-1"."""


def checked_cells(benchmark: Benchmark, registry: Registry) -> list[PlannedCell]:
    """Return the cells of a benchmark after a check of the whole file against the registry.

    Raises:
        RequestError: a name, an option or a length is invalid, or a control is missing.
        PluginError: the file of a task or an architecture cannot be used.
    """
    _check_entries(benchmark, registry)
    if not (benchmark.tasks or benchmark.probes or benchmark.decodings):
        return []
    cells = expand(Request(mode=None, benchmark=benchmark.name), registry)
    _check_lengths(benchmark, cells)
    if benchmark.ranked:
        _check_controls(
            benchmark, registry, {(planned.cell.mode, planned.cell.form) for planned in cells}
        )
    return cells


def published_hashes(results: Path = RESULTS) -> dict[str, set[str]]:
    """Return the hashes that the published records state for each benchmark.

    Raises:
        RecordError: a file is not a record.
    """
    hashes: dict[str, set[str]] = {}
    for stored in read_published(results):
        label, stated = stored.record.cell.benchmark, stored.record.ranking.benchmark_hash
        if label is not None and stated is not None:
            hashes.setdefault(label, set()).add(stated)
    return hashes


def check_published(benchmark: Benchmark, hashes: PublishedHashes) -> None:
    """Raise a RequestError unless the file has the hash of each version that has published runs.

    A version is therefore not redefined by an edit of its line in [frozen].
    """
    for label, published in sorted(hashes.items()):
        name, version = split_label(label)
        if name != benchmark.name or published == {benchmark.frozen.get(version)}:
            continue
        text = " and ".join(sorted(published))
        raise RequestError(
            f"Version {version} of the benchmark '{name}' has published runs with the hash {text}",
            received=f"{benchmark.frozen.get(version, 'no hash')} in [frozen] of "
            f"{benchmark.path.name}",
            remedy="Restore the file; a changed benchmark needs a new version",
        )


def freeze(
    benchmark: Benchmark, data: Fingerprints | None = None, trivial: TrivialScores | None = None
) -> str:
    """Write the facts about the data and the hashes of a version into its file.

    Return the hash, which covers the fingerprints. A benchmark that is not ranked needs no data.

    Raises:
        RequestError: the version is frozen already, or data is missing.
    """
    if benchmark.is_frozen:
        raise RequestError(
            f"Version {benchmark.version} of the benchmark '{benchmark.name}' is frozen already",
            remedy="Raise the version after a change",
        )
    text = benchmark.path.read_text()
    document = tomlkit.parse(text)
    frozen = document.pop("frozen", tomlkit.table())
    _set_tables(document, "data", data or {})
    if trivial is not None:
        rounded = {
            task: {length: float(f"{score:.{DIGITS}g}") for length, score in by_length.items()}
            for task, by_length in trivial.items()
        }
        _set_tables(document, "trivial", rounded)
    content = document.unwrap()
    for task in content.get("tasks", {}):
        if task not in benchmark.unchanged_since:
            frozen[f"{benchmark.version}.{task}"] = hash_task(content, task)
    frozen[str(benchmark.version)] = hash_content(content)
    document["frozen"] = frozen  # the last table
    atomic_write_bytes(benchmark.path, tomlkit.dumps(document).encode())
    try:
        return read_benchmark(benchmark.path).content_hash
    except PluginError as error:
        atomic_write_bytes(benchmark.path, text.encode())
        raise RequestError(
            f"The benchmark '{benchmark.name}' cannot be frozen", received=str(error)
        ) from None


def _check_entries(benchmark: Benchmark, registry: Registry) -> None:
    """Check that each option of an entry is one of its architecture, since all share the recipe.

    On the open track an entry may also change the recipe and the options of a task.
    """
    tasks = [registry.tasks.get(name) for name in benchmark.tasks]
    of_tasks = {name for task in tasks for name in defaults_of(task)}
    shared = of_tasks if benchmark.track is Track.OPEN else set()
    for entry in benchmark.entries:
        known = {*RUN_OPTIONS, *shared, *registry.architectures.get(entry.architecture).options}
        for name in entry.options:
            if name in of_tasks - known:
                raise RequestError(
                    "All entries of the standard track share the recipe and the task's options",
                    received=f"{name} of the entry {entry.architecture}",
                    remedy='Set it in [tasks.NAME] for all entries, or write track = "open"',
                )
            check_name(f"option of the entry {entry.architecture}", name, known)


def _check_lengths(benchmark: Benchmark, cells: Sequence[PlannedCell]) -> None:
    reasons: dict[tuple[str, int], list[str | None]] = {}
    for planned in cells:
        what = planned.cell.task or f"{planned.cell.mode}, {planned.cell.form}"
        reasons.setdefault((what, planned.cell.sequence_length), []).append(planned.unsupported)
    for (what, length), texts in reasons.items():
        if all(texts):
            raise RequestError(
                f"No entry of the benchmark '{benchmark.name}' can run {what} at length {length:,}",
                received=texts[0],
                remedy="Correct the lengths, options or architectures of the file",
            )


def _check_controls(
    benchmark: Benchmark, registry: Registry, workloads: Iterable[tuple[Mode, Form]]
) -> None:
    """Check that a ranked benchmark has the floor and another control, if they support a workload.

    A control may be an entry with options.
    """
    workloads = list(workloads)
    able = [
        name
        for name, plugin in sorted(registry.architectures.plugins.items())
        if plugin.control
        and any(
            form in plugin.forms and not (plugin.probe_only and mode is Mode.TRAIN)
            for mode, form in workloads
        )
    ]
    entries = {entry.architecture for entry in benchmark.entries}
    missing = [name for name in able if not benchmark.includes(name) and name not in entries]
    if FLOOR in missing or len(able) - len(missing) < min(2, len(able)):
        raise RequestError(
            f"A ranked benchmark has '{FLOOR}' and another control: '{benchmark.name}' lacks "
            f"{', '.join(missing)}",
            received=f"architectures {list(benchmark.architectures)}",
            remedy="Add the controls, or write ranked = false",
        )


def _set_tables(
    document: tomlkit.TOMLDocument, section: str, tables: Mapping[str, Mapping[int, Any]]
) -> None:
    """Write tables in place of all `[SECTION.…]`.

    A table that stays keeps its comments; one that goes takes the comments below it.
    """
    former = document.setdefault(section, tomlkit.table(is_super_table=True))
    for task in [*former]:
        if task not in tables:
            del former[task]
    for task, values in tables.items():
        table = former.setdefault(task, tomlkit.table())
        for key in [*table]:
            if key not in map(str, values):
                del table[key]
        for length, value in values.items():
            table[str(length)] = value
    if not former:
        del document[section]
