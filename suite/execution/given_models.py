"""Models that somebody gives: what they are, and the plug-in that puts them before the workers.

The plug-in lies in a folder of the home, and binds an architecture whose facts a process of its own
found out. Its folder is part of the search path of one command alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from suite.api import Limits, RequestError
from suite.api.files import atomic_write_bytes
from suite.execution.executors.base import classify_exit
from suite.execution.executors.local import (
    START_LIMIT_SECONDS,
    LocalExecutor,
    child_environment,
)
from suite.execution.executors.process import why_ended
from suite.records.environment import total_memory_bytes
from suite.records.store import Store

DESCRIBE = "baselines.layers.describe_model"
LIMITS = Limits(seconds=START_LIMIT_SECONDS, memory_bytes=total_memory_bytes())
KERAS, FUNCTION, PRESET, HUGGINGFACE = "keras", "function", "preset", "huggingface"


@dataclass(frozen=True)
class GivenPlugin:
    """The plug-in of a given model: its name, its folder in the search path, and its facts."""

    name: str
    folder: Path
    facts: Mapping[str, Any]


Describe = Callable[[str, str, str], dict[str, Any]]
"""A function of the kind of a model, its place and its form or ""; it returns the facts."""


def kind_of(model: str) -> str | None:
    """Return what a text names: a file, a function, a preset or a folder; None for a plain name.

    A folder that holds no model does not hide the architecture of its name.

    Raises:
        RequestError: the file or folder does not exist, or is none of these.
    """
    is_function = re.fullmatch(r".*\.py:\w+", model) is not None
    try:
        file = Path(model.rpartition(":")[0] if is_function else model).expanduser()
        exists = file.exists()
    except (OSError, RuntimeError):  # a name that is too long, or the home of an unknown user
        exists = False
    if not (is_function or exists or "/" in model or model.endswith((".keras", ".json"))):
        return None
    if not exists:
        raise RequestError("There is no such file", received=model)
    if is_function or file.suffix == ".keras":
        return FUNCTION if is_function else KERAS
    config = file / "config.json" if file.is_dir() else file
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
        if "keras_hub" in str(content.get("module", "")):
            return PRESET
        if "model_type" in content or "auto_map" in content:
            return HUGGINGFACE
    except (OSError, ValueError, AttributeError):
        pass
    if model.isidentifier():
        return None
    raise RequestError(
        "A model is an architecture, a .keras file, FILE.py:function, a preset folder of "
        "keras-hub, or a folder or config.json of Hugging Face",
        received=model,
    )


def backend_of(kind: str | None, backend: str | None) -> str | None:
    """Return the backend of a kind of model: PyTorch for Hugging Face.

    Raises:
        RequestError: packages of the kind are missing, or it needs another backend.
    """
    needed = {PRESET: ("keras_hub",), HUGGINGFACE: ("torch", "transformers")}.get(kind or "", ())
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        extra = "hub" if kind == PRESET else "hf"
        raise RequestError(
            f"This model needs the extra '{extra}'",
            received=f"an environment without {' and '.join(missing)}",
            remedy=f"In the checkout: make setup EXTRAS={extra}",
        )
    if kind == HUGGINGFACE and backend not in (None, "torch"):
        raise RequestError("A model of Hugging Face runs on torch", received=f"backend {backend}")
    return "torch" if kind == HUGGINGFACE else backend


def make_plugin(
    model: str,
    kind: str,
    form: str | None,
    store: Store,
    taken: Collection[str],
    describe: Describe,
) -> GivenPlugin:
    """Find out the facts about a model, and write its plug-in.

    The name is that of the file, or of folder and file if that is one of `taken`: "old_model" for
    `old/model.py:make`.

    Raises:
        RequestError: the model cannot be loaded or measured.
    """
    path, _, function = model.rpartition(":") if kind == FUNCTION else (model, "", "")
    file = Path(path).expanduser().resolve()
    place = f"{file}:{function}" if kind == FUNCTION else str(file)
    facts = describe(kind, place, form or "")
    name = _free_name(file, function, taken)
    digest = _digest(file, map(Path, facts.pop("imported", ())))
    key = hashlib.sha256(f"{place} {facts}".encode()).hexdigest()[:8]
    folder = store.home / "models" / f"{name}-{digest[:8]}-{key}"
    text = (
        '"""The model of a length card."""\n\n'
        "from baselines.layers.given_model import GivenModel\n\n"
        f"ARCHITECTURE = GivenModel({name!r}, {(kind, place)!r}, {dict(facts)!r}, {digest!r})\n"
    )
    plugin = folder / "baselines" / f"{name}.py"
    plugin.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_bytes(plugin, text.encode())
    return GivenPlugin(name, folder, facts)


def _free_name(file: Path, function: str, taken: Collection[str]) -> str:
    file = file.parent if file.name == "config.json" else file
    stem = file.name if file.is_dir() else file.stem
    words = [stem, *([function] if function not in ("", "make", "model", "build") else [])]
    name = _identifier(words)
    if name in taken:
        name = _identifier([file.parent.name, *words])
    while name in taken:
        name += "_given"
    return name


def _identifier(words: Sequence[str]) -> str:
    name = re.sub(r"\W+", "_", "_".join(words)).strip("_").lower() or "model"
    return name if name.isidentifier() else f"model_{name}"


def describe_apart(executor: LocalExecutor, backend: str, threads: int) -> Describe:
    """Return a function that finds out the facts about a model in a process of an executor.

    The process is one like that of a cell: what the code of a model does there harms no other.
    """
    environment = child_environment(backend, threads)

    def describe(kind: str, place: str, form: str) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            program = (DESCRIBE, kind, place, form, str(folder / "outcome.json"))
            result = executor.run_program(program, folder, LIMITS, environment)
        if result.outcome is None:
            ended = CompletedProcess(program, result.exit_code, stderr=result.log_tail)
            stopped = classify_exit(result, LIMITS)[1] if result.stopped else None
            raise RequestError(
                "The process that loads the model ended",
                received=stopped or why_ended(ended)[:200],
            )
        if "problem" in result.outcome:
            raise RequestError(result.outcome["problem"].rstrip("."))
        return dict(result.outcome)

    return describe


def _digest(file: Path, imported: Iterable[Path] = ()) -> str:
    """Return the digest of a file, or of the names, sizes and small files of a folder.

    `imported` are modules that the file imports.
    """
    content = hashlib.sha256()
    for path in [*(sorted(file.rglob("*")) if file.is_dir() else [file]), *imported]:
        if path.is_file():
            size = path.stat().st_size
            content.update(f"{path.name} {size}".encode())
            content.update(path.read_bytes() if size < 2**28 else b"")
    return content.hexdigest()[:16]
