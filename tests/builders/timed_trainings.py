"""Final runs of a benchmark with validations, and a quiet session that measured their speeds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from suite.matrix.registry import Registry, load_registry
from suite.records.published import StoredRecord, local_record
from suite.records.schema import Curve, Invocation, RecordSummary
from tests.builders.records import MOMENT, measured
from tests.suite.analysis.final_runs import benchmark_folder, final_runs

TIMED = """
name = "timed"
version = 1
summary = "a benchmark whose trainings are validated"
model_size = "tiny"
seeds = [0, 1, 2]
time_limit_seconds = 60
architectures = ["identity"]

[[entries]]
architecture = "vanilla"
options = { positions = "rotary" }

[[entries]]
architecture = "vanilla"
options = { positions = "rotary" }
methods = ["length_warmup:length=32"]
lengths = [256]

[tasks.language_modeling]
lengths = [64, 256]
steps = [10, 30]
positions_per_step = 512
options = { validations = 3, validation_spacing = "log" }
"""
ROTARY = "vanilla (positions=rotary)"
WARM = f"{ROTARY} + length_warmup:length=32"
SPEEDS = {
    ("identity", 64): 100.0,
    ("identity", 256): 50.0,
    (ROTARY, 64): 10.0,
    (ROTARY, 256): 5.0,
    (WARM, 256): 0.9,
}
"""Tokens per second on a quiet machine."""


def loss(record: RecordSummary, tokens: int) -> float:
    """Return the loss of a run: vanilla learns more, and more at a longer length."""
    cell = record.cell
    slope = 0.001 if cell.architecture == "identity" else 0.001 + cell.sequence_length / 1e5
    return 5.0 - slope * tokens / 10 + 0.01 * (cell.seed - 1)


def timed_trainings(folder: Path) -> tuple[Registry, list[StoredRecord]]:
    """Return final runs, whose files have curves, and one quiet session of trials."""
    registry = load_registry((str(benchmark_folder(folder, TIMED, name="timed")),))
    finals = final_runs(registry, lambda planned: 2.0, ("identity", "vanilla"), name="timed")
    trials = final_runs(
        registry,
        lambda planned: 2.0,
        ("identity", "vanilla"),
        name="timed",
        minutes=5,
        steps=4,
        options={"validations": "1"},
    )
    busy = {"noisy": ("training",)}
    records = []
    for number, run in enumerate([*finals, *trials]):
        record, is_trial = run.record, run.record.cell.steps == 4
        place = record.ranking.entry, record.cell.sequence_length
        speed = SPEEDS[place] * (1.0 if is_trial else 0.3)
        seen = [512 * record.cell.steps * part // 10 for part in (2, 5, 10)]
        curve = Curve(tokens=seen, values=[loss(record, tokens) for tokens in seen])
        fields = {
            "run_id": f"{record.run_id[:-3]}{number:03}",
            "measurements": {"training": {"tokens_per_second": measured(speed)}},
            "details": {} if is_trial else busy,
            "curves": {"validation_bits_per_character": curve},
            "invocation": Invocation(
                id="quiet" if is_trial else "busy",
                started_at=MOMENT + timedelta(minutes=5 * is_trial),
                command="bench run",
                planned_cells=1,
            ),
        }
        whole = type(record).model_validate({**dict(record), **fields})
        path = folder / f"{number}.json"
        path.write_text(whole.to_json())
        records.append(local_record(whole, path))
    return registry, records
