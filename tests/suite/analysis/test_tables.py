"""Tables: rows, exponents, and ratios between backends and precisions."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from suite.actions.results import Tables
from suite.analysis.tables import make_tables
from suite.api import Mode, Status
from tests.builders.records import CELL, make_record, measured, stored

LENGTHS = (512, 1_024)


def probe(number, length, speed, status=Status.OK, memory=None, **changes):
    cell = dataclasses.replace(
        CELL, mode=Mode.PROBE, task=None, task_version=None, source=None, options={}, steps=0,
        seed=0, round=number, sequence_length=length, batch_size=4_096 // length, **changes,
    )  # fmt: skip
    values = {
        "tokens_per_second": speed,
        "peak_memory_bytes": 2.0**20 * length if memory is None else memory,
    }
    cost = {name: measured(value) for name, value in values.items()}
    if status is not Status.OK:
        return make_record(status, number, cell, reason="it broke")
    return make_record(status, number, cell, measurements={"training": cost})


def test_backends_and_precisions_are_compared_round_by_round():
    rounds = (1.0, 1.3, 0.9)  # the machine's drift hits both, and so leaves the ratio alone
    records = [
        probe(number, length, drift * faster * 1e6 / length, backend=backend, precision=precision)
        for number, drift in enumerate(rounds)
        for length in LENGTHS
        for backend, precision, faster in (
            ("jax", "float32", 2.0 + number / 1_000),
            ("tensorflow", "float32", 1.0),
            ("tensorflow", "mixed_bfloat16", 0.5),
        )
        if (number, length, precision) != (2, 1_024, "mixed_bfloat16")
    ]
    tables = {table.title: table for table in make_tables(map(stored, records))}
    assert {table.baseline for table in tables.values()} == {"tensorflow, float32"}
    found = {
        (how, item.sequence_length, item.measure): item.ratio
        for how in ("jax · float32", "tensorflow · float32", "tensorflow · mixed_bfloat16")
        for title, table in tables.items()
        for item in table.ratios
        if how in title
    }
    assert {how for how, _, _ in found} == {"jax · float32", "tensorflow · mixed_bfloat16"}
    speed = found["jax · float32", 1_024, "training.tokens_per_second"]
    assert speed.value == pytest.approx(2.001, abs=1e-6) and speed.n == 3
    assert 1.99 < speed.low < 2.001 < speed.high < 2.01
    memory = found["jax · float32", 512, "training.peak_memory_bytes"]
    assert (memory.value, memory.low, memory.high) == (1.0, 1.0, 1.0)
    half = found["tensorflow · mixed_bfloat16", 1_024, "training.tokens_per_second"]
    assert half.value == pytest.approx(0.5) and half.n == 2


def test_without_a_baseline_there_are_no_ratios():
    records = [
        probe(0, 512, 5.0),
        probe(0, 512, 0.0, status=Status.OUT_OF_MEMORY, backend="jax"),
        probe(0, 1_024, 5.0, backend="jax"),
        probe(0, 512, 5.0, backend="torch", form="decoder"),
    ]
    assert not any(table.ratios for table in make_tables(map(stored, records)))


def test_a_noisy_phase_is_never_evidence():
    def disturbed(record):
        return record.model_copy(update={"details": {"noisy": ("training",)}})

    lengths = (512, 1_024, 2_048)
    records = [probe(number, length, 1e6 / length) for number in (0, 1) for length in lengths]
    records += [probe(0, length, 5e5 / length, backend="jax") for length in lengths]
    records += [disturbed(probe(1, 512, 9e9, backend="jax"))]
    records += [disturbed(probe(number, 512, 7.0, form="decoder")) for number in (0, 1)]
    tables = {table.title: table for table in make_tables(map(stored, records))}
    jax = next(table for title, table in tables.items() if "jax" in title)
    speed = next(i for i in jax.ratios if i.measure.endswith("second") and i.sequence_length == 512)
    assert (speed.ratio.value, speed.ratio.n) == (pytest.approx(0.5), 1)
    row = jax.rows[0]
    assert row.figures["training.tokens_per_second"].value == pytest.approx(5e5 / 512)
    assert row.statuses == {"ok": 2}
    decoder = next(table for title, table in tables.items() if "decoder" in title)
    figure = decoder.rows[0].figures["training.tokens_per_second"]
    assert figure.is_disturbed and figure.value == pytest.approx(7.0)
    marked = Tables([decoder])
    assert "training.tokens_per_second" in marked.to_frame()["disturbed"][0]
    assert "training.tokens_per_second ~7" in str(marked)


def test_a_title_says_what_the_model_size_means():
    (table,) = make_tables([stored(make_record(parameter_counts={"mixing": 396_000}))])
    assert "model size tiny: 2 layers, width 128, 0.4 M parameters" in table.title


def test_a_peak_of_no_bytes_is_no_cost_and_breaks_no_exponent():
    records = [
        probe(number, length, 1.0, memory=0.0 if length == 512 else 2.0**20 * length)
        for number in (0, 1)
        for length in (512, 1_024, 2_048, 4_096)
    ]
    (table,) = make_tables(map(stored, records))
    assert table.rows[0].figures["training.peak_memory_bytes"] is None
    assert table.rows[1].figures["training.peak_memory_bytes"].n == 2


def test_ratios_of_backends_never_cross_sessions():
    def of_session(number, record):
        invocation = record.invocation.model_copy(update={"id": f"session {number}"})
        return record.model_copy(update={"invocation": invocation})

    records = [
        of_session(1, probe(0, 512, 10.0)),
        of_session(2, probe(0, 512, 20.0, backend="jax")),
    ]
    assert not any(table.ratios for table in make_tables(map(stored, records)))
    records.append(of_session(1, probe(1, 512, 15.0, backend="jax")))
    records.append(of_session(1, probe(1, 512, 10.0)))
    (compared,) = (table.ratios for table in make_tables(map(stored, records)) if table.ratios)
    (speed,) = (item for item in compared if item.measure == "training.tokens_per_second")
    assert speed.ratio.value == pytest.approx(1.5) and speed.ratio.n == 1


def test_ratios_state_the_time_between_paired_runs():
    later = timedelta(minutes=90)
    records = []
    for number in (0, 1):
        records.append(probe(number, 512, 10.0))
        jax = probe(number, 512, 20.0, backend="jax")
        records.append(jax.model_copy(update={"started_at": jax.started_at + number * later}))
    (compared,) = (table.ratios for table in make_tables(map(stored, records)) if table.ratios)
    assert {item.hours_apart for item in compared} == {1.5}
