"""Cache of encoded data: a matrix of many cells reads and encodes a source once.

`python -m suite.worker.data.encoded FOLDER` encodes the data of the job in a folder.

An entry is a folder of `.npy` files, which are opened as memory maps, `about.json` with the task's
spec and facts and the arrays' checksums, and `test.json` with the entries of the spec that belong
to the test split. The name of an entry is a hash of all that determines its content: the task, its
code, the source's digest, the length and the options. An entry is written to a temporary folder and
renamed, so two cells may write the same entry at once. A deleted or damaged entry is written again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from suite.api import DATA_OPTIONS, DataError, Examples, Job, Options, Task, TaskData, task_options
from suite.api.files import LOCK_FILE, digest_paths, flush_to_disk, held
from suite.api.plugins import TASKS, find_plugin, plugin_files

SPLITS_BEFORE_TEST = ("train", "validation")
SPLITS = (*SPLITS_BEFORE_TEST, "test")
TEST_SPEC = "test.json"
FORMAT = 3
"""The version of an entry's files."""


def load(job: Job, task: Task, options: Options) -> TaskData:
    """Return a cell's data: all of its splits, or a share of train if the cell says so.

    Cells with different shares have the same entry in the cache.

    Raises:
        DataError: the share has fewer examples than a batch.
    """
    share = job.cell.options.get("train_share", DATA_OPTIONS["train_share"])
    return take_train_share(
        _load_whole(job, task, options),
        share,
        batch_size=job.cell.batch_size,
        contiguous=task.contiguous,
    )


def _load_whole(job: Job, task: Task, options: Options) -> TaskData:
    """Return the data with the whole training split, from the cache where there is an entry.

    A cell that does not score the test split opens no file of it. Data whose source has no digest
    yet (before its download) is encoded and not cached.
    """
    assert job.source is not None
    source = replace(job.source, cache_dir=str(job.cache))
    length = job.cell.sequence_length
    if job.source_digest is None:
        return task.load(source, length, options)
    entry = job.cache / _key(job, task, options)
    opened = _opened_splits(job)
    if (kept := _open(entry, opened)) is None:
        data = task.load(source, length, options)
        _keep(data, entry)
        kept = _open(entry, opened) or data
    return kept


def encode_apart(job: Job, task: Task, options: Options) -> None:
    """Encode data that is not in the cache yet in a child process, so that `load` only opens it.

    Encoding leaves a heap with holes, which later allocations of the model fill. The peak of the
    first cell on new data would be too low: 48 MiB instead of 52 MiB for NER on
    CoNLL-2003. Only a process with one thread can fork safely. Elsewhere, and where the child
    fails, `load` encodes the data and raises its errors.
    """
    entry = job.cache / _key(job, task, options)
    if job.source_digest is None or _num_threads() != 1:
        return
    if _open(entry, _opened_splits(job)) is not None:
        return
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _load_whole(job, task, options)
            status = 0
        finally:
            os._exit(status)
    os.waitpid(child, 0)


def _opened_splits(job: Job) -> Collection[str]:
    return SPLITS if job.cell.scores_test else SPLITS_BEFORE_TEST


def _num_threads() -> int | None:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return None


def _key(job: Job, task: Task, options: Options) -> str:
    cell = job.cell
    determinants = [
        cell.task,
        task.version,
        FORMAT,
        digest_paths(plugin_files(task)),  # edited code encodes the data again
        job.source_digest,
        cell.source,
        cell.sequence_length,
        dict(options),
    ]
    canonical = json.dumps(determinants, sort_keys=True, separators=(",", ":"))
    return f"{cell.task}-{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


