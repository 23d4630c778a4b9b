"""Fork servers that outlive a run, so that the tests import the framework a few times only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest

from suite.execution.executors import local
from suite.execution.executors.forkserver import ForkServer

MAX_SERVERS = 3
"""Each server holds the framework in memory, about half a GiB."""
BRIEF = "tests.brief_cells"
PLAIN = {
    "XLA_FLAGS": "--xla_backend_optimization_level=0",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
}
"""The settings of brief cells: optimizing a tiny model takes longer than running it.

With one thread for all, cells of any number of threads have one server.
"""
NOT_READ = ("BENCH_", "MLFLOW_", "PYTEST_", "TFDS_")
"""Variables that no cell reads: its job names the home, the data and the search path."""


class SharedServer(ForkServer):
    """A fork server that the end of a run does not close."""

    def close(self) -> None:
        """Do nothing: the children have ended with their executor."""

    def end(self) -> None:
        """End the server."""
        super().close()


class Pool:
    """At most `MAX_SERVERS` servers, one for each environment; the least recently used ends."""

    is_brief = True
    """Whether the cells of the servers measure briefly, with plain settings."""

    def __init__(self) -> None:
        self._servers: dict[tuple[object, ...], SharedServer] = {}

    def server(self, environment: Mapping[str, str], modules: Sequence[str]) -> SharedServer:
        """Return the server for an environment, on top of that of this process."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(NOT_READ)
        }
        if Pool.is_brief:
            modules = [*modules, BRIEF]
            environment = {**environment, **PLAIN, **_given(PLAIN)}
        key = (*modules, *sorted({**inherited, **environment}.items()))
        found = self._servers.pop(key, None) or self._new(environment, modules)
        self._servers[key] = found
        while len(self._servers) > MAX_SERVERS:
            self._servers.pop(next(iter(self._servers))).end()
        return found

    def end(self) -> None:
        """End all servers."""
        while self._servers:
            self._servers.popitem()[1].end()

    @staticmethod
    def _new(environment: Mapping[str, str], modules: Sequence[str]) -> SharedServer:
        # Its environment must not name the home of the first test that needs it.
        unset = {name: "" for name in os.environ if name.startswith(NOT_READ)}
        return SharedServer({**unset, **environment}, modules)


def _given(names: Iterable[str]) -> dict[str, str]:
    """Return the variables of this process that a test has set."""
    return {name: os.environ[name] for name in names if name in os.environ}


@pytest.fixture
def measured_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let cells measure by the rules of the protocol, and not briefly."""
    monkeypatch.setattr(Pool, "is_brief", False)


@contextmanager
def shared_servers() -> Iterator[None]:
    """Let the runs of this process share fork servers until the end of the block."""
    pool = Pool()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "ForkServer", pool.server)
        try:
            yield
        finally:
            pool.end()
