"""A training's state on disk, so that one cut off goes on from where it was.

One file of arrays (`.npz`): every variable of the model and its optimizer (moments, the state of
dropout's random numbers, a memory carried from batch to batch), the best weights so far, and as
JSON what else the loop knows. The order of the data is no part of it: it hangs on the seed alone,
so it is drawn again up to where training was.
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
"""A cell shorter than this leaves no checkpoint."""


@dataclass
class Checkpoint:
    """The checkpoint of one cell, and the digests of what made it: its data, and the code."""

    path: Path
    digests: Sequence[str | None]
    _last: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        """Whether it is time to write one."""
        return time.monotonic() - self._last >= SECONDS_BETWEEN

    def write(
        self,
        variables: Sequence[Any],
        kept_weights: Mapping[str, Sequence[np.ndarray]],
        state: Mapping[str, Any],
    ) -> None:
        """Keep everything, in place of what was kept before.

        Where the disk has no room, the log says so: training needs no checkpoint to go on.
        """
        self._last = time.monotonic()
        try:
            self._write(variables, kept_weights, state)
        except OSError as error:
            print(f"No checkpoint was written: {error}", flush=True)

    def _write(
        self,
        variables: Sequence[Any],
        kept_weights: Mapping[str, Sequence[np.ndarray]],
        state: Mapping[str, Any],
    ) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {f"variable_{i}": value for i, value in enumerate(map(_to_numpy, variables))}
        for name, weights in kept_weights.items():
            arrays |= {f"{name}_{i}": value for i, value in enumerate(weights)}
        about = json.dumps({"digests": list(self.digests), "state": dict(state)})
        with atomic_write(self.path) as file:
            np.savez(file, allow_pickle=False, **arrays, about=np.array(about))

    def read(
        self, variables: Sequence[Any]
    ) -> tuple[dict[str, Any], dict[str, list[np.ndarray]]] | None:
        """Put the variables back and return the state and the kept weights; None without one.

        One of other data or code, or of another model's variables, is of no use: a record names one
        commit for all that it ran.
        """
        try:
            with open(self.path, "rb") as file, np.load(file) as kept:
                about = json.loads(str(kept["about"]))
                found: dict[str, list[np.ndarray]] = {}
                for key in kept.files:  # in the order in which they were written
                    if key != "about":
                        found.setdefault(key.rpartition("_")[0], []).append(kept[key])
                values = found.pop("variable")
        except (OSError, EOFError, zipfile.BadZipFile, ValueError, KeyError):
            return None
        shapes = [tuple(variable.shape) for variable in variables]
        if about.get("digests") != list(self.digests) or [v.shape for v in values] != shapes:
            return None
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return about["state"], found


def _to_numpy(variable: Any) -> np.ndarray:
    """Return a variable's value, in float32 where NumPy has no such precision (bfloat16)."""
    value = np.asarray(keras.ops.convert_to_numpy(variable))
    return value.astype(np.float32) if value.dtype.kind == "V" else value
