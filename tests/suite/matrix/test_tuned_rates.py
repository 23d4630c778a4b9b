"""A tuned rate is found under a key of everything that it depends on."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from suite.matrix.method_sets import parse_methods
from suite.records.tuned_rates import TUNING, find_tuned_rate, tuning_path, write_choice
from tests.builders.records import REGISTRY, TRIAL

STRATEGY = {"learning_rates": [1e-3, 3e-3, 1e-2], "seeds": [0, 1]}
EVIDENCE = {"learning_rate": 3e-3, "metric": "validation entity_f1", "good_range_decades": 0.5,
            "cost": 1.9, "trials": []}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"backend": "jax"},
        {"precision": "mixed_bfloat16"},
        {"sequence_length": 256},
        {"batch_size": 3},
        {"steps": 9},
        {"model_size": "mini"},
        {"options": {}},
        {"task_version": 99},
        {"architecture_version": 99},
    ],
    ids=str,
)
def test_a_rate_is_valid_for_its_own_setting_alone(tmp_path, changes):
    write_choice(TRIAL, "digest", STRATEGY, EVIDENCE, tmp_path)
    found = find_tuned_rate(TRIAL, "digest", tmp_path)
    assert found is not None and found.learning_rate == 3e-3
    assert found.setting["strategy"] == STRATEGY
    assert find_tuned_rate(replace(TRIAL, **changes), "digest", tmp_path) is None
    assert find_tuned_rate(TRIAL, "other", tmp_path) is None


@pytest.mark.parametrize("path", sorted(TUNING.rglob("*.json")), ids=lambda path: path.parent.name)
def test_a_committed_rate_is_found_under_its_setting(path):
    content = json.loads(path.read_bytes())
    fields = dict(content["setting"])
    digest = fields.pop("source_digest")
    assert {"learning_rates", "seeds"} <= fields.pop("strategy").keys()
    fields["methods"] = parse_methods(fields.pop("methods", "").split(), REGISTRY.methods)
    cell = replace(TRIAL, task=content["task"], architecture=content["architecture"], **fields)
    assert tuning_path(cell, digest) == path
    assert find_tuned_rate(cell, digest) is not None
