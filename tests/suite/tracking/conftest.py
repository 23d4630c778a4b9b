"""Homes and MLflow stores for the tests of tracking."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.records.store import Store
from tests.suite.tracking.helpers import new_store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a home that tracks to its own database."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return new_store(tmp_path / "home")


@pytest.fixture
def shared_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of an MLflow store that does not belong to a home."""
    uri = f"sqlite:///{tmp_path / 'shared.db'}"
    monkeypatch.chdir(tmp_path)  # MLflow keeps the files of such a store in the current folder
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri
