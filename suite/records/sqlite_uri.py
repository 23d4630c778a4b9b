"""URIs of SQLite databases, for MLflow."""

from __future__ import annotations

from pathlib import Path


def sqlite_uri(path: Path) -> str:
    """Return the URI of an SQLite database for MLflow.

    With the driver in the URI, MLflow does not take a quoted path for one to create.
    """
    quoted = str(path).replace("%", "%25").replace("?", "%3F")
    return f"sqlite{'' if quoted == str(path) else '+pysqlite'}:///{quoted}"
