"""Tuned learning rates on disk: `results/tuning/<task>/<architecture>/<key>.json`.

The key is made of all that a good rate depends on (`tuning_setting`): a cell that differs in any of
it has no tuned rate. The setting in the file also states the rates and the seeds of the search.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict  # pydantic takes that of typing from Python 3.12 on

from suite.api import PROTOCOL, Cell, DataError, methods_text, training_methods
from suite.api.files import RESULTS, atomic_write_bytes
from suite.records.benchmark_sections import TuningSettings
from suite.records.schema import TuningChoice, first_error

TUNING = RESULTS / "tuning"
KEPT = ("learning_rate", "metric", "setting", "good_range_decades", "cost", "trials")
"""The fields of a tuning file that a record holds too."""
STRATEGY = "strategy"
"""The name of the rates and the seeds of the search in a setting; they are not part of the key."""


@with_config(extra="allow")
class TunedSetting(TypedDict):
    """The fields of the setting in a file that commands read, with the rates and the seeds."""

    source: str
    sequence_length: int
    batch_size: int
    model_size: str
    steps: int
    options: Mapping[str, Any]
    strategy: TuningSettings


SETTING = TypeAdapter(TunedSetting)


def tuning_setting(cell: Cell, source_digest: str) -> dict[str, Any]:
    """Return what a tuned rate is valid for; methods that come after the training do not matter."""
    trained = training_methods(cell.methods)
    methods = {"methods": methods_text(trained)} if trained else {}
    return {
        "source": cell.source,
        "source_digest": source_digest,
        "sequence_length": cell.sequence_length,
        "batch_size": cell.batch_size,
        "model_size": cell.model_size,
        "steps": cell.steps,
        "options": {name: value for name, value in cell.options.items() if name != "learning_rate"},
        "precision": cell.precision,
        "backend": cell.backend,
        "task_version": cell.task_version,
        "architecture_version": cell.architecture_version,
        **methods,
    }


def tuning_path(cell: Cell, source_digest: str, folder: Path = TUNING) -> Path:
    """Return the file that holds a cell's tuned rate."""
    setting = tuning_setting(cell, source_digest)
    del setting["source"]  # two names of the same bytes share a rate
    canonical = json.dumps(setting, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:16]
    key = f"{cell.sequence_length}-{cell.model_size}-{digest}"
    return folder / str(cell.task) / cell.architecture / f"{key}.json"


def find_tuned_rate(
    cell: Cell, source_digest: str | None, folder: Path = TUNING
) -> TuningChoice | None:
    """Return the rate that was tuned for exactly this cell and source, or None.

    Raises:
        DataError: the cell's tuning file is malformed. Other files are not read.
    """
    if cell.task is None or source_digest is None:
        return None
    path = tuning_path(cell, source_digest, folder)
    try:
        choice = _read(path)
    except FileNotFoundError:
        return None
    if (stated := choice.setting.get("source_digest")) != source_digest:
        raise _malformed(path, ValueError(f"source_digest {stated}"))
    return choice


def write_choice(
    cell: Cell,
    source_digest: str,
    strategy: Mapping[str, Any],
    evidence: Mapping[str, Any],
    folder: Path = TUNING,
) -> Path:
    """Write a choice for a final run and return its file.

    `strategy` holds the rates and the seeds of the search, and `evidence` the fields `KEPT` except
    the setting.
    """
    content = {
        "task": cell.task,
        "architecture": cell.architecture,
        "protocol": PROTOCOL,
        "setting": {**tuning_setting(cell, source_digest), STRATEGY: dict(strategy)},
        **evidence,
    }
    path = tuning_path(cell, source_digest, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_bytes(path, (json.dumps(content, indent=1) + "\n").encode())
    return path


@dataclass(frozen=True, slots=True)
class Tuned:
    """A choice of a learning rate, and the task and the architecture that it is for."""

    task: str
    architecture: str
    choice: TuningChoice

    @property
    def score(self) -> float | None:
        """The mean validation score of the chosen rate in the last stage; None if unknown."""
        rate = self.choice.learning_rate
        of_rate = [trial for trial in self.choice.trials if trial["learning_rate"] == rate]
        last = max(of_rate, key=lambda trial: len(trial["runs"]), default=None)
        return last.get("validation") if last else None


def read_choices(folder: Path = TUNING) -> list[Tuned]:
    """Return all choices of a folder, sorted by file.

    Raises:
        DataError: a tuning file is malformed.
    """
    return [
        Tuned(path.parent.parent.name, path.parent.name, _read(path))
        for path in sorted(folder.glob("*/*/*.json"))
    ]


def _read(path: Path) -> TuningChoice:
    try:
        content = json.loads(path.read_bytes())
        SETTING.validate_python(content["setting"])
        return TuningChoice(**{name: content[name] for name in KEPT})
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _malformed(path, error) from None


def _malformed(path: Path, error: Exception) -> DataError:
    what = f"{type(error).__name__}: {error}"
    if isinstance(error, ValidationError):
        what = first_error(error)
    return DataError(
        "A tuning file must be JSON as `bench tune` writes it",
        received=f"{path} ({what[:200]})",
        remedy="Delete the file, or run `bench tune` again",
    )
