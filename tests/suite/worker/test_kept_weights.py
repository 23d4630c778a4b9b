"""Weights that cannot be kept: the record says why, and nothing half written stays."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace

import numpy as np

from suite.api.weights import MAX_WEIGHTS_BYTES
from suite.worker.kept_models import save_model


def test_a_full_disk_loses_the_weights_and_not_the_record(tmp_path):
    def save_weights(path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    job = SimpleNamespace(weights=tmp_path / "weights")
    model = SimpleNamespace(weights=[np.zeros((2, 3))], save_weights=save_weights)
    assert save_model(model, job, {}) == {
        "weights_problem": "the weights could not be written: No space left on device"
    }
    assert not job.weights.exists()


def test_weights_above_the_limit_are_not_written(tmp_path):
    job = SimpleNamespace(weights=tmp_path / "weights")
    model = SimpleNamespace(weights=[SimpleNamespace(shape=(MAX_WEIGHTS_BYTES // 4 + 1,))])
    assert "bytes are more than" in save_model(model, job, {})["weights_problem"]
    assert not job.weights.exists()