def _keep(data: TaskData, entry: Path) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=entry.parent, prefix=".making-"))
    try:
        with held(temporary / LOCK_FILE):
            _write(data, temporary)
        with suppress(OSError):  # another cell was first and wrote the same content
            temporary.rename(entry)
            flush_to_disk(entry.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(data: TaskData, folder: Path) -> None:
    checksums = {}
    for name, values in _arrays(data):
        np.save(folder / f"{name}.npy", values, allow_pickle=False)
        checksums[name] = _checksum(values)
    test_spec = {name: data.spec[name] for name in data.sealed_spec}
    about = {
        "spec": {**data.spec, **data.sealed_spec},
        "facts": dict(data.facts),
        "sealed": list(data.sealed_spec),
        "checksums": checksums,
    }
    (folder / "about.json").write_text(json.dumps(about))
    (folder / TEST_SPEC).write_text(json.dumps(test_spec))
    for path in (*folder.iterdir(), folder):
        flush_to_disk(path)


def _open(entry: Path, opened: Collection[str]) -> TaskData | None:
    """Return the splits `opened` of an entry, the others without arrays; delete a damaged entry."""
    if not entry.exists():
        return None
    try:
        return _read(entry, opened)
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError):
        shutil.rmtree(entry, ignore_errors=True)
        return None


def _read(entry: Path, opened: Collection[str]) -> TaskData:
    about = json.loads((entry / "about.json").read_text())
    parts: dict[str, dict[str, dict[str, Any]]] = {
        split: {"features": {}, "targets": {}} for split in SPLITS
    }
    for array, checksum in about["checksums"].items():
        split, kind, name = array.split(".", 2)
        if split in opened:
            values = np.load(entry / f"{array}.npy", mmap_mode="r")
            if _checksum(values) != checksum:
                raise ValueError(f"{array} is not the array that was written")
            parts[split][kind][name] = values
    test_spec = json.loads((entry / TEST_SPEC).read_text()) if "test" in opened else {}
    splits = {split: Examples(**parts[split]) for split in SPLITS}
    sealed_spec = {name: about["spec"][name] for name in about["sealed"]}
    return TaskData(
        **splits, spec={**about["spec"], **test_spec}, facts=about["facts"], sealed_spec=sealed_spec
    )


def _checksum(values: np.ndarray) -> str:
    """Return a checksum of an array.

    This reads every page of a memory map, so that none faults in while memory is measured.
    """
    flat = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    return f"{values.dtype.str} {values.shape} {zlib.crc32(flat.data)}"


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


SEED = 20_261_126
"""The seed of the order in which examples are taken: the same for all cells."""


def take_train_share(
    data: TaskData, share: float, *, batch_size: int, contiguous: bool
) -> TaskData:
    """Return data whose training split has a share of the encoded examples; a share of 1 has all.

    A smaller share is part of a larger one, and all seeds of a comparison train on the same
    examples: the beginning of a `contiguous` stream, otherwise a random draw. A vocabulary stays
    that of the whole split, so that all shares train a model of the same size on the same ids. The
    fact `train_share_examples` is the number of examples that are left, and a note says so.

    Raises:
        DataError: the share has fewer examples than a batch.
    """
    if share == 1:
        return data
    whole = data.train.num_examples
    count = round(share * whole)
    kept = f"train_share={share:g} keeps {count:,} of {whole:,} training examples"
    if count < batch_size:
        raise DataError(
            "The share of the training examples must have at least one batch",
            received=f"{kept}, and a batch has {batch_size:,}",
            remedy="Choose a larger share, or a smaller batch with --batch-size",
        )
    rows = np.arange(count)
    if not contiguous:
        order = np.random.default_rng(SEED).permutation(whole)
        rows = np.sort(order[:count])
    return replace(
        data,
        train=Examples(_take(data.train.features, rows), _take(data.train.targets, rows)),
        facts={
            **data.facts,
            "train_share_examples": count,
            "notes": [*data.facts.get("notes", ()), kept],
        },
    )


def _take(arrays: Mapping[str, Any], rows: np.ndarray) -> dict[str, Any]:
    return {name: values[rows] for name, values in arrays.items()}


if __name__ == "__main__":
    job = Job.from_json(Path(sys.argv[1], "job.json").read_text())
    task = find_plugin(TASKS, str(job.cell.task), job.search_path)
    load(job, task, task_options(task, job.cell.options))
