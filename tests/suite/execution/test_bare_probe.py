"""The process of a probe needs only Keras, NumPy, the backend and the standard library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.builders.cells import probe_job
from tests.conftest import ROOT

BLOCKED = (
    "tensorflow",
    "tensorflow_datasets",
    "pydantic",
    "pandas",
    "mlflow",
    "plotly",
    "sklearn",
    "click",
    "psutil",
)
PROGRAM = """
import sys
from pathlib import Path

sys.modules.update(dict.fromkeys(BLOCKED))  # makes their import fail
from suite.worker.main import work
work(Path(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("backend", "architecture"),
    [
        ("jax", "brisk"),  # vanilla, measured instantly
        *(
            pytest.param(backend, architecture, marks=pytest.mark.slow)
            for backend in ("jax", "torch")
            for architecture in ("longformer", "reformer", "transformer_xl")
        ),
    ],
)
def test_a_probe_needs_only_keras_and_its_backend(tmp_path, backend, architecture):
    if find_spec(backend) is None:
        pytest.skip(f"the extra `{backend}` is not installed")
    folder = tmp_path / "cell"
    job = probe_job(folder, architecture, lengths=(64,), batch_size=1, backends=(backend,))
    (folder / "job.json").write_text(job.to_json())

    subprocess.run(
        [sys.executable, "-c", f"BLOCKED = {BLOCKED!r}\n{PROGRAM}", str(folder)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend},
        check=True,
        timeout=300,
    )
    outcome = json.loads((folder / "outcome.json").read_text())
    assert outcome["status"] == "ok", outcome
    assert outcome["measurements"]["training"]["tokens_per_second"]["value"] > 0
