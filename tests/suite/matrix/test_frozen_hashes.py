"""The hashes of frozen benchmarks, a second time: whoever redefines a version edits two files."""

from __future__ import annotations

from suite.matrix.benchmarks import SCALE
from suite.matrix.registry import load_registry

FROZEN = {
    "core-1": "4e16ca09f9499ea8",
    "methods-1": "9b37d7b4022b5c00",
    "method_costs-1": "b7b3fd9f05f10ea0",
    "optimizers-1": "f5bdee011bd92c93",
    "quick-1": "d5f7e68041b4f897",
    "quick-2": "5dce2a57bae6dbe8",
    "quick-3": "ce2dcf79c1b4e6a6",
    "quick-4": "f16862ee2eb6fd44",
    "smoke-1": "195f45d5779f6404",
}
SCALES = {"core": "d3dfd4765926f807"}


def test_no_frozen_version_and_no_scale_was_redefined():
    benchmarks = load_registry(()).benchmarks.plugins.values()
    found = {
        f"{benchmark.name}-{version}": frozen
        for benchmark in benchmarks
        for version, frozen in benchmark.frozen.items()
        if version != SCALE
    }
    assert found == FROZEN
    assert {one.name: one.frozen.get(SCALE) for one in benchmarks if one.scale} == SCALES
