"""The size of published records: the fields that a file and a record of an archive keep.

The file of a final run, or of another training with evaluation lengths, has at most
`MAX_FINAL_BYTES`. Its samples and curves are thinned, and its numbers rounded to `DIGITS` digits.
If the file is still too large, it loses the parts of `_smaller`, one by one.

A record of an archive has at most `max_archived_bytes`. It keeps what identifies, ranks and
verifies a cell, rounded: the value of each measurement of a probe; of a trial, the scores and the
training speed, which tells the time that final runs would take alone on a machine. If the record is
still too large, a trial keeps the score of its primary metric alone, also under conditions, and
none of its variants. A probe then keeps only the measurements of `RANKED`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from suite.api import Mode
from suite.api.errors import RequestError
from suite.records.measures import DECLARED, DEFAULT_MEASURE
from suite.records.published import MAX_FINAL_BYTES, has_own_file, max_archived_bytes
from suite.records.schema import Curve, Measurement, Record

MAX_SAMPLES, FEW_SAMPLES = 20, 5
MAX_CURVE_POINTS, FEW_CURVE_POINTS = 60, 20
DIGITS = 7
"""Rounded samples still enclose their median to within a millionth."""
LARGE_REPORTS = ("occlusion", "examples")
"""The reports that a file loses if it is too large, the first one first."""
ARCHIVES_LACK = {"reports", "curves", "parameter_counts", "conformance"}
"""The fields that a record of an archive lacks: neither a trial nor a probe has a score to rank."""
DETAILS = ("noisy", "resumed_at_steps", "lost")
"""The details that a record of an archive keeps."""
DATA = ("fingerprint",)
"""The facts about the data that a record of an archive keeps."""
PACKAGES = ("tensorflow", "jax", "torch", "keras", "numpy")
"""The packages whose versions a record of an archive keeps."""
LEFT_OUT = tuple({measure.name: 1 for measure in DECLARED if measure.keep == 0})
"""The measurements that records of an archive and large files lack; `noisy` stays."""
RANKED = tuple({measure.name: 1 for measure in DECLARED if measure.keep == 2})
"""The measurements that a probe or a decoding keeps if it is too large."""
CODE_DIGITS = 16
"""The digits of the digests of code in a record of an archive. The digest of costs stays whole."""
OF_TASKS = ("higher_is_better", "scored_unit", "drawn_for_length", "ranked")
"""The ranking facts about a training, which a probe lacks."""


class TooLargeError(RequestError):
    """A record that is too large to be published, even reduced."""


def reduced(record: Record) -> bytes:
    """Return a record as it is published, as JSON without spaces.

    Raises:
        TooLargeError: the record is too large.
    """
    if not has_own_file(record):
        return _archived(record)
    thin = record.model_copy(update={"reports": _rounded(record.reports)})
    thin = _thinned(thin, MAX_SAMPLES, MAX_CURVE_POINTS)
    content = thin.model_dump_json().encode()
    for smaller in _smaller(thin):
        if len(content) > MAX_FINAL_BYTES:
            content = smaller.model_dump_json().encode()
    return _checked(content, MAX_FINAL_BYTES, "The file of a record")


def _smaller(record: Record) -> Iterator[Record]:
    """Yield a record without its occlusion maps, then without its examples too, and so on.

    The report of the validation split goes if the test split is scored. Last, the measurements of
    `LEFT_OUT` go, and samples and curves are thinned further.
    """
    reports: Mapping[str, Any] = record.reports
    for left_out in LARGE_REPORTS:
        reports = {
            split: {name: part for name, part in of_split.items() if name != left_out}
            for split, of_split in reports.items()
        }
        yield record.model_copy(update={"reports": reports})
    if record.cell.scores_test:
        reports = {split: part for split, part in reports.items() if split != "validation"}
        yield record.model_copy(update={"reports": reports})
    kept = {
        phase: {name: item for name, item in items.items() if name not in LEFT_OUT}
        for phase, items in record.measurements.items()
    }
    last = record.model_copy(update={"reports": reports, "measurements": kept})
    yield _thinned(last, FEW_SAMPLES, FEW_CURVE_POINTS)


def _archived(record: Record) -> bytes:
    fields = json.loads(record.model_dump_json(exclude=ARCHIVES_LACK))
    probe = record.cell.mode is not Mode.TRAIN
    of_tasks = OF_TASKS if probe else ()
    fields["ranking"] = {
        name: value
        for name, value in _without_empty(fields["ranking"]).items()
        if name not in of_tasks
    }
    if tuning := fields["ranking"].get("tuning"):
        fields["ranking"]["tuning"] = {**tuning, "setting": {}, "trials": []}
    fields["details"] = _only(fields["details"], DETAILS)
    fields["data"] = _only(fields["data"] or {}, DATA)
    fields["invocation"]["command"] = ""
    fields["metrics"] = _rounded(fields["metrics"])
    fields["conditions"] = _rounded(fields["conditions"])
    fields["variants"] = {
        name: {"metrics": _rounded(variant["metrics"])}
        for name, variant in fields["variants"].items()
    }
    fields["worker_seconds"] = _rounded(fields["worker_seconds"])
    fields["environment"] = _archived_environment(fields["environment"])
    kept = {
        phase: {
            name: {"value": _rounded(item.value), "n": item.n}
            for name, item in items.items()
            if item.value is not None and name not in LEFT_OUT
            if probe or f"{phase}.{name}" == DEFAULT_MEASURE
        }
        for phase, items in record.measurements.items()
    }
    fields["measurements"] = _without_empty(kept)
    content, limit = _line(fields), max_archived_bytes(record)
    if len(content) > limit:
        primary = (record.ranking.metric or "",)
        for part, names in (("metrics", primary), ("measurements", RANKED)):
            fields[part] = {name: _only(of, names) for name, of in fields[part].items()}
        fields["conditions"] = {
            condition: {split: _only(metrics, primary) for split, metrics in of.items()}
            for condition, of in fields["conditions"].items()
        }
        fields["variants"] = {}
        content = _line(fields)
    return _checked(content, limit, "A record of an archive")


def _archived_environment(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the environment without what is empty or stated twice, and with short digests."""
    kept = _without_empty(environment)
    if "packages" in kept:
        kept["packages"] = _without_empty(_only(kept["packages"], PACKAGES))
    if isinstance(code := kept.get("code"), Mapping):
        kept["code"] = {
            name: str(value)[:CODE_DIGITS] if name.endswith("_digest") else value
            for name, value in _without_empty(code).items()
            if name not in kept or kept[name] != value
        }
    return kept


