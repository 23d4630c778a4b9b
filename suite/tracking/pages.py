"""Addresses of runs and experiments in the MLflow UI; the dashboard links to them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from suite.api.files import atomic_write_bytes
from suite.records.store import Store
from suite.tracking.connection import tracking_uri, without_password

UI_ADDRESS = "http://127.0.0.1:5000"
"""The default address of `bench ui`."""


Page = Annotated[str, Field(pattern=r"^#/experiments/[^/]+/.")]


class MlflowPages(BaseModel):
    """Pages of the MLflow UI, relative to its address `at`: of runs by id, experiments by name."""

    model_config = ConfigDict(frozen=True)

    at: str
    runs: Mapping[str, Page] = {}
    experiments: Mapping[str, Page] = {}


def read_pages(store: Store) -> MlflowPages:
    """Return the known pages of the MLflow store in use; none before the first sync.

    A damaged file counts as none: the next sync writes it again.
    """
    uri = tracking_uri(store)
    at = without_password(uri).rstrip("/") if uri.startswith("http") else UI_ADDRESS
    with suppress(FileNotFoundError, ValueError):  # pydantic's error is a ValueError
        saved = MlflowPages.model_validate_json(store.mlflow_pages.read_bytes())
        if saved.at == at:
            return saved
    return MlflowPages(at=at)


def save_pages(store: Store, runs: Mapping[str, str], experiments: Mapping[str, str]) -> None:
    """Add pages of runs, by key, and of experiments, by name, to the home's file."""
    known = read_pages(store)
    pages = MlflowPages(
        at=known.at,
        runs={**known.runs, **runs},
        experiments={**known.experiments, **experiments},
    )
    atomic_write_bytes(store.mlflow_pages, pages.model_dump_json().encode())
