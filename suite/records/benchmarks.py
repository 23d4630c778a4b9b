"""Benchmarks: named, versioned, frozen files of tasks, lengths, seeds and budgets.

A benchmark is a TOML file in `suite/matrix/benchmarks`, or in the folder `benchmarks` of a folder
of BENCH_PATH. It is frozen when the file states the hash of its version; a later change needs a new
version. Only the runs of a frozen benchmark score the test split.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from suite.api import BACKENDS, PRECISIONS, Cell, Form, PluginError, Task, Track
from suite.api.errors import RequestError, check_name, unknown_name
from suite.api.files import CHECKOUT
from suite.records.benchmark_sections import (
    BenchmarkSection,
    DecodingSettings,
    EntrySettings,
    ExpectedFigure,
    ModelSizes,
    OtherTasks,
    ProbeSettings,
    Seeds,
    SettingsOfTask,
    TaskSettings,
    TuningSettings,
)
from suite.records.options import defaults_of, listed_options

BUILT_IN = CHECKOUT / "suite" / "matrix" / "benchmarks"
FOLDER = "benchmarks"
"""The name of the folder of benchmarks in a folder of BENCH_PATH."""
DEFAULT_BENCHMARK = "quick"
DECODING_BENCHMARK = "cost"
"""The default of mode decode: `quick` is frozen without decodings."""
UNHASHED = ("summary", "expected", "trivial", "frozen")
"""The fields that change no cell; the others are part of the hash."""
HASH_DIGITS = 16
NOT_OF_A_TASK = {"version", "unchanged_since", "tasks", "data", "entries", "other_tasks", "probes",
                 "decodings"}  # fmt: skip
"""The fields of which a task's hash has its own part, or nothing."""


