"""Checks of the machine, the installation and the home, each with a remedy."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from suite.actions.request import DATA_DIR_VARIABLE, PathLike, as_text, make_store
from suite.api import SourceRequest
from suite.api.errors import LengthwiseError
from suite.api.plugins import plugin_calls
from suite.matrix.registry import Registry, load_registry
from suite.records.environment import (
    PACKAGES,
    describe_environment,
    describe_machine,
)
from suite.records.store import Store
from suite.records.weights import num_bytes, weights_folders

PYTHON_VERSIONS = ((3, 11), (3, 12), (3, 13))
LEAST_DISK_BYTES = 2 * 2**30
LEAST_MEMORY_BYTES = 4 * 2**30
PROBE_SECONDS = 120
EXTRAS = ("jax", "torch")
MAKE_SETUP = "Run `make setup`"
UNREADABLE_REMEDY = (
    "Update Lengthwise if a newer version wrote the file. Otherwise restore the file, or move it "
    "out of the records with `bench doctor --set-aside`"
)


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check.

    `remedy` says what to do if the check failed. `needed` is true if every run needs what was
    checked.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ""
    needed: bool = True


def examine(
    *,
    home: PathLike | None = None,
    tfds_data_dir: PathLike | None = None,
    set_aside: bool = False,
) -> Iterator[Check]:
    """Yield the result of each check; the last two run in separate processes and take seconds.

    `set_aside` moves unreadable files out of the records.
    """
    registry, store = load_registry(), make_store(home)
    data_dir = as_text(tfds_data_dir or os.environ.get(DATA_DIR_VARIABLE))
    yield _python()
    yield from _packages()
    yield _hardware()
    yield _home(store)
    yield from _records(store, set_aside)
    yield _weights(store)
    yield _disk(store)
    for collection in registry.plugin_sets:
        for key, reason in collection.broken.items():
            yield Check(f"{collection.word} {key}", False, reason, "Correct the file")
    yield from _data(registry, data_dir)
    yield _in_process(
        "devices",
        "import os; os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'; "
        "from suite.worker.backends import backend; print(', '.join(backend.devices()))",
        "TensorFlow cannot be imported. Install the project again with `make setup`",
    )
    yield _in_process(
        "tracking",
        "import sys; from pathlib import Path; from suite.records.store import Store; "
        "from suite.tracking.connection import connect; "
        "print(connect(Store(Path(sys.argv[1]))).uri)",
        "Start the server or correct MLFLOW_TRACKING_URI. No record is lost: `bench sync` delivers "
        "the records later",
        str(store.home),
    )


def _python() -> Check:
    ok = sys.version_info[:2] in PYTHON_VERSIONS
    *others, newest = (f"{major}.{minor}" for major, minor in PYTHON_VERSIONS)
    remedy = f"Install Python {', '.join(others)} or {newest}"
    return Check("python", ok, platform.python_version(), remedy)


def _packages() -> Iterator[Check]:
    versions = describe_environment()["packages"]
    for name in PACKAGES:
        found = versions[name]
        extra = name in EXTRAS
        remedy = f"For --backend {name} only: make setup EXTRAS={name}" if extra else MAKE_SETUP
        yield Check(f"package {name}", found is not None, found or "missing", remedy, not extra)


def _hardware() -> Check:
    machine = describe_machine()
    memory = machine["memory_bytes"]
    named = [*machine["accelerators"], machine["processor"], f"{machine['num_cores']} cores"]
    found = ", ".join([*named, f"{memory / 2**30:.0f} GiB"])
    return Check(
        "hardware", memory >= LEAST_MEMORY_BYTES, found, "Use tiny models: others need 4 GiB"
    )


def _home(store: Store) -> Check:
    try:
        store.prepare()
    except LengthwiseError as error:
        return Check("home", False, str(error), "Choose another folder with --home DIR")
    return Check("home", True, str(store.home))


def _records(store: Store, set_aside: bool) -> Iterator[Check]:
    unreadable = store.unreadable()
    for path, reason in unreadable:
        if set_aside and store.is_malformed(path):
            yield Check("records", True, f"{path.name} was moved to {store.set_aside(path)}")
        else:
            yield Check("records", False, f"{path}: {reason}", UNREADABLE_REMEDY, needed=False)
    if not unreadable:
        count = len(store.run_ids())
        yield Check("records", True, f"{count} readable record{'' if count == 1 else 's'}")


def _weights(store: Store) -> Check:
    folders = weights_folders(store)
    size = f"{num_bytes(folders) / 2**20:.1f} MiB"
    return Check("weights", True, f"{len(folders)} trained models kept, {size}")


def _disk(store: Store) -> Check:
    folder = store.home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return Check(
        "disk", free >= LEAST_DISK_BYTES, f"{free / 2**30:.1f} GiB free", "Free 2 GiB or more"
    )


def _data(registry: Registry, data_dir: str | None) -> Iterator[Check]:
    for key, task in registry.tasks.plugins.items():
        for kind, source in task.sources.items():
            if source.argument_required:
                continue
            try:
                with plugin_calls():
                    task.inspect(SourceRequest(kind=kind, data_dir=data_dir), task.options)
            except LengthwiseError as error:
                yield Check(
                    f"data {key} {kind}", False, str(error), "Needed for this source only", False
                )
            else:
                yield Check(f"data {key} {kind}", True, source.summary)


def _in_process(name: str, program: str, remedy: str, *arguments: str) -> Check:
    """Run a check in a separate process, because it imports a large package."""
    try:
        result = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            env={**os.environ},
        )
    except subprocess.TimeoutExpired:
        found = f"not known: no answer within {PROBE_SECONDS} s"
        return Check(name, False, found, "Repeat the check when the machine is less busy", False)
    lines = (result.stdout if result.returncode == 0 else result.stderr).strip().splitlines()
    return Check(name, result.returncode == 0, lines[-1] if lines else "no output", remedy)