def _line(fields: Mapping[str, Any]) -> bytes:
    kept = {**_without_empty(fields), "environment": fields["environment"]}
    return json.dumps(kept, separators=(",", ":"), ensure_ascii=False).encode()


def _checked(content: bytes, limit: int, what: str) -> bytes:
    if len(content) <= limit:
        return content
    sizes = {
        f"{name}.{part}": len(json.dumps(value))
        for name, fields in json.loads(content).items()
        if isinstance(fields, dict)
        for part, value in fields.items()
    }
    largest = sorted(sizes, key=lambda name: (-sizes[name], name))[:3]
    named = ", ".join(f"{name} {sizes[name]:,}" for name in largest)
    raise TooLargeError(
        f"{what} has at most {limit:,} bytes",
        received=f"{len(content):,} bytes, most of them in {named}",
    )


def _thinned(record: Record, num_samples: int, num_points: int) -> Record:
    curves = {name: _thin_curve(curve, num_points) for name, curve in record.curves.items()}
    measurements = {
        phase: {name: _thin_samples(item, num_samples) for name, item in items.items()}
        for phase, items in record.measurements.items()
    }
    return record.model_copy(update={"curves": curves, "measurements": measurements})


def _thin_samples(item: Measurement, count: int) -> Measurement:
    """Return a measurement with the least, the greatest and evenly spaced samples, in order."""
    samples = item.samples
    if len(samples) > count:
        by_value = sorted(range(len(samples)), key=samples.__getitem__)
        chosen = {*_spread(len(samples), count - 2), by_value[0], by_value[-1]}
        samples = tuple(samples[index] for index in sorted(chosen))
    return item.model_copy(update={"samples": tuple(map(_rounded, samples))})


def _thin_curve(curve: Curve, count: int) -> Curve:
    """Return a curve with evenly spaced points, the first and the last among them."""
    length = len(curve.values)
    chosen = _spread(length, count) if length > count else range(length)
    return Curve(
        tokens=tuple(curve.tokens[index] for index in chosen),
        values=tuple(_rounded(curve.values[index]) for index in chosen),
    )


def _spread(length: int, count: int) -> list[int]:
    """Return `count` evenly spaced indices of a sequence, the first and the last among them."""
    return [round(index * (length - 1) / (count - 1)) for index in range(count)]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, Mapping):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(map(_rounded, value))
    return value


def _without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are not empty; the schema gives the others the same values."""
    return {name: value for name, value in fields.items() if value not in (None, "", {}, [])}


def _only(fields: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: fields[name] for name in names if name in fields}
