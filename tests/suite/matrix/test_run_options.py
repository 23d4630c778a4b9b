"""How a cell is run: over several devices it learns what it learns on one."""

from __future__ import annotations

import numpy as np
import pytest

from suite.api import Mode, Recipe, build_request, uses_xla
from suite.api.plugins import ARCHITECTURES, find_plugin
from suite.matrix.expansion import expand
from suite.matrix.registry import load_registry
from suite.matrix.request import Request
from suite.records.model_sizes import MODEL_SIZES
from tests.conftest import read_records


@pytest.mark.parametrize(
    ("batch_size", "backend", "devices", "reason"),
    [
        (8, "jax", "4", None),
        (6, "jax", "4", "must be a multiple of the number of devices"),
        (8, "jax", "0", "must be a multiple of the number of devices"),
        (8, "tensorflow", "4", "only JAX splits"),
    ],
)
def test_what_cannot_be_split_is_unsupported(batch_size, backend, devices, reason):
    request = Request(
        tasks=("ner",),
        architectures=("bert",),
        batch_size=batch_size,
        backends=(backend,),
        options={"devices": devices},
    )
    for planned in expand(request, load_registry(())):
        assert (planned.unsupported is None) == (reason is None)
        assert reason is None or reason in planned.unsupported


@pytest.mark.parametrize(
    ("backend", "mode", "reason"),
    [
        ("tensorflow", "xla", None),
        ("tensorflow", "graph", None),
        ("tensorflow", "fast", "the compile modes are auto, graph, xla"),
        ("jax", "xla", "only TensorFlow has"),
    ],
)
def test_a_compile_mode_is_tensorflow_s(backend, mode, reason):
    request = Request(
        mode=Mode.PROBE, architectures=("bert",), backends=(backend,), options={"compile": mode}
    )
    for planned in expand(request, load_registry(())):
        assert (planned.unsupported is None) == (reason is None)
        assert reason is None or reason in planned.unsupported
        request_to_build = build_request(
            planned.cell, MODEL_SIZES["tiny"], Recipe(), None, find_plugin(ARCHITECTURES, "bert")
        )
        if reason is None:
            asked = uses_xla(planned.cell, find_plugin(ARCHITECTURES, "bert"), request_to_build)
            assert asked == (mode == "xla")


def test_a_cell_computes_in_its_precision(bench, tmp_path):
    words = ("run", "--mode", "probe", "--benchmark", "smoke", "--architectures", "hasty")
    words += ("--lengths", "64", "--precisions", "float32,mixed_bfloat16")
    ended = bench(*words, "--no-tracking", "--no-dashboard")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for record in read_records(tmp_path / "home"):
        computed_in = record["cell"]["precision"].removeprefix("mixed_")
        assert f" {computed_in} matrices" in record["details"]["matrix_rate"]["method"]


@pytest.mark.slow
def test_the_loss_of_four_devices_is_that_of_one(bench, tmp_path):
    words = "run --task ner --benchmark smoke --architectures bert --batch-size 8 --backend jax"
    words += " --no-tracking --no-dashboard --option dropout=0 --test"
    flags = "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0"
    for devices in ("1", "4"):
        ended = bench(*words.split(), "--option", f"devices={devices}", XLA_FLAGS=flags)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    one, four = read_records(tmp_path / "home")
    assert four["cell"]["options"]["devices"] == 4
    losses = [record["curves"]["training_loss"] for record in (one, four)]
    means = [np.interp(losses[0]["tokens"], loss["tokens"], loss["values"]) for loss in losses]
    assert losses[0]["values"][-1] < losses[0]["values"][0]
    np.testing.assert_allclose(means[0][-1], means[1][-1], rtol=0.05)
    scores = [record["metrics"]["test"]["token_accuracy"] for record in (one, four)]
    np.testing.assert_allclose(scores[0], scores[1], atol=0.02)
