"""Digests of the code that a result depends on: a plug-in, and the modules that it imports.

A digest covers the syntax trees of modules. Comments, docstrings and formatting do not count.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.api import BACKENDS, Cell
from suite.api.plugins import ARCHITECTURES, METHODS, TASKS, locate

DECLARATIONS = ("claimed_costs", "missing_parts")
"""The methods of an architecture that only declare."""
BUILT_IN_METHODS = "suite.methods"
"""The package of the built-in methods: the rest of `suite` belongs to no plug-in."""


@dataclass(frozen=True, slots=True)
class CodeDigests:
    """The digests of a cell's code; None where they are unknown."""

    costs: str | None = None
    training: str | None = None


@dataclass(frozen=True, slots=True)
class _Module:
    """The syntax tree of a module as text, and its statements that import."""

    text: str
    imports: Sequence[ast.AST]


Parsed = dict[bytes, _Module]
"""Modules by their source: a caller of many digests passes one dictionary to all calls."""


def digest_costs(
    key: str, search_path: Sequence[str], backend: str, parsed: Parsed | None = None
) -> str:
    """Digest the code of an architecture, whose costs are measured.

    The methods `DECLARATIONS` are left out: no model is built with them.
    The digest covers the architecture's module and every module that it imports, directly or not,
    from `baselines` or from its own package. Imports inside functions count.
    `import_module(f"baselines.layers.backends.{name}")` counts as an import of every module that
    the name can complete, except modules named after another backend.
    """
    start = dict(locate(ARCHITECTURES, search_path))[key].module
    return _digest([start], {ARCHITECTURES.folder}, backend, parsed)


def digest_training(
    task: str,
    methods: Iterable[str],
    search_path: Sequence[str],
    backend: str,
    parsed: Parsed | None = None,
) -> str:
    """Digest the code of a task and of methods, as `digest_costs` does that of an architecture."""
    method_locations = dict(locate(METHODS, search_path))
    starts = [dict(locate(TASKS, search_path))[task].module]
    starts += [method_locations[name].module for name in methods]
    packages = {TASKS.folder, ARCHITECTURES.folder, BUILT_IN_METHODS}
    return _digest(starts, packages, backend, parsed)


def digest_code(search_path: Sequence[str]) -> Callable[[Cell], CodeDigests]:
    """Return a function that digests the code of a cell and parses each module once."""
    parsed: Parsed = {}

    @functools.cache
    def costs(architecture: str, backend: str) -> str:
        return digest_costs(architecture, search_path, backend, parsed)

    @functools.cache
    def training(task: str, methods: tuple[str, ...], backend: str) -> str:
        return digest_training(task, methods, search_path, backend, parsed)

    def code_of(cell: Cell) -> CodeDigests:
        methods = tuple(method.name for method in cell.methods)
        return CodeDigests(
            costs(cell.architecture, cell.backend),
            training(cell.task, methods, cell.backend) if cell.task else None,
        )

    return code_of


def _digest(
    starts: Sequence[str], packages: Iterable[str], backend: str, parsed: Parsed | None
) -> str:
    """Digest modules and all that they import from `packages` and from their own packages."""
    own = {start.partition(".")[0] for start in starts} - {"suite"}
    counted = {*packages, *own}
    parsed = {} if parsed is None else parsed
    texts: dict[str, str] = {}
    waiting = [*starts]
    while waiting:
        name = waiting.pop()
        is_counted = any(f"{name}.".startswith(f"{package}.") for package in counted)
        path = _source_of(name) if is_counted else None
        if path is None or name in texts:
            continue
        source = path.read_bytes()
        module = parsed.get(source) or parsed.setdefault(source, _parse(source))
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting += [package, *_imported_names(module.imports, package, backend)]
        texts[name] = module.text
    # Module names are left out: the name of a package in BENCH_PATH depends on where it lies.
    return hashlib.sha256("\n".join(sorted(texts.values())).encode()).hexdigest()


def _parse(source: bytes) -> _Module:
    """Parse a module; a text that is not Python, which nothing can import, counts as it is."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return _Module(source.decode(errors="replace"), ())
    imports = [node for node in ast.walk(tree) if _imports(node)]
    return _Module(dump_tree(_Measured().visit(tree)), imports)


def dump_tree(tree: ast.AST) -> str:
    """Return a tree as `ast.dump` of Python 3.11 does: a digest does not depend on the version."""
    if sys.version_info >= (3, 12):
        for node in ast.walk(tree):
            if getattr(node, "type_params", None) == []:
                del node.type_params
    return ast.dump(tree, **({"show_empty": True} if sys.version_info >= (3, 13) else {}))


class _Measured(ast.NodeTransformer):
    """Removes `DECLARATIONS`, and statements that are only a string: docstrings of any kind."""

    def visit(self, node: ast.AST) -> Any:
        """Return an expression as it is: no statement is inside one, not even in a lambda."""
        return node if isinstance(node, ast.expr) else super().visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST | None:
        return None if node.name in DECLARATIONS else self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        is_string = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_string else node


def _imports(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        return name.endswith("import_module")
    return isinstance(node, ast.Import | ast.ImportFrom)


def _imported_names(imports: Iterable[ast.AST], package: str, backend: str) -> Iterator[str]:
    for node in imports:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            module = importlib.util.resolve_name(relative, package)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
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
    spec = importlib.util.find_spec(root) if root else None
    if spec is None or not rest:
        return Path(spec.origin) if spec and spec.has_location and spec.origin else None
    for folder in spec.submodule_search_locations or ():
        path = Path(folder, *rest.split("."))
        for source in (path.with_suffix(".py"), path / "__init__.py"):
            if source.is_file():
                return source
    return None
