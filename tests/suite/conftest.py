"""Fixtures that the rooms share."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.records.store import Store
from tests.builders.records import new_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a home."""
    return new_store(tmp_path / "home")
