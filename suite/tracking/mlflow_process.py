"""MLflow's own server as a process: its arguments and environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from suite.tracking.connection import QUIET


@dataclass(frozen=True, slots=True)
class MlflowProcess:
    """A server of MLflow that has not started yet.

    Secrets belong in the environment: all users of a machine can read the arguments of a process.
    """

    address: str
    arguments: Sequence[str]
    environment: Mapping[str, str]

    def replace_this_process(self) -> NoReturn:
        """Become the server. Ctrl-C and the exit status are then the server's."""
        command = [sys.executable, "-m", "mlflow", "server", *self.arguments]
        sys.stdout.flush()
        os.execve(sys.executable, command, {**os.environ, **QUIET, **self.environment})  # noqa: S606
