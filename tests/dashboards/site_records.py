"""Records for the tests of the site, and functions that read a drawn site."""

from __future__ import annotations

import dataclasses
import json
import zlib
from base64 import b64decode
from pathlib import Path

from suite.actions.sites import draw_site
from suite.api import PROTOCOL, Mode, Status
from suite.matrix.registry import load_registry
from suite.records.published import StoredRecord
from suite.records.schema import Curve, parse_summary
from tests.builders.records import CELL, make_record, measured, with_fields

SCRIPT = "<script>alert(1)</script>"
REGISTRY = load_registry(())
VERSIONS = REGISTRY.task_versions
ARCHITECTURES = REGISTRY.architectures.plugins
UNWRITTEN = Path("see `draw`")
PLOTLY = "window.Plotly = {newPlot: (node, data, layout) => Object.assign(node, {data, layout})};"
FROZEN = Path(__file__).parent.parent / "suite" / "records" / "frozen"
"""A record of each schema that was published."""


def draw(
    entries, folder, pages=None, registry=REGISTRY, choices=(), *, with_plotly=False, written=False,
    is_home=False,
):  # fmt: skip
    """Draw the site of records that are written to disk and read again, as in a command.

    Unless `with_plotly`, a stand-in keeps what a figure draws: Plotly takes seconds to load. The
    records are not written again if they are `written`; else their paths do not count.
    """
    (folder / "records").mkdir(parents=True, exist_ok=True)
    there = list(entries) if written else []
    for made in () if written else entries:
        path = folder / "records" / f"{len(there)}.json"
        path.write_text(made.record.to_json())
        there.append(dataclasses.replace(made, record=parse_summary(path.read_bytes()), path=path))
    first = draw_site(there, registry, folder, pages, choices, is_home=is_home)
    if not with_plotly:
        (folder / "assets" / "plotly.min.js").write_text(PLOTLY)
    return first


def costs_of(**values):
    return {name: measured(value) for name, value in values.items()}


def entry(architecture, length, seed=0, status=Status.OK, machine="here", **values):
    """Return a final run of a benchmark that is not ranked."""
    cell = dataclasses.replace(
        CELL, architecture=architecture, sequence_length=length, seed=seed, options={},
        batch_size=2_048 // length, benchmark="look-1",
    )  # fmt: skip
    if status is not Status.OK:
        record = make_record(status, seed, cell, reason=values.get("reason", "it broke"))
        return StoredRecord(record, machine, UNWRITTEN)
    cost = costs_of(peak_memory_bytes=values["memory"] * 2**20, tokens_per_second=values["speed"])
    f1 = values["f1"]
    record = make_record(
        status,
        seed,
        cell,
        metrics={"test": {"entity_f1": f1}},
        measurements={"training": cost},
        reports={
            "test": {
                "by_type": {"PER": {"f1": f1, "precision": f1, "recall": f1}},
                "by_cue_distance": {"1-8": {"f1": 0.9}, "9-64": {"f1": 0.4}},
                "without_part": {"entity_f1": [f1 - 0.05, f1, f1 + 0.05]},
                "examples": [
                    {"input": f"{SCRIPT} lives", "expected": "PER O", "answer": "O O", "right": 0}
                ],
            }
        },
        curves={"validation_entity_f1": Curve(tokens=(1, 2), values=(f1 / 2, f1))},
        data={"fingerprint": "f"},
        details={"recipe": {"learning_rate": 0.001}},
        parameter_count=7,
    )
    return StoredRecord(record, machine, UNWRITTEN)


def trial(architecture, seed, f1, length=128, **changes):
    """Return a run that scores the validation split alone."""
    found = entry(architecture, length, seed, f1=f1, memory=100.0, speed=1_000.0)
    cell = dataclasses.replace(found.record.cell, scores_test=False, benchmark=None, **changes)
    scores = {"validation": found.record.metrics["test"]}
    reports = {"validation": {"by_type": found.record.reports["test"]["by_type"]}}
    return with_fields(found, cell=cell, metrics=scores, reports=reports)


def probe(architecture, length, number, speed, **changes):
    cell = dataclasses.replace(
        CELL, mode=Mode.PROBE, task=None, task_version=None, source=None, options={},
        architecture=architecture, sequence_length=length, batch_size=4_096 // length, steps=0,
        seed=0, round=number, **changes,
    )  # fmt: skip
    cost = costs_of(tokens_per_second=speed, peak_memory_bytes=2.0**20 * length, step_seconds=1.0)
    record = make_record(Status.OK, number, cell, measurements={"training": cost})
    return StoredRecord(record, "here", UNWRITTEN)


ENTRIES = [
    entry("vanilla", 128, 0, f1=0.5, memory=100.0, speed=1_000.0),
    entry("vanilla", 128, 1, f1=0.7, memory=120.0, speed=1_210.0),
    entry("vanilla", 512, 0, f1=0.8, memory=900.0, speed=400.0),
    entry(SCRIPT, 128, 0, f1=0.6, memory=90.0, speed=2_000.0),
    entry(SCRIPT, 512, 0, status=Status.OUT_OF_MEMORY, reason=f"too big {SCRIPT}"),
    entry("vit", 128, 0, status=Status.UNSUPPORTED, reason="does not take text"),
    *[
        probe(architecture, length, number, speed * (1 + number / 1_000))
        for number in range(3)
        for architecture, length, speed in (
            ("vanilla", 512, 900.0),
            ("vanilla", 1_024, 500.0),
            ("vanilla", 2_048, 200.0),
            ("longformer", 512, 600.0),
            ("longformer", 1_024, 600.0),
            ("longformer", 2_048, 600.0),
        )
    ],
]


SUPERSEDED = entry("vanilla", 128, 2, f1=0.1, memory=1.0, speed=3.0)
ENTRIES.append(with_fields(SUPERSEDED, protocol=PROTOCOL - 1))


def read_script(path):
    text = path.read_text()
    return json.loads(text[text.index("=") + 1 :].rstrip(";\n"))


def texts_of_runs(site):
    """Return the JSON in each script of runs, by the path of the script."""
    begin, end = 'lengthwiseRuns("', '");\n'
    scripts = {path: path.read_text() for path in (site / "data" / "runs").iterdir()}
    assert all(text.startswith(begin) and text.endswith(end) for text in scripts.values())
    return {
        path: zlib.decompress(b64decode(text[len(begin) : -len(end)])).decode()
        for path, text in scripts.items()
    }


def runs_of(site):
    """Return the records in each script of runs, by the path of the script."""
    return {path: json.loads(text) for path, text in texts_of_runs(site).items()}
