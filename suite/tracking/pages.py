"""Addresses of runs and experiments in the MLflow UI; the dashboard links to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from suite.api.files import atomic_write_bytes
from suite.records.store import Store
from suite.tracking.connection import tracking_uri
from suite.tracking.uri import without_password

if TYPE_CHECKING:
    from suite.tracking.client import Tracker

UI_ADDRESS = "http://127.0.0.1:5000"
"""The default address of `bench ui`."""


@dataclass(frozen=True, slots=True)
class MlflowPages:
    """Pages of the MLflow UI, relative to its address `at`: of runs by id, experiments by name."""

    at: str
    runs: Mapping[str, str] = field(default_factory=dict)
    experiments: Mapping[str, str] = field(default_factory=dict)


def read_pages(store: Store) -> MlflowPages:
    """Return the known pages of the MLflow store in use; none before the first sync."""
    uri = tracking_uri(store)
    at = without_password(uri).rstrip("/") if uri.startswith("http") else UI_ADDRESS
    if store.mlflow_pages.exists():
        saved = MlflowPages(**json.loads(store.mlflow_pages.read_text()))
        if saved.at == at:
            return saved
    return MlflowPages(at)


def save_pages(store: Store, tracker: Tracker) -> None:
    """Add the pages of all runs that the tracker has read or written to the home's file."""
    known = read_pages(store)
    pages = MlflowPages(
        known.at,
        runs={**known.runs, **tracker.run_pages()},
        experiments={**known.experiments, **tracker.experiment_pages()},
    )
    atomic_write_bytes(store.mlflow_pages, json.dumps(asdict(pages)).encode())
