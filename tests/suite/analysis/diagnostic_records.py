"""Records of diagnostic tasks and of decodings, as final runs of a benchmark leave them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from suite.api import Form, Mode, Status
from suite.records.published import StoredRecord
from suite.records.schema import Curve, parse_summary
from tests.builders.records import CELL, REGISTRY, make_record, measured, stored

NOT_APPLICABLE = "not applicable: the Transformer has learned positions, which end at 256"


def trained(task, architecture, seed, accuracy, length, *, curve=(), state=None, **fields):
    """Return a training of a decoder; `curve` is its validation accuracy after equal steps."""
    of_cell = ("benchmark", "scores_test", "evaluation_lengths")
    changes = {name: fields.pop(name) for name in of_cell if name in fields}
    cell = dataclasses.replace(
        CELL,
        task=task,
        task_version=REGISTRY.tasks.get(task).version,
        form=Form.DECODER,
        architecture=architecture,
        architecture_version=REGISTRY.architectures.get(architecture).version,
        options=fields.pop("options", {}),
        sequence_length=length,
        steps=400,
        seed=seed,
        **{"benchmark": "diagnostics-1", **changes},
    )
    split = "test" if cell.scores_test else "validation"
    scores = {"accuracy": accuracy, **fields.pop("scores", {})}
    points = tuple(curve)
    record = make_record(
        Status.OK,
        seed,
        cell,
        metrics={split: scores},
        reports={split: fields.pop("reports", {})},
        curves={
            "validation_accuracy": Curve(
                tokens=tuple(1_000 * (place + 1) for place in range(len(points))), values=points
            )
        }
        if points
        else {},
        data={"fingerprint": task, "examples": {split: 1_000}},
        details={"declared_state_bytes": state},
        **fields,
    )
    return stored(record)


def decoded(architecture, context, number, seconds, state, status=Status.OK, peaks=None):
    """Return a decoding: the time of a token in seconds and the bytes of its state, if counted.

    `peaks` are the bytes of the memory by phase.
    """
    cell = dataclasses.replace(
        CELL, mode=Mode.DECODE, form=Form.DECODER, task=None, task_version=None, source=None,
        options={}, architecture=architecture, sequence_length=context, batch_size=1, steps=0,
        seed=0, round=number, scores_test=False,
    )  # fmt: skip
    values = {"step_seconds": seconds, **({} if state is None else {"state_bytes": float(state)})}
    phases = {"generation": values}
    for phase, peak in (peaks or {}).items():
        phases.setdefault(phase, {})["peak_memory_bytes"] = peak
    measurements = {
        phase: {name: measured(value) for name, value in of_phase.items()}
        for phase, of_phase in phases.items()
        if status is Status.OK
    }
    return stored(make_record(status, number, cell, measurements=measurements))


def by_length(metric="accuracy", **others):
    """Return a function from scores by evaluation length to the report of a record."""

    def report(scores):
        return {
            "by_evaluation_length": {
                str(length): score
                if isinstance(score, str)
                else {metric: score, **{name: of(score) for name, of in others.items()}}
                | {"examples": 1_000}
                for length, score in scores.items()
            }
        }

    return report


def write(records: list[StoredRecord], folder: Path) -> list[StoredRecord]:
    """Write records to disk and return their summaries."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number, one in enumerate(records):
        path = folder / f"{number}.json"
        path.write_text(one.record.to_json())
        found.append(dataclasses.replace(one, record=parse_summary(path.read_bytes()), path=path))
    return found


