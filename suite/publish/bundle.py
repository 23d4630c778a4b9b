"""Packs: cells for a machine without network or TensorFlow, and the import of their records."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import ValidationError

from suite.api import Job, Limits, Mode, SourceRequest
from suite.api.errors import DataError, RequestError
from suite.api.files import CHECKOUT
from suite.execution.conformance_checks import find_conformance
from suite.execution.executors.base import classify_exit
from suite.execution.executors.local import child_environment
from suite.execution.executors.packed import (
    ABOUT,
    CACHE,
    JOBS,
    PARTS,
    RANKING,
    WHEELS,
    read_result,
)
from suite.execution.executors.process import run_module, why_ended
from suite.execution.jobs import check_no_weights, make_job, make_record
from suite.execution.preparation import Prepared, check_any_can_run
from suite.execution.session import make_invocation
from suite.matrix.planned_cells import PlannedCell
from suite.records.environment import describe_commit
from suite.records.naming import new_run_id
from suite.records.schema import (
    Invocation,
    RankingFacts,
    Record,
    RecordError,
    first_error,
    parse_record,
    utc_now,
)
from suite.records.store import Store

CODE = ("suite", "tasks", "baselines")
RUN = '''"""Run the cells of this pack that have not run yet: python run.py --help."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
here = Path(__file__).resolve().parent
sys.path.insert(0, str(here))

from suite.execution.executors.packed import main

