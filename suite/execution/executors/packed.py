"""Run packed cells on a machine without network or TensorFlow. Standard library only.

A pack is a folder with `jobs/<run id>/job.json`, the encoded data in `cache/`, and the code. Each
cell runs in a new interpreter. Its outcome and `ending.json` remain in its job's folder; running
the pack again runs the remaining cells. `wheels/` holds packages that the machine may lack.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import shutil
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from suite.api import Job, Limits, RequestError, Status
from suite.api.files import atomic_write_bytes
from suite.execution.executors.base import (
    ProcessResult,
    classify_exit,
    read_provenance,
    training_stands,
)
from suite.execution.executors.local import LocalExecutor, accelerator_groups
from suite.execution.quantities import parse_duration
from suite.records.environment import describe_environment
from suite.records.naming import data_text

JOBS, CACHE, PARTS, ABOUT, RESULT = "jobs", "cache", "parts", "about.json", "ending.json"
WHEELS, UNPACKED = "wheels", "unpacked"
RANKING = "ranking.json"
WRITTEN = ("outcome.json", "progress.jsonl", "provenance.json")
"""The files of a cell's process, which a repeated run writes anew."""
KEPT = ("job.json", RANKING, "outcome.json", "provenance.json", RESULT)
"""The files of a finished cell that make its record."""
ARCHIVE_BYTES = 15 * 2**20
"""The most bytes of files in one archive of results, which is smaller still."""


@dataclass(frozen=True, slots=True)
class PackRun:
    """The numbers of cells that failed, and of those that are left."""

    failed: int
    left: int


def main(pack: Path, arguments: Sequence[str] | None = None) -> int:
    """Run a pack from its `run.py`; return 0, 1 if a cell failed, or 3 if cells are left."""
    parser = argparse.ArgumentParser(description="Run the cells of this pack that have not run.")
    parser.add_argument(
        "--stop-after",
        metavar="TIME",
        help="stop after this time, such as 9m; the same command continues from there",
    )
    parser.add_argument(
        "--results",
        metavar="DIR",
        type=Path,
        help="write the results to DIR as archives of at most 16 MiB, for `bench import`",
    )
    given = parser.parse_args(arguments)
    try:
        seconds = parse_duration(given.stop_after) if given.stop_after else None
    except RequestError as error:
        parser.error(str(error))
    use_wheels(pack)
    try:
        run = run_pack(pack, seconds)
    except KeyboardInterrupt:
        print("Interrupted. The same command continues from here.", file=sys.stderr)
        return 130
    finally:
        if given.results:
            for path in write_archives(pack, given.results):
                print(f"Results: {path}", flush=True)
    if run.left:
        print(f"{run.left} cells are left. The same command continues from here.")
        return 3
    return 1 if run.failed else 0


def use_wheels(pack: Path) -> None:
    """Make the pack's packages importable that this machine lacks."""
    for wheel in sorted((pack / WHEELS).glob("*.whl")):
        name = wheel.name.split("-")[0]
        with suppress(importlib.metadata.PackageNotFoundError):
            importlib.metadata.distribution(name)
            continue
        folder = pack / UNPACKED / name
        if not folder.exists():
            unfinished = folder.with_suffix(".part")
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.unpack_archive(wheel, unfinished, "zip")
            unfinished.rename(folder)
        sys.path.append(str(folder))


def write_archives(pack: Path, folder: Path) -> Iterator[Path]:
    """Write what makes the records of the finished cells; each archive is a pack without code."""
    folder.mkdir(parents=True, exist_ok=True)
    finished = sorted(path.parent for path in (pack / JOBS).glob(f"*/{RESULT}"))
    groups: list[list[Path]] = []
    free = 0
    for job in finished:
        files = [job / name for name in KEPT if (job / name).exists()]
        size = sum(path.stat().st_size for path in files)
        if size > free:
            groups.append([])
            free = ARCHIVE_BYTES
        groups[-1] += files
        free -= size
    for number, files in enumerate(groups, 1):
        path = folder / f"results-{number}.tar.gz"
        unfinished = path.with_suffix(".part")
        with tarfile.open(unfinished, "w:gz") as archive:
            for file in (pack / ABOUT, *files):
                archive.add(file, file.relative_to(pack))
        unfinished.replace(path)
        yield path


