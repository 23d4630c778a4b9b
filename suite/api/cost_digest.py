"""The digest of the code whose costs are measured: an architecture and all that it imports."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from suite.api import BACKENDS
from suite.api.plugins import ARCHITECTURES, locate


def digest_costs(key: str, search_path: Sequence[str], backend: str) -> str:
    """Digest the code of an architecture whose costs are measured, without comments or docstrings.

    `Architecture.missing_parts` is left out too: it declares, and no model is built with it.
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
        trees[name] = dump_tree(_Measured().visit(tree))
    # Module names are left out: the name of a package in BENCH_PATH depends on where it lies.
    return hashlib.sha256("\n".join(sorted(trees.values())).encode()).hexdigest()


def dump_tree(tree: ast.AST) -> str:
    """Return a tree as `ast.dump` of Python 3.11 does: a digest does not depend on the version."""
    for node in ast.walk(tree):
        if getattr(node, "type_params", None) == []:
            del node.type_params  # type: ignore[attr-defined]
    return ast.dump(tree, **({"show_empty": True} if sys.version_info >= (3, 13) else {}))


class _Measured(ast.NodeTransformer):
    """Removes `missing_parts`, and statements that are only a string: docstrings of any kind."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST | None:
        """Return None for `missing_parts`."""
        return None if node.name == "missing_parts" else self.generic_visit(node)

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