sys.exit(main(here))
'''


@dataclass(frozen=True, slots=True)
class PackSummary:
    """The number of cells and bytes of a pack."""

    num_cells: int
    num_bytes: int


def pack(
    prepared: Prepared, folder: Path, command: str, python_version: str | None = None
) -> PackSummary:
    """Write the cells that are left to run to a new folder, with the code and the encoded data.

    The records will name `command`, which must hold no paths. With the `python_version` of the
    other machine, such as "3.12", the pack holds Keras and its dependencies for it.

    Raises:
        RequestError: no cell is left to run, a cell takes a trained model, the folder exists, or a
            package cannot be had for this Python version.
        DataError: data is not downloaded yet, or cannot be encoded.
    """
    check_any_can_run(prepared)
    cells = prepared.plan.to_run
    if not cells:
        raise RequestError(
            "All cells of this request are done",
            received=f"{len(prepared.plan.cells)} cells",
            remedy="Request other cells",
        )
    check_no_weights(cells, "in a pack")
    if folder.exists():
        raise RequestError(
            "A pack needs a new folder", received=folder, remedy="Name a folder that does not exist"
        )
    try:
        return _write(prepared, folder, command, python_version)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _write(
    prepared: Prepared, folder: Path, command: str, python_version: str | None
) -> PackSummary:
    cells = prepared.plan.to_run
    _copy_code(folder, prepared.search_path)
    if python_version is not None:
        trains = any(planned.cell.mode is Mode.TRAIN for planned in cells)
        backends = {planned.cell.backend for planned in cells}
        names = TRAINING if trains else COSTS
        download_wheels(folder / WHEELS, python_version, names, backends)
    (folder / CACHE).mkdir()
    encoded = set()
    for planned in cells:
        job = _job(planned, folder, prepared)
        job.folder.mkdir(parents=True)
        data = (planned.cell.task, planned.cell.sequence_length, str(planned.cell.options))
        if _needs_data(planned) and data not in encoded:
            encoded.add(data)
            _encode(job)
        # The pack holds the encoded data, so that a job needs no path of this machine.
        source = SourceRequest(planned.source.kind) if planned.source else None
        (job.folder / "job.json").write_text(replace(job, source=source).to_json())
        (job.folder / RANKING).write_text(planned.ranking.model_dump_json())
    about = {
        "limits": asdict(prepared.limits),
        "invocation": make_invocation(command, len(cells)).model_dump(mode="json"),
        "commit": describe_commit(),
        "digests": dict(prepared.digests),
    }
    (folder / ABOUT).write_text(json.dumps(about, indent=1))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return PackSummary(len(cells), size)


def unpack(pack: Path, store: Store) -> tuple[list[Record], int]:
    """Write the records of the cells that have run in a pack, or in an archive of its results.

    Return these records and the number of other cells. A second import writes the same files again.

    Raises:
        DataError: the folder or the archive is not a pack, or some cell in it is not readable; the
            records of the others are written.
    """
    if not pack.is_file():
        return _unpack(pack, pack, store)
    with tempfile.TemporaryDirectory(prefix="results-") as folder:
        try:
            with tarfile.open(pack) as archive:
                archive.extractall(folder, filter="data")
        except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
            raise _not_a_pack(pack, error) from None
        return _unpack(Path(folder), pack, store)


MALFORMED = (OSError, ValueError, KeyError, TypeError, AttributeError, RecordError)
"""The errors of reading a file that has another content than `bench export` and `run.py` write."""


def _unpack(folder: Path, pack: Path, store: Store) -> tuple[list[Record], int]:
    try:
        about = json.loads((folder / ABOUT).read_text())
        limits = Limits(**about["limits"])
        invocation = Invocation.model_validate(about["invocation"])
        commit, digests = dict(about["commit"]), dict(about["digests"])
    except MALFORMED as error:
        raise _not_a_pack(pack, error) from None
    records, unreadable, missing = [], [], 0
    for job in sorted(path.parent for path in (folder / JOBS).glob("*/job.json")):
        try:
            record = _record_of(job, limits, invocation, commit, digests, store)
        except MALFORMED as error:
            unreadable.append(f"{pack}, run {job.name} ({_described(error)})")
            continue
        if record is None:
            missing += 1
            continue
        store.write(record)
        records.append(record)
    if unreadable:
        raise DataError(
            f"{len(unreadable)} of the cells that have run in a pack cannot be read; the records "
            f"of the other {len(records)} are imported",
            received=unreadable[0],
            remedy="Copy the pack again, or run these cells again",
        )
    return records, missing


def _record_of(
    folder: Path,
    limits: Limits,
    invocation: Invocation,
    commit: Mapping[str, Any],
    digests: Mapping[str, str],
    store: Store,
) -> Record | None:
    """Return the record of a cell in a pack, as a home reads it; None before the cell ran."""
    found = read_result(folder)
    if found is None:
        return None
    content, result = found
    job = Job.from_json((folder / "job.json").read_text())
    ranking = RankingFacts.model_validate_json((folder / RANKING).read_bytes())
    code = result.environment or {}
    record = make_record(
        run_id=folder.name,
        planned=PlannedCell(job.cell, job.source, None, ranking),
        result=result,
        verdict=classify_exit(result, limits),
        times=(
            datetime.fromisoformat(content["started_at"]),
            datetime.fromisoformat(content["ended_at"]),
        ),
        environment={**content["environment"], **commit, **code},
        invocation=invocation,
        limits=limits,
        digest=digests.get(job.cell.task or ""),
        conformance=find_conformance(store, job.cell, code.get("cost_digest")),
    )
    return parse_record(record.model_dump_json(warnings=False))


def _described(error: Exception) -> str:
    return first_error(error) if isinstance(error, ValidationError) else str(error)


def _not_a_pack(pack: Path, error: Exception) -> DataError:
    return DataError(
        "A pack, or an archive of its results, must be of this version of `bench export`",
        received=f"{pack} ({_described(error)})",
        remedy="Name the folder that `bench export` created, or what its `run.py --results` wrote",
    )


def _copy_code(folder: Path, search_path: Iterable[str]) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    for name in CODE:
        shutil.copytree(CHECKOUT / name, folder / name, ignore=ignored)
    for number, path in enumerate(search_path):
        for kind in ("tasks", "baselines"):
            if (Path(path) / kind).is_dir():
                shutil.copytree(Path(path) / kind, folder / PARTS / str(number) / kind)
    (folder / "run.py").write_text(RUN)


def _job(planned: PlannedCell, folder: Path, prepared: Prepared) -> Job:
    cell = planned.cell
    if cell.mode is Mode.TRAIN and prepared.digests.get(cell.task or "") is None:
        raise DataError(
            "The data of a pack must be on this machine",
            received=f"{cell.source}, not downloaded yet",
            remedy="Run one cell of this data here first",
        )
    return make_job(
        planned,
        prepared,
        folder=folder / JOBS / new_run_id(utc_now(), prepared.plan.known),
        cache=folder / CACHE,
        checkpoint=folder / "checkpoint.npz",
    )


def _needs_data(planned: PlannedCell) -> bool:
    """Return whether the other machine cannot draw the data of a cell by itself."""
    if planned.task is None:
        return False
    source = planned.task.sources.get(planned.cell.source_kind)
    return source is None or not source.numpy_only


def _encode(job: Job) -> None:
    """Encode the data of a job in a separate process, which imports TensorFlow."""
    (job.folder / "job.json").write_text(job.to_json())
    environment = child_environment(job.cell.backend, job.cell.threads)
    result = run_module("suite.worker.data.encoded", job.folder, environment=environment)
    if result.returncode:
        raise DataError("The data could not be encoded", received=why_ended(result))


COSTS = ("keras",)
"""The packages of a pack that measures costs."""
TRAINING = (*COSTS, "scikit-learn")
"""The packages of a pack that trains: scikit-learn scores classes."""
THERE = {
    "jax": ("numpy", "ml-dtypes", "scipy"),
    "tensorflow": ("numpy", "ml-dtypes"),
    "torch": ("numpy",),
}
"""Packages that come with each backend. PyTorch does not bring NumPy, but its users have it."""
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_28_x86_64", "linux_x86_64")


def with_requirements(names: Sequence[str], backends: Iterable[str]) -> list[str]:
    """Return packages and their requirements at the versions installed here: "keras==3.15.1".

    Packages that come with all of the backends are left out.
    """
    there = set.intersection(*(set(THERE[backend]) for backend in backends))
    found: dict[str, str] = {}
    waiting = [*names]
    while waiting:
        name = waiting.pop()
        if name in found or name in there:
            continue
        found[name] = importlib.metadata.version(name)
        needed = map(Requirement, importlib.metadata.requires(name) or ())
        # A requirement of an extra, or of another Python version, has a marker.
        waiting += [canonicalize_name(one.name) for one in needed if not one.marker]
    return [f"{name}=={version}" for name, version in found.items()]


def download_wheels(
    folder: Path, python_version: str, names: Sequence[str], backends: Iterable[str]
) -> None:
    """Download packages and their requirements for Linux on x86-64 and a Python such as "3.12".

    Raises:
        RequestError: pip cannot download a wheel; the message has its last line.
    """
    platforms = [argument for name in PLATFORMS for argument in ("--platform", name)]
    arguments = ["download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    arguments += ["--only-binary=:all:", *platforms, "--python-version", python_version]
    arguments += ["--dest", str(folder), *with_requirements(names, backends)]
    result = run_module("pip", *arguments, environment={})
    if result.returncode:
        raise RequestError(
            "pip must find wheels for the Python version of the other machine",
            received=f"{python_version} ({why_ended(result)})",
        )
