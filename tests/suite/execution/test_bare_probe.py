"""The process of a probe needs only Keras, NumPy, the backend and the standard library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from suite.api import Job, Mode, Recipe
from suite.matrix.expansion import expand
from suite.matrix.model_sizes import MODEL_SIZES
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from tests.conftest import FAKES, ROOT

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
    request = Request(
        mode=Mode.PROBE,
        benchmark="smoke",
        architectures=(architecture,),
        lengths=(64,),
        batch_size=1,
        backends=(backend,),
    )
    (planned,) = expand(request, load_registry((str(FAKES),)))
    job = Job(
        cell=planned.cell,
        model_size=MODEL_SIZES["tiny"],
        recipe=Recipe(),
        source=None,
        search_path=(str(FAKES),),
        folder=tmp_path,
        cache=tmp_path / "cache",
        checkpoint=tmp_path / "checkpoint.npz",
        source_digest=None,
    )
    (tmp_path / "job.json").write_text(job.to_json())

    subprocess.run(
        [sys.executable, "-c", f"BLOCKED = {BLOCKED!r}\n{PROGRAM}", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend},
        check=True,
        timeout=300,
    )
    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert outcome["status"] == "ok", outcome
    assert outcome["measurements"]["training"]["tokens_per_second"]["value"] > 0


def test_a_cell_starts_without_unused_packages_and_can_import_them_later():
    program = (
        "import sys, suite.worker.main\n"
        "from suite.worker import UNUSED\n"
        "print([name for name in UNUSED['tensorflow'] if name in sys.modules])\n"
        "import pandas\n"
        "print(pandas.Series([1]).sum())"
    )
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout.split("\n")[:2] == ["[]", "1"], done.stderr[-2000:]