def run_pack(pack: Path, stop_after_seconds: float | None = None) -> PackRun:
    """Run the cells without a result.

    After `stop_after_seconds`, no cell starts, and a running one is stopped without a result. A
    stopped training continues from its checkpoint.
    """
    ends = time.monotonic() + stop_after_seconds if stop_after_seconds else None
    limits = Limits(**json.loads((pack / ABOUT).read_text())["limits"])
    # A cell that was stopped before comes last, so that it does not keep the others waiting.
    waiting = sorted(
        (
            path.parent
            for path in (pack / JOBS).glob("*/job.json")
            if not (path.parent / RESULT).exists()
        ),
        key=lambda folder: ((folder / "log.txt").exists(), folder),
    )
    earlier = (read_result(path.parent) for path in (pack / JOBS).glob(f"*/{RESULT}"))
    failed = sum(_status(found[1], limits) is not Status.OK for found in earlier if found)
    for number, folder in enumerate(waiting, 1):
        job = Job.from_json((folder / "job.json").read_text())
        search_path = tuple(str(path) for path in sorted((pack / PARTS).glob("*")))
        job = replace(
            job,
            folder=folder,
            cache=pack / CACHE,
            checkpoint=folder / "checkpoint.npz",
            search_path=search_path,
        )
        for name in WRITTEN:
            (folder / name).unlink(missing_ok=True)
        started = datetime.now(UTC)
        result = _run(job, limits, ends)
        if result is None:
            return PackRun(failed, len(waiting) - number + 1)
        content = {
            "started_at": started.isoformat(),
            "ended_at": datetime.now(UTC).isoformat(),
            "seconds": result.seconds,
            "exit_code": result.exit_code,
            "stopped": result.stopped,
            "log_tail": result.log_tail,
            "environment": dict(describe_environment()),
        }
        atomic_write_bytes(folder / RESULT, json.dumps(content).encode())
        status = _status(result, limits)
        failed += status is not Status.OK
        print(f"[{number}/{len(waiting)}] {_label(job)}: {status}", flush=True)
    return PackRun(failed, 0)


def _label(job: Job) -> str:
    facts = json.loads((job.folder / RANKING).read_text())
    return job.cell.label_of(facts["entry"], data_text(facts["task_options"]))


def _status(result: ProcessResult, limits: Limits) -> Status:
    status, _ = classify_exit(result, limits)
    return Status.OK if training_stands(result, status) else status


def _run(job: Job, limits: Limits, ends: float | None) -> ProcessResult | None:
    """Run a cell; return None if `ends`, a monotonic time, came before its end."""
    accelerators = accelerator_groups(job.cell.options.get("devices", 1))
    executor = LocalExecutor(spawn=True, accelerators=accelerators)
    try:
        if ends is not None and time.monotonic() >= ends:
            return None
        executor.start(job.folder.name, job, limits)
        while ends is None or time.monotonic() < ends:
            for update in executor.wait():
                if update.result is not None:
                    return update.result
        return None
    finally:
        executor.close()


def read_result(folder: Path) -> tuple[dict[str, Any], ProcessResult] | None:
    """Return the content of a packed cell's result file and its result, or None before it ran."""
    try:
        content = json.loads((folder / RESULT).read_text())
    except FileNotFoundError:
        return None
    outcome = folder / "outcome.json"
    result = ProcessResult(
        json.loads(outcome.read_text()) if outcome.exists() else None,
        content["exit_code"],
        content["stopped"],
        content["log_tail"],
        environment=read_provenance(folder),
        seconds=content["seconds"],
    )
    return content, result
