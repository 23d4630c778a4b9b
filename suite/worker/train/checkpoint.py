"""Checkpoints: the state of a training on disk, from which an interrupted training resumes.

A checkpoint is one file of arrays (`.npz`). It holds every variable of the model and its optimizer
(moments, the state of dropout's random numbers, the state carried from batch to batch), the best
weights so far, and the rest of the loop's state as JSON. It does not hold the order of the data,
which depends on the seed alone: the batches up to the checkpoint are drawn again.
"""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from suite.api.files import atomic_write

SECONDS_BETWEEN = 60.0
"""The time between two checkpoints; a shorter cell writes none."""


@dataclass
class Checkpoint:
    """The checkpoint of one cell, with the digests of the data and the code that it depends on."""

    path: Path
    digests: Sequence[str | None]
    _last: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        """Whether `SECONDS_BETWEEN` have passed since the last checkpoint."""
        return time.monotonic() - self._last >= SECONDS_BETWEEN

    def write(
        self,
        variables: Sequence[Any],
        kept_weights: Mapping[str, Sequence[np.ndarray]],
        state: Mapping[str, Any],
    ) -> None:
        """Write a checkpoint over the previous one.

        On a full disk the log states the error and training continues.
        """
        self._last = time.monotonic()
        arrays = {f"variable_{i}": value for i, value in enumerate(map(_to_numpy, variables))}
        for name, weights in kept_weights.items():
            arrays |= {f"{name}_{i}": value for i, value in enumerate(weights)}
        about = json.dumps({"digests": list(self.digests), "state": dict(state)})
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self.path) as file:
                np.savez(file, allow_pickle=False, **arrays, about=np.array(about))
        except OSError as error:
            print(f"The checkpoint could not be written: {error}", flush=True)

    def read(
        self, variables: Sequence[Any]
    ) -> tuple[dict[str, Any], dict[str, list[np.ndarray]]] | None:
        """Set the variables and return the state and the kept weights; None without a checkpoint.

        A checkpoint of different data, code or variables is ignored: one record stands for one
        version of the code.
        """
        try:
            with open(self.path, "rb") as file, np.load(file) as kept:
                about = json.loads(str(kept["about"]))
                arrays: dict[str, list[np.ndarray]] = {}
                for key in kept.files:  # np.savez keeps the order
                    if key != "about":
                        arrays.setdefault(key.rpartition("_")[0], []).append(kept[key])
                values = arrays.pop("variable")
        except (OSError, EOFError, zipfile.BadZipFile, ValueError, KeyError):
            return None
        shapes = [tuple(variable.shape) for variable in variables]
        if about.get("digests") != list(self.digests) or [v.shape for v in values] != shapes:
            return None
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return about["state"], arrays


def _to_numpy(variable: Any) -> np.ndarray:
    """Return a variable's value, in float32 where NumPy lacks the dtype (bfloat16)."""
    value = np.asarray(keras.ops.convert_to_numpy(variable))
    return value.astype(np.float32) if value.dtype.kind == "V" else value
