"""Provenance of the code that a cell runs: commit, changes, and digests."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from suite.api import Architecture, Task
from suite.api.files import CHECKOUT, atomic_write_bytes, digest_paths
from suite.api.plugins import PluginKind, locate, plugin_files
from suite.records.environment import describe_commit

ENGINE_DIGEST = digest_paths((CHECKOUT / "suite").rglob("*.py"))
"""The digest of the engine's code when this module was imported.

A forkserver imports the engine once and forks the cells of one environment later. The files on disk
may differ from the imported code by then, so the digest is taken at the import.
"""


@dataclass(slots=True)
class CodeProvenance:
    """The code of a cell, as its record states it.

    `commit` and `dirty` are read when the object is created: when the cell starts, before it
    imports its plug-ins. Each cell imports its plug-ins anew and digests their files at that time.
    They are None if git does not report them. `cost_digest` and `training_digest` are those of
    `suite.api.code_digest`; a probe has no `training_digest`.
    """

    commit: str | None = None
    dirty: bool | None = None
    task_digest: str | None = None
    architecture_digest: str | None = None
    cost_digest: str | None = None
    training_digest: str | None = None
    engine_digest: str = ENGINE_DIGEST

    def __post_init__(self) -> None:
        if _has_repository():
            state = describe_commit()
            self.commit, self.dirty = state["commit"], state["dirty"]

    @property
    def digests(self) -> tuple[str | None, ...]:
        """The digests of the engine, the task, the architecture and the methods."""
        return (
            self.engine_digest,
            self.task_digest,
            self.architecture_digest,
            self.training_digest,
        )

    def environment(self) -> dict[str, Any]:
        """Return the provenance as fields of a record's environment.

        Code without a repository leaves `commit` and `dirty` to the process that writes the record.
        """
        known = {"commit": self.commit, "dirty": self.dirty} if _has_repository() else {}
        code = asdict(self)
        return {**known, "cost_digest": code.pop("cost_digest"), "code": code}

    def write(self, folder: Path) -> None:
        """Write the provenance to the job's folder, for the record of a cell that is killed."""
        content = json.dumps(self.environment())
        atomic_write_bytes(folder / "provenance.json", content.encode())


def _has_repository() -> bool:
    # A pack has no repository; one around the pack's folder would be that of other code.
    return (CHECKOUT / ".git").exists()


def digest_plugin(
    kind: PluginKind[Any], key: str, search_path: Sequence[str], plugin: Task | Architecture
) -> str:
    """Digest the code of an imported plug-in: its module, its class's file, and their helpers.

    A plug-in outside the checkout may also import built-in modules of its kind. The digest covers
    those that the process has imported.
    """
    module = sys.modules[dict(locate(kind, search_path))[key].module]
    files = {*plugin_files(plugin)}
    if module.__file__:
        files.add(Path(module.__file__))
    if module.__name__.partition(".")[0] != kind.folder:
        for name, other in list(sys.modules.items()):
            if name.partition(".")[0] == kind.folder and getattr(other, "__file__", None):
                files.add(Path(str(other.__file__)))
    return digest_paths(files)
