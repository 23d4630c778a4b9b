"""The trained weights that a home keeps: `weights/<cell id>/`, one folder for each cell."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from suite.api import PROTOCOL, has_own_weights
from suite.api.errors import HomeError, RequestError
from suite.api.weights import ABOUT_FILE, KeptWeights, read_kept_weights
from suite.records.naming import cell_label
from suite.records.schema import Record, RecordSummary
from suite.records.store import Store, home_errors

MOST_LISTED = 5
"""The most runs that an error lists."""


def weights_folder(store: Store, cell_id: str) -> Path:
    """Return the folder of a cell's weights, whether or not it exists.

    If `keep_weights` was killed before the new weights were in place, the former ones count.
    """
    folder = store.home / "weights" / cell_id
    former = _former(folder)
    return former if former.exists() and not folder.exists() else folder


def _former(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.former")


def find_weights(store: Store, name: str) -> KeptWeights:
    """Return the weights of a run, of a folder, or of an entry.

    A run is named by its id or by its record's file, a folder by its path or by its own name in the
    home, and an entry as in tables or by its architecture alone, if that names a single cell.

    Raises:
        RequestError: the home has no such run, folder or entry, or several of the entry.
        HomeError: the weights of the run were not kept, or a later run of the cell has replaced
            them.
    """
    for folder in (Path(name).expanduser(), weights_folder(store, name)):
        if (folder / ABOUT_FILE).is_file():
            return read_kept_weights(folder)
    run_id = Path(name).name.removesuffix(".json").rpartition(".")[2]
    for record in store.all():
        if record.run_id == run_id:
            return weights_of(store, record)
    kept = kept_weights(store)
    of_entry = [(record, weights) for record, weights in kept if record.ranking.entry == name]
    of_name = [(record, weights) for record, weights in kept if record.cell.architecture == name]
    for named in (of_entry, of_name):
        if len({weights.folder for _, weights in named}) == 1:
            return named[-1][1]
        if named:
            raise RequestError(
                "The name of an entry names a model if the weights of one cell are kept under it",
                received=f"{name}, of which {_listed(named)} are kept",
                remedy="Name the run",
            )
    raise RequestError(
        "The run must be in the home",
        received=f"{name} in {store.home}",
        remedy=f"Name one of {_listed(kept)}"
        if kept
        else "Train a model with `bench run --keep-weights`",
    )


def _listed(kept: Sequence[tuple[Record, KeptWeights]]) -> str:
    """Return the runs of kept weights with their cells, the newest first."""
    shown = [
        f"{record.run_id} ({cell_label(record.cell, record.ranking)})"
        for record, _ in sorted(kept, key=lambda item: item[0].run_id, reverse=True)
    ]
    others = [f"{len(shown) - MOST_LISTED} others"] if len(shown) > MOST_LISTED else []
    return ", ".join([*shown[:MOST_LISTED], *others])


def weights_of(store: Store, record: RecordSummary) -> KeptWeights:
    """Return the weights that the run of a record left, or took from its parent to evaluate them.

    Raises:
        HomeError: its weights were not kept, or a later run of the cell has replaced them.
    """
    parent = _evaluated_parent(record)
    kept = read_kept_weights(weights_folder(store, parent.get("cell_id", record.cell_id)))
    if named_weights(record) != kept.sha256:
        raise HomeError(
            "Kept weights are those of the last run of a cell that kept them",
            received=f"run {record.run_id}, which did not write {kept.folder}",
            remedy="Name the last run of the cell, or run it again with --keep-weights",
        )
    return kept


def kept_weights(store: Store) -> list[tuple[Record, KeptWeights]]:
    """Return each run whose weights are kept, with its weights."""
    folders = {folder.name.removesuffix(".former") for folder in weights_folders(store)}
    kept = []
    for record in store.all(folders):
        with suppress(HomeError):
            kept.append((record, weights_of(store, record)))
    return kept


def named_weights(record: RecordSummary) -> str | None:
    """Return the checksum of the weights that a run kept or evaluated, or None."""
    if parent := _evaluated_parent(record):
        return str(parent["weights_sha256"])
    return record.details.get("weights", {}).get("sha256")


def _evaluated_parent(record: RecordSummary) -> Mapping[str, Any]:
    """Return the parent whose weights a cell that only evaluates has; none of another cell."""
    if has_own_weights(record.cell.methods):
        return {}
    return record.details.get("parent", {})


def superseded_weights(store: Store) -> list[Path]:
    """Return the folders of weights that no valid record of this protocol names."""
    current = store.current()
    valid = {named_weights(record) for record in current if record.protocol == PROTOCOL}
    superseded = []
    for folder in weights_folders(store):
        with suppress(HomeError):
            if read_kept_weights(folder).sha256 in valid:
                continue
        superseded.append(folder)
    return superseded


def weights_folders(store: Store) -> list[Path]:
    """Return the folders of all weights, complete or not, sorted by cell."""
    return sorted(path for path in (store.home / "weights").glob("*") if path.is_dir())


def num_bytes(folders: Iterable[Path]) -> int:
    """Return the size of folders of weights."""
    files = (path for folder in folders for path in folder.iterdir() if path.is_file())
    return sum(path.stat().st_size for path in files)


def has_weights(store: Store, record: RecordSummary) -> bool:
    """Return whether the weights of a run are kept and complete."""
    try:
        kept = weights_of(store, record)
        return kept.path.stat().st_size == kept.num_bytes
    except (HomeError, OSError):
        return False


def keep_weights(store: Store, cell_id: str, written: Path) -> None:
    """Move the folder that a worker wrote to its place, in the place of earlier weights.

    Raises:
        HomeError: the folder cannot be moved.
    """
    folder = store.home / "weights" / cell_id
    former = _former(folder)
    with home_errors("Trained weights could not be kept", path=None):
        folder.parent.mkdir(exist_ok=True)
        if folder.exists():
            shutil.rmtree(former, ignore_errors=True)
            folder.rename(former)
        written.rename(folder)
    shutil.rmtree(former, ignore_errors=True)
