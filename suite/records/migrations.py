"""Migrations: the content of a record of an older schema → that of the current one.

A migration is a pure function of the record and of a frozen data file. Each schema that was ever
published has a fixture in `tests/suite/records/frozen`, and the tests load all of them.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 5

FROZEN_FACTS = Path(__file__).with_name("schema_1.json")
NOISY_SHARE_1 = 0.1
"""Schema 1: a phase was noisy where other processes took more than this share of the machine."""
RENAMED_MEASURES_2 = {
    "foreign_load_share": "other_process_cpu_share",
    "matrix_rate_share": "model_flops_utilization",
}


def migrate(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a record in the current schema; current content is returned as it is.

    Raises:
        KeyError: the content has no schema version with a migration.
    """
    while content["schema_version"] != SCHEMA_VERSION:
        content = MIGRATIONS[content["schema_version"]](content)
    return content


def _from_1_to_2(content: dict[str, Any]) -> dict[str, Any]:
    """Rename two measures and a report, flag noise by phase, and add what ranking needs."""
    migrated = {**content, "schema_version": 2}
    migrated["measurements"] = {
        phase: {RENAMED_MEASURES_2.get(name, name): value for name, value in measures.items()}
        for phase, measures in content.get("measurements", {}).items()
    }
    migrated["reports"] = {
        split: {("occlusion" if name == "influence" else name): part for name, part in of.items()}
        for split, of in content.get("reports", {}).items()
    }
    migrated["details"] = {
        **content.get("details", {}),
        "noisy": _noisy_phases(content.get("details", {}), migrated["measurements"]),
    }
    migrated["ranking"] = _ranking_of_schema_1(content["cell"])
    return migrated


def _noisy_phases(
    details: Mapping[str, Any], measurements: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Return the noisy phases: schema 1 flagged only training in cells that train."""
    noisy = set(details.get("noisy") or ())
    for phase, measures in measurements.items():
        share = (measures.get("other_process_cpu_share") or {}).get("value")
        if share is not None and share > NOISY_SHARE_1:
            noisy.add(phase)
    return sorted(noisy)


def _ranking_of_schema_1(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ranking needs of a cell, from the tasks and the tuning of schema 1's time."""
    facts = _facts_of_schema_1()
    task = facts["tasks"].get(cell["task"], {})
    of_task = set(task.get("options", ()))
    options = dict(cell["options"])
    own = {name: value for name, value in options.items() if name not in of_task}
    rate = options.get("learning_rate", task.get("learning_rate"))
    choice = facts["tuning"].get(
        (cell["task"], cell["task_version"], cell["source"], cell["architecture"])
    )
    tuned = choice is not None and choice["learning_rate"] == rate
    if tuned:
        own.pop("learning_rate", None)
    elif choice is not None:
        own["learning_rate"] = rate
    return {
        "entry": _entry_of_schema_1(cell["architecture"], own),
        "task_options": {name: value for name, value in options.items() if name in of_task},
        "metric": task.get("metric"),
        "higher_is_better": task.get("higher_is_better", True),
        "budget_unit": task.get("budget_unit", "tokens"),
        "drawn_for_length": (cell["source"] or "").partition(":")[0]
        in task.get("drawn_sources", ()),
        "learning_rate": rate,
        "tuning": choice if tuned else None,
    }


def _entry_of_schema_1(architecture: str, options: Mapping[str, Any]) -> str:
    """Return an entry's name as schema 1 was shown; frozen with the migration."""
    text = " ".join(f"{name}={value}" for name, value in sorted(options.items()))
    return f"{architecture} ({text})" if options else architecture


@functools.cache
def _facts_of_schema_1() -> dict[str, Any]:
    facts = json.loads(FROZEN_FACTS.read_text())
    choices = {}
    for choice in facts["tuning"]:
        setting = choice["setting"]
        key = choice["task"], setting["task_version"], setting["source"], choice["architecture"]
        choices[key] = {
            name: choice[name] for name in ("learning_rate", "metric", "setting", "trials")
        }
    return {"tasks": facts["tasks"], "tuning": choices}


def _from_2_to_3(content: dict[str, Any]) -> dict[str, Any]:
    """Count the budget in steps, and add the benchmark, the track and the seal of the test split.

    Schema 2 had budgets in tokens or examples; the steps are those that fill the budget if each
    batch is full. All its trainings scored the test split. It had no benchmarks.
    """
    ranking = dict(content["ranking"])
    unit = ranking.pop("budget_unit", "tokens")
    cell = dict(content["cell"])
    budget = cell.pop("budget")
    per_step = cell["batch_size"] * (cell["sequence_length"] if unit == "tokens" else 1)
    cell |= {
        "steps": -(-budget // per_step),
        "benchmark": None,
        "scores_test": cell["mode"] == "train",
    }
    ranking["scored_unit"] = {"tokens": "positions", "examples": "examples"}[unit]
    return {**content, "schema_version": 3, "cell": cell, "ranking": ranking}


def _from_3_to_4(content: dict[str, Any]) -> dict[str, Any]:
    """State that it is unknown whether the code passed the conformance kit (kit 0)."""
    return {**content, "schema_version": 4, "conformance": {"kit": 0}}


def _from_4_to_5(content: dict[str, Any]) -> dict[str, Any]:
    """Methods, variants and conditions are new: an older record has none."""
    return {**content, "schema_version": 5}


MIGRATIONS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    1: _from_1_to_2,
    2: _from_2_to_3,
    3: _from_3_to_4,
    4: _from_4_to_5,
}
