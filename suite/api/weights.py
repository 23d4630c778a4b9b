"""Kept weights: the folder of a trained model, from which another cell or a user loads it.

A folder holds the weights in Keras's format and `about.json`: what is needed to build the model
again, and the checksum of the weights.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from suite.api.architecture import ModelSize
from suite.api.cell import Cell
from suite.api.errors import HomeError
from suite.api.files import atomic_write_bytes
from suite.api.options import Recipe

WEIGHTS_FILE = "model.weights.h5"
ABOUT_FILE = "about.json"
MAX_WEIGHTS_BYTES = 4 * 2**30
"""The largest model whose weights are kept."""


def too_large(num_weights: int) -> bool:
    """Return whether a model of this many weights of four bytes is not kept."""
    return num_weights * 4 > MAX_WEIGHTS_BYTES


@dataclass(frozen=True, slots=True)
class KeptWeights:
    """The weights of a trained model, and what builds the model that takes them.

    `spec` is that of the task's data: the vocabulary and the labels.
    """

    folder: Path
    cell: Cell
    model_size: ModelSize
    recipe: Recipe
    spec: Mapping[str, Any]
    sha256: str
    num_bytes: int

    @property
    def path(self) -> Path:
        """The file of the weights."""
        return self.folder / WEIGHTS_FILE

    def check(self) -> None:
        """Raise a HomeError if the file is missing, or not the one that was written."""
        actual = checksum(self.path) if self.path.is_file() else "no file"
        if actual != self.sha256:
            raise HomeError(
                "Kept weights must have the checksum with which they were written",
                received=f"{actual[:16]} instead of {self.sha256[:16]} at {self.path}",
                remedy=f"Delete the folder {self.folder.name}, and run the cell again",
            )


def write_about(folder: Path, job: Any, spec: Mapping[str, Any]) -> KeptWeights:
    """Describe the weights that were written to a folder."""
    path = folder / WEIGHTS_FILE
    kept = KeptWeights(
        folder, job.cell, job.model_size, job.recipe, spec, checksum(path), path.stat().st_size
    )
    fields = {name: value for name, value in asdict(kept).items() if name != "folder"}
    atomic_write_bytes(folder / ABOUT_FILE, json.dumps(fields, indent=1).encode())
    return kept


def read_kept_weights(folder: Path) -> KeptWeights:
    """Return the weights in a folder, without reading them; raise a HomeError without any."""
    try:
        fields = json.loads((folder / ABOUT_FILE).read_bytes())
        return KeptWeights(
            folder,
            Cell.from_dict(fields["cell"]),
            ModelSize(**fields["model_size"]),
            Recipe(**fields["recipe"]),
            fields["spec"],
            fields["sha256"],
            fields["num_bytes"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HomeError(
            "No weights of this cell are kept",
            received=f"{folder} ({type(error).__name__})",
            remedy="Run the cell with --keep-weights",
        ) from None


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