def recall(more_pairs=False, **fields) -> list[StoredRecord]:
    """Return associative recall at 64 symbols: 4 pairs, and up to 64 at evaluation lengths.

    With `more_pairs`, 2 pairs are in 64 symbols too. `fields` are those of each record or its cell.
    """
    scores = {
        "vanilla": (131_072, {64: 0.999, 256: 0.98, 1_024: 0.97}),
        "mamba2": (65_536, {64: 0.995, 256: 0.7, 1_024: 0.2}),
        "lstm": (2_048, {64: 0.6, 256: 0.2, 1_024: 0.05}),
        "reformer": (None, {64: 0.5, 256: 0.5, 1_024: 0.5}),
    }
    found = []
    for name, (state, of_length) in scores.items():
        for seed in range(3):
            shift = 0.001 * seed
            reports = by_length()({at: value - shift for at, value in of_length.items()})
            for at, value in of_length.items():
                reports[f"by_pairs_at_{at}"] = {str(at // 16): value - shift}
            reports["by_pairs"] = {"4": of_length[64] - shift}
            if more_pairs:
                for place in ("by_pairs", "by_pairs_at_64"):
                    reports[place] = {"2": 1.0, **reports[place]}
            curve = [0.1, 0.5, 0.992, 0.999] if of_length[64] > 0.99 else [0.1, 0.3, 0.5, 0.6]
            found.append(
                trained(
                    "associative_recall",
                    name,
                    seed,
                    of_length[64] - shift,
                    64,
                    state=state,
                    reports=reports,
                    curve=curve,
                    **fields,
                )
            )
    return found


def states() -> list[StoredRecord]:
    """Return two problems of state tracking, at 40 and 80 symbols; one of three seeds fails."""
    values = {
        "parity": {"lstm": (1.0, 1.0, 0.5), "vanilla": (0.51, 0.5, 0.52)},
        "s3": {"lstm": (1.0, 1.0, 1.0), "vanilla": (0.2, 0.21, 0.19)},
    }
    guesses = {"parity": 1 / 2, "s3": 1 / 6}
    found = []
    for problem, of_problem in values.items():

        def scaled(value, guess=guesses[problem]):
            return (value - guess) / (1 - guess)

        for name, of_entry in of_problem.items():
            for seed, value in enumerate(of_entry):
                longer = value - 0.1 if value > 0.9 else value
                found.append(
                    trained(
                        "state_tracking",
                        name,
                        seed,
                        value,
                        40,
                        options={} if problem == "parity" else {"problem": problem},
                        scores={"scaled_accuracy": scaled(value)},
                        reports=by_length(scaled_accuracy=scaled)({40: value, 80: longer}),
                        curve=[0.5, value, value, value],
                        state=1_024,
                    )
                )
    return found


def extrapolation() -> list[StoredRecord]:
    """Return induction heads, trained at 256 symbols and tested to 4,096."""
    scores = {
        ("mamba2", ""): {256: 1.0, 1_024: 0.99, 4_096: 0.98},
        ("vanilla", "rotary"): {256: 0.998, 1_024: 0.31, 4_096: 0.09},
        ("vanilla", "learned"): {256: 0.995, 1_024: NOT_APPLICABLE, 4_096: NOT_APPLICABLE},
    }
    return [
        trained(
            "induction_heads",
            name,
            seed,
            of_length[256],
            256,
            options={"positions": positions} if positions else {},
            reports=by_length()(of_length),
            curve=[0.1, 0.2, of_length[256], of_length[256]],
        )
        for (name, positions), of_length in scores.items()
        for seed in range(3)
    ]


def language() -> list[StoredRecord]:
    """Return language models that were trained at 256 characters and tested to 1,024."""
    scores = {"vanilla": {256: 2.2, 1_024: 2.9}, "mamba2": {256: 2.21, 1_024: 2.1}}
    return [
        trained(
            "language_modeling",
            name,
            seed,
            0.0,
            256,
            scores={"bits_per_character": of_length[256] + 0.001 * seed},
            reports=by_length("bits_per_character")(
                {at: value + 0.001 * seed for at, value in of_length.items()}
            ),
        )
        for name, of_length in scores.items()
        for seed in range(3)
    ]


def retrieval() -> list[StoredRecord]:
    """Return key-value retrieval by depth; an entry finds all, the other what is near the end."""
    found = []
    for name in ("mamba2", "vanilla"):
        for seed in range(3):
            reports = by_length()({512: 1.0, 2_048: 0.8})
            for length in (512, 2_048):
                depths = {
                    f"{10 * tenth}-{10 * tenth + 10}%": 1.0
                    if name == "mamba2" and (length == 512 or tenth > 2)
                    else round(tenth / 10, 2)
                    for tenth in range(10)
                }
                reports[f"by_depth_at_{length}"] = depths
                if length == 512:
                    reports["by_depth"] = depths
            found.append(trained("key_value_retrieval", name, seed, 0.8, 512, reports=reports))
    return found


def decodings() -> list[StoredRecord]:
    """Return decodings at three contexts; full attention does not fit the longest.

    `identity` keeps no state.
    """
    found = []
    for number in range(3):
        for context in (128, 1_024, 8_192):
            factor = 1 + 0.01 * number
            found.append(decoded("mamba2", context, number, 1e-3 * factor, 65_536))
            found.append(decoded("identity", context, number, 5e-4 * factor, 0))
            fits = context < 8_192
            status = Status.OK if fits else Status.OUT_OF_MEMORY
            seconds = context / 128 * 1e-3 * factor
            found.append(decoded("vanilla", context, number, seconds, 2_048 * context, status))
    return found