class Benchmark(BenchmarkSection):
    """A benchmark file.

    The trainings of each of a task's settings are comparisons of their own. `frozen` maps a version
    to the hash that it was frozen with, and "VERSION.TASK" to the hash of a task in it.
    `unchanged_since` maps a task to the earlier version whose runs still count. `data` maps a task
    to the fingerprint of its raw examples at each length (a string, as TOML has it), and `trivial`
    to the test score of a trivial predictor. Only runs on this data are on the leaderboard.
    An empty `architectures` means all that support a task. `entries` add variants, also of
    architectures that the list leaves out.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: int = Field(ge=1)
    summary: str
    track: Track = Field(Track.STANDARD, strict=False)
    ranked: bool = True
    model_size: ModelSizes = Field(min_length=1, strict=False)
    precision: str = PRECISIONS[0]
    backend: str = BACKENDS[0]
    seeds: Seeds = Field((), strict=False)
    time_limit_seconds: int = Field(ge=1)
    architectures: tuple[str, ...] = Field((), strict=False)
    tasks: Mapping[str, SettingsOfTask] = {}
    other_tasks: OtherTasks | None = None
    probes: tuple[ProbeSettings, ...] = Field((), strict=False)
    decodings: tuple[DecodingSettings, ...] = Field((), strict=False)
    entries: tuple[EntrySettings, ...] = Field((), strict=False)
    tuning: TuningSettings | None = None
    expected: tuple[ExpectedFigure, ...] = Field((), strict=False)
    data: Mapping[str, Mapping[str, str]] = {}
    trivial: Mapping[str, Mapping[str, float]] = {}
    unchanged_since: Mapping[str, int] = {}
    frozen: Mapping[str, str] = {}
    content_hash: str
    task_hashes: Mapping[str, str] = {}
    path: Path

    @model_validator(mode="after")
    def _check(self) -> Benchmark:
        for axis, name, known in (
            ("precision", self.precision, PRECISIONS),
            ("backend", self.backend, BACKENDS),
        ):
            if name not in known:
                raise ValueError(f"{axis}: choose one of {', '.join(known)}")
        if (self.tasks or self.other_tasks) and not self.seeds:
            raise ValueError("a benchmark with tasks states its seeds")
        if not (self.tasks or self.other_tasks or self.probes or self.decodings):
            raise ValueError(
                "a benchmark has [tasks.NAME], [other_tasks], [[probes]] or [[decodings]]"
            )
        for name, several in self.tasks.items():
            if len(sources := {settings.source for settings in several}) > 1:
                texts = " and ".join(sorted(source or "the default" for source in sources))
                raise ValueError(f"task {name}: its settings share one source, not {texts}")
        for what, sized in (
            *((f"task {name}", settings) for name, settings in self.each_settings),
            *(("probes", settings) for settings in self.probes),
            *(("decodings", settings) for settings in self.decodings),
        ):
            if (sized.positions_per_step is None) == (sized.examples_per_step is None):
                raise ValueError(f"{what}: give positions_per_step or examples_per_step")
        for name, settings in self.each_settings:
            positions = settings.positions_per_step
            if positions and (odd := [n for n in settings.lengths if n < 1 or positions % n]):
                raise ValueError(
                    f"task {name}: positions_per_step = {positions} is not divisible by the "
                    f"lengths {odd}, so that updates would differ in positions: change either"
                )
        if any(settings.form is Form.ENCODER for settings in self.decodings):
            raise ValueError("decodings: an encoder generates nothing: choose another form")
        lengths = {length for _, settings in self.each_settings for length in settings.lengths}
        budgets = {steps for _, settings in self.each_settings for steps in settings.steps}
        for entry in self.entries:
            if entry.is_plain and not self.includes(entry.architecture):
                missing = f"entries: the benchmark does not include {entry.architecture}"
                raise ValueError(f"{missing}: change architectures")
            for limit, unknown in (
                ("tasks", set(entry.tasks) - set(self.tasks)),
                ("lengths", set(entry.lengths) - lengths),
                ("steps", set(entry.steps) - budgets),
            ):
                if unknown:
                    raise ValueError(
                        f"entries: {entry.architecture} is limited to {limit} that the benchmark "
                        f"does not have, {', '.join(map(str, unknown))}: change {limit}"
                    )
        for name, points in self.tuning.at.items() if self.tuning else ():
            several = self.tasks.get(name, ())
            for point in points:
                if not any(point.is_of(settings) for settings in several):
                    raise ValueError(
                        f"tuning.at.{name}: the benchmark has no such task with the length "
                        f"{point.length} and {point.steps} steps: change either"
                    )
            if any(sum(point.is_of(settings) for point in points) > 1 for settings in several):
                raise ValueError(f"tuning.at.{name}: the same settings have two points: remove one")
        if self.frozen.get(str(self.version), self.content_hash) != self.content_hash:
            raise ValueError(
                f"version {self.version} is frozen with the hash "
                f"{self.frozen[str(self.version)]}, but the file has {self.content_hash}: "
                "a changed benchmark needs a new version: raise the version or undo the edit"
            )
        for task, version in self.unchanged_since.items():
            self._check_unchanged(task, version)
        if self.is_frozen and self.ranked and (lacking := self._places_without_data()):
            raise ValueError(
                f"data: a frozen benchmark that is ranked states its data, but not that of "
                f"{lacking[0]}: only `bench benchmarks --freeze` writes it"
            )
        return self

    def _check_unchanged(self, task: str, version: int) -> None:
        stated = self.frozen.get(f"{version}.{task}")
        if version >= self.version or str(version) not in self.frozen or stated is None:
            raise ValueError(
                f"unchanged_since: {task} = {version} is not a frozen version before "
                f"{self.version} that had this task"
            )
        if stated != self.task_hashes.get(task):
            raise ValueError(
                f"unchanged_since: the task {task} is not as it was in version {version}, which "
                f"has the hash {stated} for it; now it has {self.task_hashes.get(task)}: remove "
                "its line, so that its runs are those of the new version"
            )

    def _places_without_data(self) -> list[str]:
        return [
            f"{task} at length {length}"
            for task, settings in self.each_settings
            for length in settings.lengths
            if self.fingerprint(task, length) is None
        ]

    @property
    def each_settings(self) -> list[tuple[str, TaskSettings]]:
        """Each task with each of its settings, in the order of the file."""
        return [(name, settings) for name, several in self.tasks.items() for settings in several]

    def fingerprint(self, task: str, length: int) -> str | None:
        """Return the stated fingerprint of the data of a task at a length, or None."""
        return self.data.get(task, {}).get(str(length))

    def trivial_score(self, task: str, length: int) -> float | None:
        """Return the stated test score of a task's trivial predictor at a length, or None."""
        return self.trivial.get(task, {}).get(str(length))

    @property
    def is_frozen(self) -> bool:
        """Whether this version is frozen, so that its runs score the test split."""
        return str(self.version) in self.frozen

    def includes(self, architecture: str) -> bool:
        """Return whether an architecture is an entry if a request names none."""
        return not self.architectures or architecture in self.architectures

    def has_entries(self, task: str, length: int, steps: int) -> bool:
        """Return whether some entry runs a task at a length for a number of steps."""
        limited = {entry.architecture for entry in self.entries if entry.is_plain}
        return not limited.issuperset(self.architectures or ("",)) or any(
            entry.includes(task, length, steps) for entry in self.entries
        )

    @property
    def model_size_text(self) -> str:
        """The model sizes, such as "size tiny" or "sizes tiny, mini"."""
        return f"size{'s' if len(self.model_size) > 1 else ''} {', '.join(self.model_size)}"

    @property
    def label(self) -> str:
        """The name and the version, such as "core-1"."""
        return f"{self.name}-{self.version}"

    def label_of(self, task: str | None, version: int | None = None) -> str:
        """Return the label of a task's runs: that of the version `version_of`."""
        return f"{self.name}-{self.version_of(task, version)}"

    def version_of(self, task: str | None, version: int | None = None) -> int:
        """Return the version in which a task changed last, up to a version, by default this one."""
        version = version or self.version
        return min(version, self.unchanged_since.get(task or "", version))

    def hash_of(self, task: str | None) -> str:
        """Return the hash of the version in which a task changed last."""
        version = self.version_of(task)
        return self.content_hash if version == self.version else self.frozen[str(version)]

    def settings_of(self, key: str, task: Task) -> Sequence[TaskSettings]:
        """Return all settings of a task.

        Raises:
            RequestError: the benchmark has no such task, its batches do not fit the task, or two of
                its settings have the same options and a common length.
        """
        several = self.tasks.get(key) or self._settings_of_other(task)
        if not several:
            raise unknown_name(f"task of the benchmark '{self.name}'", key, self.tasks)
        for settings in several:
            fixed = "positions" if settings.positions_per_step else "examples"
            if fixed != task.scored_unit:
                raise RequestError(
                    f"The task '{key}' scores {task.scored_unit}, so that its batches have equally "
                    f"many {task.scored_unit} at every length",
                    received=f"{fixed}_per_step in {self.path.name}",
                    remedy=f"Write {task.scored_unit}_per_step",
                )
        for settings, other in combinations(several, 2):
            common = set(settings.lengths).intersection(other.lengths)
            if common and listed_options(task, settings.options) == listed_options(
                task, other.options
            ):
                raise RequestError(
                    f"Two settings of the task '{key}' have the same options and a common length",
                    received=f"length {min(common)} twice in {self.path.name}",
                    remedy="Change the options or the lengths of one of them",
                )
        return several

    def nearest_settings(self, cell: Cell, task: Task) -> TaskSettings | None:
        """Return the settings with most options of a cell, then its length; None without any."""
        known = defaults_of(task).keys()
        of_cell = {name: value for name, value in cell.options.items() if name in known}

        def nearness(settings: TaskSettings) -> tuple[int, bool]:
            listed = listed_options(task, settings.options)
            differing = sum(
                of_cell.get(name) != listed.get(name) for name in of_cell.keys() | listed.keys()
            )
            return -differing, cell.sequence_length in settings.lengths

        return max(self.tasks.get(cell.task or "", ()), key=nearness, default=None)

    def tuning_point(self, cell: Cell, task: Task | None) -> Cell:
        """Return the cell at which the learning rate of a cell is chosen, possibly itself."""
        points = self.tuning.at.get(cell.task or "", ()) if self.tuning else ()
        settings = self.nearest_settings(cell, task) if points and task else None
        if settings is None or cell.batch_size != settings.batch_size(cell.sequence_length):
            return cell
        point = next((point for point in points if point.is_of(settings)), None)
        if point is None:
            return cell
        return replace(
            cell,
            sequence_length=point.length,
            steps=point.steps,
            batch_size=settings.batch_size(point.length),
        )

    def _settings_of_other(self, task: Task) -> Sequence[TaskSettings]:
        other = self.other_tasks
        if other is None:
            return ()
        positions = task.scored_unit == "positions"
        settings = TaskSettings(
            lengths=task.default_lengths[: other.num_lengths],
            steps=(other.steps,),
            positions_per_step=other.positions_per_step if positions else None,
            examples_per_step=None if positions else other.examples_per_step,
        )
        return (settings,)


