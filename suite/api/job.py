"""The job of a worker process: the cell, its data, its folders and its limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from suite.api.architecture import ModelSize
from suite.api.cell import Cell, LocalPath, local_paths
from suite.api.data import SourceRequest
from suite.api.options import Recipe


@dataclass(frozen=True, slots=True)
class Limits:
    """The time and the memory after which a cell's process is stopped."""

    seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Job:
    """The instructions for a worker process, written to a file in `folder`.

    `source_digest` identifies the bytes of the source, or is None before a download. Encoded data
    is kept in `cache`. A training writes its state to `checkpoint` at intervals, and resumes from
    there if the data and the code are the same. With `check_at`, the worker checks the cell's
    architecture instead of running the cell, and compares parameters at these model sizes.
    `parents` maps each role to the folder of a trained model that the cell takes. With
    `keeps_weights`, the worker writes the trained weights to `weights`. If `draws_samples` is
    false, a trained language model writes no samples.
    """

    cell: Cell
    model_size: ModelSize
    recipe: Recipe
    source: SourceRequest | None
    search_path: tuple[str, ...]
    folder: Path
    cache: Path
    checkpoint: Path
    source_digest: str | None = None
    check_at: tuple[ModelSize, ...] = ()
    parents: Mapping[str, Path] = field(default_factory=dict)
    keeps_weights: bool = False
    draws_samples: bool = True

    @property
    def weights(self) -> Path:
        """The folder to which the worker writes the trained weights."""
        return self.folder / "weights"

    def to_json(self) -> str:
        """Write the job as one JSON object."""
        paths = {name: str(getattr(self, name)) for name in ("folder", "cache", "checkpoint")}
        parents = {role: str(folder) for role, folder in self.parents.items()}
        local = [local_paths(method.options) for method in self.cell.methods]
        return json.dumps({**asdict(self), **paths, "parents": parents, "local_paths": local})

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Read a job that `to_json` wrote."""
        fields = json.loads(text)
        source = fields["source"]
        cell = Cell.from_dict(fields["cell"])
        methods = tuple(
            replace(
                method, options={**method.options, **{n: LocalPath.of(p) for n, p in local.items()}}
            )
            for method, local in zip(cell.methods, fields["local_paths"], strict=True)
        )
        return cls(
            cell=replace(cell, methods=methods),
            model_size=ModelSize(**fields["model_size"]),
            recipe=Recipe(**fields["recipe"]),
            source=SourceRequest(**source) if source else None,
            search_path=tuple(fields["search_path"]),
            folder=Path(fields["folder"]),
            cache=Path(fields["cache"]),
            checkpoint=Path(fields["checkpoint"]),
            source_digest=fields["source_digest"],
            check_at=tuple(ModelSize(**size) for size in fields["check_at"]),
            parents={role: Path(folder) for role, folder in fields["parents"].items()},
            keeps_weights=fields["keeps_weights"],
            draws_samples=fields["draws_samples"],
        )
