"""Shared by the tests: folders of real data, running `bench`, reading a home."""

from __future__ import annotations

import gc
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import pytest

from suite.cli import main
from suite.tracking.delivery import SyncProcess
from tests.encoded_data import Cache
from tests.fork_servers import measured_in_full, shared_servers

__all__ = ["measured_in_full"]  # a fixture

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
FAKES = ROOT / "tests" / "fakes"
STORED_RECORDS = ROOT / "tests" / "suite" / "records" / "frozen"
"""A record of each schema, as it was stored."""
BENCH = Path(sys.executable).with_name("bench")
CHROMIUM = Path("/usr/bin/chromium")

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Optimizing a tiny model takes XLA seconds and saves milliseconds. `bench` keeps the default and
# measures the speed that users get. JAX's older emitters take 0.6 of the time.
OLDER_EMITTERS = " --xla_cpu_use_fusion_emitters=false"
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0"
    + (OLDER_EMITTERS if os.environ["KERAS_BACKEND"] == "jax" else ""),
)
# Tensors are tiny here: a pool of threads, and the kernels that oneDNN makes for each shape, take
# longer than the plain ones. A cell's process has its own settings.
for name, value in {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}.items():
    os.environ.setdefault(name, value)


def pytest_configure(config: pytest.Config) -> None:
    """Encode data once; on JAX, let equal models compile once, which takes most of the time.

    Each process has folders of its own, because JAX reads what another has written in part.
    """
    Cache.make(config)
    if os.environ["KERAS_BACKEND"] == "jax":
        folder = tempfile.TemporaryDirectory(prefix="jax-")
        config.add_cleanup(folder.cleanup)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder.name
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"


Bench = Callable[..., subprocess.CompletedProcess[str]]


LONG = (
    "test_every_task",
    "test_soak",
    "test_end_to_end",
    "test_newcomer",
    "test_checkpoint",
)
"""Modules with few but long tests. They start first, so that both workers end together."""
REAL_DATA = {"tfds_data_dir", "conll_columns", "semeval_2010_task_8"}
"""Fixtures whose tests read a whole data set, which takes seconds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long modules first, and mark the tests of real data; the others keep their order."""
    items.sort(key=lambda item: item.path.stem not in LONG)
    for item in items:
        if not REAL_DATA.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("real_data")


def pytest_collection_finish() -> None:
    """Exclude all that is imported by now from garbage collections."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Exclude the objects of a finished module: each cell collects garbage among the others."""
    yield
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()


def folder_or_skip(variable: str, default: Path) -> Path:
    """Return a folder of real data; fail if a variable names a missing one, else skip."""
    if named := os.environ.get(variable):
        assert Path(named).is_dir(), f"{variable}={named} is not a folder"
        return Path(named)
    if not default.is_dir():
        pytest.skip(f"no real data: {variable} is not set and {default} does not exist")
    return default


@pytest.fixture(scope="session")
def tfds_data_dir() -> Path:
    return folder_or_skip("TFDS_DATA_DIR", SHARED / "tensorflow_datasets")


@pytest.fixture(scope="session")
def reference_outputs() -> Path:
    return folder_or_skip("REFERENCE_OUTPUTS", SHARED / "reference_outputs")


@pytest.fixture(scope="session")
def semeval_2010_task_8() -> Path:
    return folder_or_skip("SEMEVAL_2010_TASK_8", SHARED / "semeval2010_task8")


@pytest.fixture(scope="session")
def conll_columns(tfds_data_dir: Path) -> Path:
    folder = tfds_data_dir.parent / "conll2003_columns"
    if not folder.is_dir():
        pytest.skip("no real data: conll2003_columns is not beside the TFDS folder")
    return folder


@pytest.fixture(scope="session")
def chromium() -> Path:
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed (`make system-packages`)")
    return CHROMIUM


def bench_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment without settings that change what `bench` does."""
    ours = ("BENCH_", "MLFLOW_", "TFDS_", "XLA_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, **(extra or {})}


@contextmanager
def replaced_environment(environment: Mapping[str, str]) -> Iterator[None]:
    """Replace all environment variables of this process."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def kept_signal_handlers() -> Iterator[None]:
    """Restore the handlers that a command sets."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in this thread after some seconds."""

    def end(number: int, frame: object) -> None:
        raise TimeoutError(f"`bench` ran longer than {seconds:g} s")

    former = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def run_bench(
    arguments: Sequence[str], environment: Mapping[str, str], seconds: float
) -> subprocess.CompletedProcess[str]:
    """Run `bench` in this process, as its script does, and catch what it prints."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(
            sys, "argv", ["bench", *arguments]
        )
        stack.enter_context(replaced_environment(environment))
        stack.enter_context(kept_signal_handlers())
        stack.enter_context(time_limit(seconds))
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        try:
            main()
        except SystemExit as ending:
            code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session", autouse=True)
def shared_fork_servers() -> Iterator[None]:
    """Import the framework once for the cells of many tests, not once per run."""
    with shared_servers():
        yield


@pytest.fixture(autouse=True)
def no_other_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no run of this process warn of other programs, such as other tests."""
    monkeypatch.setattr("psutil.cpu_percent", lambda *_, **__: 0.0)


@pytest.fixture(autouse=True)
def no_delivery(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no run of this process start MLflow, which takes seconds, unless `delivery` is used."""
    if "delivery" not in request.fixturenames:
        monkeypatch.setattr(SyncProcess, "start", lambda self: None)


@pytest.fixture
def delivery() -> None:
    """Let runs deliver their records to MLflow."""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Run `bench` with a home of its own, in this process or (`process=True`) in a fresh one.

    Cells run in processes of their own either way.
    """

    def run(*arguments: str, timeout: float = 300, process: bool = False, **environment: str):
        defaults = {"BENCH_HOME": str(tmp_path / "home"), "BENCH_PATH": str(FAKES)}
        environment = bench_environment({**defaults, **environment})
        if not process:
            return run_bench(arguments, environment, timeout)
        return subprocess.run(
            [str(BENCH), *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment,
        )

    return run


def read_records(home: Path) -> list[dict]:
    """Return all records of a home, oldest first."""
    paths = sorted((home / "records").glob("*.json"), key=lambda path: path.name.split(".")[1])
    return [json.loads(path.read_text()) for path in paths]


def wait_for_phase(home: Path, phase: str, seconds: float = 120) -> None:
    """Wait until a cell of a home reports a phase whose name begins so, such as "measuring"."""
    last = time.monotonic() + seconds
    while not any(
        f'"{phase}' in path.read_text(errors="ignore") for path in home.rglob("progress.jsonl")
    ):
        assert time.monotonic() < last, f"no cell reported {phase!r}"
        time.sleep(0.1)


def processes_of(home: Path) -> dict[int, tuple[int, str]]:
    """Return parent and command line of every process of a home.

    Such a process has the home in its environment, or its log in the home: the fork server of a
    cell may have started for another home.
    """
    mark, found = f"BENCH_HOME={home}".encode(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            if (
                mark in (folder / "environ").read_bytes().split(b"\0")
                or home in (folder / "fd" / "1").readlink().parents
            ):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                after_name = (folder / "stat").read_text().rpartition(")")[2].split()
                if after_name[0] != "Z":
                    found[int(folder.name)] = (int(after_name[1]), command)
    return found
