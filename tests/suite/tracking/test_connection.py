"""The connection to an MLflow store: shown addresses, unreachable stores, the lock."""

from __future__ import annotations

import pytest

from suite.api.errors import TrackingError
from suite.records.store import TRACKING
from suite.tracking.connection import lock_writing, without_password
from tests.conftest import read_records


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://ann:secret@127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("postgresql://ann:se:cret@db/mlflow", "postgresql://db/mlflow"),
        ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
    ],
)
def test_shown_address_has_no_password(uri, shown):
    assert without_password(uri) == shown


def test_lock_is_exclusive_and_released(store):
    with lock_writing(store), pytest.raises(TrackingError, match="Another process"):
        lock_writing(store, timeout_seconds=0.0).__enter__()
    lease = store.acquire(TRACKING)
    assert lease is not None
    lease.close()


def test_unreachable_server_costs_only_a_warning(bench, tmp_path):
    arguments = ("run", "--mode", "probe", "--benchmark", "smoke", "--architectures", "hasty")
    uri = "http://ann:secret@127.0.0.1:9"
    result = bench(*arguments, MLFLOW_TRACKING_URI=uri)
    assert result.returncode == 0, result.stderr
    assert "`bench sync` delivers them later" in result.stderr
    assert "secret" not in result.stdout + result.stderr
    assert result.stdout.splitlines()[-1].split() == ["MLflow", "UI", "http://127.0.0.1:9"]
    (record,) = read_records(tmp_path / "home")
    assert record["status"] == "ok"
