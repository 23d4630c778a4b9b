"""Provenance of the code that a cell runs: commit, changes, and digests."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from suite.api import BACKENDS, Architecture, Task
from suite.api.files import CHECKOUT, atomic_write_bytes, digest_paths
from suite.api.plugins import ARCHITECTURES, Kind, locate, plugin_files
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
    They are None if git does not report them. `cost_digest` is that of `digest_costs`.
    """

    commit: str | None = None
    dirty: bool | None = None
    task_digest: str | None = None
    architecture_digest: str | None = None
    cost_digest: str | None = None
    engine_digest: str = ENGINE_DIGEST

    def __post_init__(self) -> None:
        if _has_repository():
            found = describe_commit()
            self.commit, self.dirty = found["commit"], found["dirty"]

    @property
    def digests(self) -> tuple[str | None, ...]:
        """The digests of the engine, the task and the architecture."""
        return self.engine_digest, self.task_digest, self.architecture_digest

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
    kind: Kind[Any], key: str, search_path: Sequence[str], plugin: Task | Architecture
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


def digest_costs(key: str, search_path: Sequence[str], backend: str) -> str:
    """Digest the code of an architecture whose costs are measured, without comments or docstrings.

    The digest covers the syntax trees of the architecture's module and of every module that it
    imports, directly or not, from `baselines` or from its own package. Imports inside functions
    count. `import_module(f"baselines.layers.backends.{name}")` counts as an import of every module
    that the name can complete, except modules named after another backend.
    """
    start = dict(locate(ARCHITECTURES, search_path))[key].module
    packages = {ARCHITECTURES.folder, start.partition(".")[0]}
    trees: dict[str, str] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        path = _source_of(name) if name.partition(".")[0] in packages else None
        if path is None or name in trees:
            continue
        tree = ast.parse(path.read_bytes(), str(path))
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting += [package, *_imported_names(tree, package, backend)]
        trees[name] = ast.dump(_WithoutDocstrings().visit(tree))
    # Module names are left out: the name of a package in BENCH_PATH depends on where it lies.
    return hashlib.sha256("\n".join(sorted(trees.values())).encode()).hexdigest()


class _WithoutDocstrings(ast.NodeTransformer):
    """Removes statements that are only a string: docstrings of code and of attributes."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """Return None for a string, which removes the statement."""
        is_string = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_string else node


def _imported_names(tree: ast.Module, package: str, backend: str) -> Iterator[str]:
    """Yield the names that a module of a package imports; some may name no module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            module = importlib.util.resolve_name(relative, package)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from _completed_names(node, backend)


def _completed_names(call: ast.Call, backend: str) -> Iterator[str]:
    """Yield the modules that a call of `import_module` can name."""
    name = call.args[0] if call.args else None
    if isinstance(name, ast.JoinedStr):
        name = name.values[0]
        package, _, stem = str(getattr(name, "value", "")).rpartition(".")
        if (init := _source_of(package)) is not None:
            for path in init.parent.glob(f"{stem}*.py"):
                if path.stem not in {"__init__", *BACKENDS} - {backend}:
                    yield f"{package}.{path.stem}"
    elif isinstance(name, ast.Constant):
        yield str(name.value)


def _source_of(name: str) -> Path | None:
    """Return the file of a module, without importing any module."""
    root, _, rest = name.partition(".")
    found = importlib.util.find_spec(root) if root else None
    if found is None or not rest:
        return Path(found.origin) if found and found.has_location and found.origin else None
    for folder in found.submodule_search_locations or ():
        path = Path(folder, *rest.split("."))
        for source in (path.with_suffix(".py"), path / "__init__.py"):
            if source.is_file():
                return source
    return None