def benchmark_names(search_path: Sequence[str] = ()) -> list[str]:
    """Return the names of all benchmarks.

    Raises:
        PluginError: two files have the same name.
    """
    return sorted(_files(search_path))


def find_benchmark(name: str, search_path: Sequence[str] = ()) -> Benchmark:
    """Return a benchmark, without reading the others.

    Raises:
        RequestError: the name is unknown.
        PluginError: the file is not a benchmark.
    """
    paths = _files(search_path)
    check_name("benchmark", name, paths)
    return read_benchmark(paths[name])


def read_benchmark(path: Path) -> Benchmark:
    """Read a benchmark file.

    Raises:
        PluginError: the file is not a benchmark; the message names the field.
    """
    try:
        return _parse(path, path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise _malformed(path, str(error)) from None


@lru_cache(maxsize=256)
def _parse(path: Path, text: str) -> Benchmark:
    """Return the benchmark of a file's text; a search plans with the same files again and again."""
    try:
        content = tomllib.loads(text)
        if content.get("name") != path.stem:
            raise ValueError(f"name: the file's name is {path.stem}, not {content.get('name')}")
        hashes = {task: hash_task(content, task) for task in content.get("tasks", {})}
        benchmark = Benchmark(
            **content, content_hash=hash_content(content), task_hashes=hashes, path=path
        )
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        # A misspelt field explains the missing one.
        first = min(errors, key=lambda item: item["type"] != "extra_forbidden")
        field = _field_path(content, first["loc"])
        raise _malformed(path, f"{field}: {first['msg']}" if field else first["msg"]) from None
    except (ValueError, TypeError) as error:  # TOMLDecodeError is a ValueError
        raise _malformed(path, str(error)) from None
    return benchmark


def hash_content(content: Mapping[str, Any]) -> str:
    """Return the hash of a benchmark's content, without the fields that change no cell."""
    return _hash({name: value for name, value in content.items() if name not in UNHASHED})


def hash_task(content: Mapping[str, Any], task: str) -> str:
    """Return the hash of all that concerns a task in a benchmark's content."""
    left_out = NOT_OF_A_TASK.union(UNHASHED)
    entries = [_entry_of(entry, task) for entry in content.get("entries", ())]
    return _hash(
        {
            **{name: value for name, value in content.items() if name not in left_out},
            "task": content["tasks"][task],
            "data": content.get("data", {}).get(task),
            "entries": [entry for entry in entries if entry],
        }
    )


def _entry_of(entry: Mapping[str, Any], task: str) -> dict[str, Any]:
    """Return the fields of an entry that concern a task; empty without any."""
    if not entry.get("tasks") or task in entry["tasks"]:
        return {name: value for name, value in entry.items() if name != "tasks"}
    # Without options and methods, an entry limits its architecture, also on other tasks.
    is_plain = not (entry.get("options") or entry.get("methods"))
    return {"architecture": entry["architecture"], "left_out": True} if is_plain else {}


def _hash(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:HASH_DIGITS]


def _files(search_path: Sequence[str]) -> dict[str, Path]:
    paths: dict[str, Path] = {}
    for folder in (BUILT_IN, *(Path(root) / FOLDER for root in search_path)):
        for path in sorted(folder.glob("*.toml")):
            if path.stem in paths:
                raise PluginError(
                    f"Two benchmarks have the name '{path.stem}'",
                    received=f"{paths[path.stem]} and {path}",
                    remedy="Rename one of the two",
                )
            paths[path.stem] = path
    return paths


def _field_path(content: Any, parts: Sequence[int | str]) -> str:
    """Return the path of a field as the file has it: a table or a number alone has no index."""
    names = []
    for part in parts:
        if isinstance(part, int) and not isinstance(content, list):
            continue
        names.append(str(part))
        has_part = isinstance(content, list) or (isinstance(content, dict) and part in content)
        content = content[part] if has_part else None
    return ".".join(names)


def _malformed(path: Path, received: str) -> PluginError:
    return PluginError(
        "A benchmark is a TOML file as docs/add-a-benchmark.md describes it",
        received=f"{path.name}: {' '.join(received.split())[:400]}",
        remedy="Correct the file",
    )
