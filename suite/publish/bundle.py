"""Cells packed for a machine without network or TensorFlow, and their records taken home."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from suite.api import Cell, Job, Limits, Mode, SourceRequest, Task
from suite.api.errors import DataError, RequestError
from suite.api.files import CHECKOUT
from suite.execution.executors.local import child_environment
from suite.execution.executors.packed import ABOUT, CACHE, JOBS, PARTS, read_result
from suite.execution.outcome import classify_exit, make_record
from suite.matrix.expansion import PlannedCell, recipe_for
from suite.matrix.presets import find_model_size
from suite.records.environment import describe_commit
from suite.records.schema import Invocation, RankingFacts, Record, utc_now
from suite.records.store import Store, new_run_id

RANKING = "ranking.json"
CODE = ("suite", "tasks", "baselines")
RUN = '''"""Runs this pack's cells: python run.py. Again, to run those that are missing."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
here = Path(__file__).resolve().parent
sys.path.insert(0, str(here))

from suite.execution.executors.packed import run_pack

try:
    sys.exit(1 if run_pack(here) else 0)
except KeyboardInterrupt:
    sys.exit("Interrupted. The same command runs what is missing.")
'''


def pack(
    cells: list[PlannedCell],
    folder: Path,
    *,
    tasks: dict[str, Task],
    digests: dict[str, str | None],
    search_path: tuple[str, ...],
    limits: Limits,
    invocation: Invocation,
) -> None:
    """Write a pack of cells to a new folder, their data encoded.

    Raises:
        RequestError: the folder is there already, or nothing is to run.
        DataError: data that is yet to be downloaded, or cannot be encoded.
    """
    if not cells:
        raise RequestError("Nothing of this request is left to run")
    if folder.exists():
        raise RequestError("A pack is written to a new folder", received=folder)
    for name in CODE:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHECKOUT / name, folder / name, ignore=ignored)
    for number, path in enumerate(search_path):
        for kind in ("tasks", "baselines"):
            if (Path(path) / kind).is_dir():
                shutil.copytree(Path(path) / kind, folder / PARTS / str(number) / kind)
    (folder / CACHE).mkdir()
    (folder / "run.py").write_text(RUN)
    about = {
        "limits": asdict(limits),
        "invocation": invocation.model_dump(mode="json"),
        "commit": describe_commit(),
        "digests": digests,
    }
    seen = set()
    for planned in cells:
        job = _job(planned, folder, tasks, digests, search_path)
        job.folder.mkdir(parents=True)
        reads = (planned.cell.task, planned.cell.sequence_length, str(planned.cell.options))
        if planned.cell.mode is Mode.TRAIN and reads not in seen:
            seen.add(reads)
            _encode(job)
        # What travels is the encoded data, and no path of this machine's.
        source = SourceRequest(planned.source.kind) if planned.source else None
        (job.folder / "job.json").write_text(replace(job, source=source).to_json())
        (job.folder / RANKING).write_text(planned.ranking.model_dump_json())
    (folder / ABOUT).write_text(json.dumps(about, indent=1))


def unpack(folder: Path, store: Store) -> tuple[list[Record], int]:
    """Write the records of a pack's cells that have run; return them and how many have not.

    Taken home twice, a run is written once: its id is the pack's.

    Raises:
        DataError: the folder is no pack.
    """
    try:
        about = json.loads((folder / ABOUT).read_text())
        limits = Limits(**about["limits"])
        invocation = Invocation.model_validate(about["invocation"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            "A pack is a folder that `bench export` made", received=f"{folder} ({error})"
        ) from None
    records, missing = [], 0
    for path in sorted((folder / JOBS).glob("*/job.json")):
        found = read_result(path.parent)
        if found is None:
            missing += 1
            continue
        content, result = found
        job = Job.from_json(path.read_text())
        run_id = path.parent.name
        ranking = RankingFacts.model_validate_json((path.parent / RANKING).read_bytes())
        records.append(
            make_record(
                run_id=run_id,
                planned=PlannedCell(job.cell, job.source, None, ranking),
                result=result,
                verdict=classify_exit(result, limits),
                times=(_moment(content["started_at"]), _moment(content["ended_at"])),
                environment={**content["environment"], **about["commit"]},
                invocation=invocation,
                limits=limits,
                digest=about["digests"].get(job.cell.task or ""),
            )
        )
        store.write(records[-1])
    return records, missing


def _job(
    planned: PlannedCell,
    folder: Path,
    tasks: dict[str, Task],
    digests: dict[str, str | None],
    search_path: tuple[str, ...],
) -> Job:
    cell: Cell = planned.cell
    digest = digests.get(cell.task or "")
    if cell.mode is Mode.TRAIN and digest is None:
        raise DataError(
            "Data is packed once it is on this machine",
            received=f"{cell.source}, yet to be downloaded",
            remedy="Run one cell of it here first",
        )
    return Job(
        cell=cell,
        model_size=find_model_size(cell.model_size),
        recipe=recipe_for(tasks.get(cell.task or ""), cell.options),
        source=planned.source,
        search_path=search_path,
        folder=folder / JOBS / new_run_id(utc_now()),
        cache=folder / CACHE,
        checkpoint=folder / "checkpoint.npz",
        source_digest=digest,
    )


def _encode(job: Job) -> None:
    (job.folder / "job.json").write_text(job.to_json())
    result = subprocess.run(
        [sys.executable, "-m", "suite.worker.data.encode", str(job.folder)],
        env={**os.environ, **child_environment(job.cell)},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DataError("The data could not be encoded", received=last)


def _moment(text: Any) -> datetime:
    return datetime.fromisoformat(text)
