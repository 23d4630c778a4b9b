"""Encoded data, kept on disk: a matrix of many cells reads and encodes a source once.

An entry is a folder of `.npy` files, opened as memory maps, and what else the task said of its
data. Its name is a hash of all that decides the content: the task, its code, the source's bytes,
the length, the options. Entries are made aside and moved into place, so two cells may make one at
once, and a folder that disappears is made again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from suite.api import Examples, Job, Options, Task, TaskData
from suite.api.files import digest_paths
from suite.api.plugins import plugin_files

SPLITS = ("train", "validation", "test")


def load(job: Job, task: Task, options: Options) -> TaskData:
    """Return a cell's data, from disk where it was made before.

    Data whose source has no digest yet (it is still to be downloaded) is made and not kept.
    """
    assert job.source is not None
    source = replace(job.source, cache_dir=str(job.cache))
    length = job.cell.sequence_length
    if job.source_digest is None:
        return task.load(source, length, options)
    entry = job.cache / _key(job, task, options)
    if (kept := _open(entry)) is None:
        data = task.load(source, length, options)
        _keep(data, entry)
        kept = _open(entry) or data
    return _read_through(kept)


def _key(job: Job, task: Task, options: Options) -> str:
    cell = job.cell
    decides = [
        cell.task,
        task.version,
        _code_digest(task),
        job.source_digest,
        cell.source,
        cell.sequence_length,
        dict(options),
    ]
    canonical = json.dumps(decides, sort_keys=True, separators=(",", ":"))
    return f"{cell.task}-{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


def _code_digest(task: Task) -> str:
    """Hash the task's code, so that edited code makes new data."""
    return digest_paths(plugin_files(task))


def _keep(data: TaskData, entry: Path) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=entry.parent, prefix=".making-"))
    try:
        for name, values in _arrays(data):
            np.save(aside / f"{name}.npy", values, allow_pickle=False)
        about = {"spec": dict(data.spec), "facts": dict(data.facts)}
        (aside / "about.json").write_text(json.dumps(about))
        with suppress(OSError):  # somebody else was first: theirs is the same
            aside.rename(entry)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _open(entry: Path) -> TaskData | None:
    try:
        about = json.loads((entry / "about.json").read_text())
        parts: dict[str, dict[str, dict[str, Any]]] = {
            split: {"features": {}, "targets": {}} for split in SPLITS
        }
        for path in sorted(entry.glob("*.npy")):
            split, kind, name = path.stem.split(".", 2)
            parts[split][kind][name] = np.load(path, mmap_mode="r")
    except FileNotFoundError:
        return None
    splits = {split: Examples(**parts[split]) for split in SPLITS}
    return TaskData(**splits, spec=about["spec"], facts=about["facts"])


def _read_through(data: TaskData) -> TaskData:
    """Touch every page now, so that none faults in while memory is being measured."""
    for _, values in _arrays(data):
        values.max(initial=0) if values.dtype != bool else values.any()
    return data


def _arrays(data: TaskData) -> Iterator[tuple[str, np.ndarray]]:
    for split in SPLITS:
        examples: Examples = getattr(data, split)
        groups: Mapping[str, Mapping[str, Any]] = {
            "features": examples.features,
            "targets": examples.targets,
        }
        for kind, arrays in groups.items():
            for name, values in arrays.items():
                yield f"{split}.{kind}.{name}", values
