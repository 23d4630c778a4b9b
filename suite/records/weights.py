"""The trained weights that a home keeps: `weights/<cell id>/`, one folder for each cell."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from suite.api.errors import HomeError
from suite.api.weights import KeptWeights, read_kept_weights
from suite.records.store import Store


def weights_folder(store: Store, cell_id: str) -> Path:
    """Return the folder of a cell's weights, whether or not it exists."""
    return store.home / "weights" / cell_id


def has_weights(store: Store, cell_id: str) -> bool:
    """Return whether the weights of a cell are kept and complete."""
    try:
        kept = read_kept_weights(weights_folder(store, cell_id))
        return kept.path.stat().st_size == kept.num_bytes
    except (HomeError, OSError):
        return False


def keep_weights(store: Store, cell_id: str, written: Path) -> None:
    """Move the folder that a worker wrote to its place, in the place of earlier weights.

    Raises:
        HomeError: the folder cannot be moved.
    """
    folder = weights_folder(store, cell_id)
    former = folder.with_name(f"{cell_id}.former")
    try:
        folder.parent.mkdir(exist_ok=True)
        shutil.rmtree(former, ignore_errors=True)
        with suppress(FileNotFoundError):
            folder.rename(former)
        written.rename(folder)
    except OSError as error:
        raise HomeError(
            "Trained weights could not be kept",
            received=f"{folder} ({error.strerror})",
            remedy="Make room or choose another --home, then repeat the command",
        ) from None
    shutil.rmtree(former, ignore_errors=True)


def all_kept_weights(store: Store) -> Iterator[KeptWeights]:
    """Yield the description of all kept weights, sorted by cell."""
    for folder in sorted(path for path in (store.home / "weights").glob("*") if path.is_dir()):
        with suppress(HomeError):
            yield read_kept_weights(folder)
