"""Local records → `results/published/<machine>/`: checked, and without what stays at home.

A published record is a record like any other, so whatever reads one reads the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.api import PROTOCOL, Mode, Status
from suite.api.errors import RequestError
from suite.api.files import CHECKOUT, atomic_write_bytes
from suite.records.environment import MAX_MACHINE_NAME, machine_name
from suite.records.schema import Record
from suite.records.store import ReportUnreadable, Store, ignore_unreadable

PUBLISHED = CHECKOUT / "results" / "published"
MACHINE_NAME = re.compile(rf"[a-z0-9][a-z0-9-]{{1,{MAX_MACHINE_NAME - 1}}}")
UNFINISHED = {Status.INTERRUPTED, Status.FAILED}
OWN_PATH = re.compile(
    r"(?<![\w.:/])(?!/(?:proc|sys|dev|device)\b)(?:~|/[\w.+-]+)(?:/[\w.+-]+)+|\b[A-Za-z]:\\"
)
"""A path of somebody's machine; the system's own, which methods name, are everybody's."""
BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
OF_TEXT = ("examples", "occlusion")
"""The reports that hold, or picture, the texts themselves."""
PRIVATE = ("host_name", "operating_system")
"""What of the environment names somebody's machine and explains no figure."""


@dataclass
class Published:
    """What became of the records: paths written, how many stood already, reasons of the others."""

    written: list[Path] = field(default_factory=list)
    stood: int = 0
    refused: list[tuple[Record, str]] = field(default_factory=list)


def publish(
    store: Store,
    machine: str | None = None,
    into: Path = PUBLISHED,
    *,
    dry_run: bool = False,
    report_unreadable: ReportUnreadable = ignore_unreadable,
) -> Published:
    """Copy each cell's standing record that passes `why_not`, for `machine` or the one it names.

    Raises:
        RequestError: the machine's name is none for a folder.
    """
    if machine is not None and not MACHINE_NAME.fullmatch(machine):
        raise RequestError(
            "A machine is named in lower-case letters, digits and hyphens", received=repr(machine)
        )
    outcome = Published()
    for record in sorted(
        store.current(report_unreadable=report_unreadable), key=lambda record: record.run_id
    ):
        stripped = strip(record)
        if reason := why_not(record) or private(stripped):
            outcome.refused.append((record, reason))
            continue
        folder = into / (machine or machine_name(record.environment))
        path = folder / store.path_of(record).name
        if path.exists():
            outcome.stood += 1
            continue
        if not dry_run:
            folder.mkdir(parents=True, exist_ok=True)
            atomic_write_bytes(path, stripped.to_json().encode())
        outcome.written.append(path)
    return outcome


def why_not(record: Record) -> str | None:
    """Say why a record cannot be published, or None where it can."""
    environment = record.environment
    if record.protocol != PROTOCOL:
        return f"protocol {record.protocol}, where {PROTOCOL} is in force: run it again"
    if record.status in UNFINISHED:
        return f"it ended as {record.status}: run it again with --retry {record.status}"
    if environment.get("commit") is None:
        return "the commit it ran from is unknown"
    if environment.get("dirty"):
        return "it ran from changed files: commit them and run it again"
    if record.cell.mode is Mode.TRAIN and record.status is Status.OK:
        if not (record.data or {}).get("fingerprint"):
            return "the data it was trained on has no fingerprint"
        if not record.metrics.get("test"):
            return "it was not scored on test"
    if record.cell.mode is Mode.PROBE and (noisy := record.details.get("noisy")):
        phases = " and ".join(noisy)
        return (
            f"others used the machine while {phases} was measured: run it again with --retry noisy"
        )
    return None


def private(record: Record) -> str | None:
    """Say what of a stripped record should have stayed at home, or None where nothing should."""
    if any(record.environment.get(name) for name in PRIVATE) or record.log_tail:
        return "it names the machine or keeps its log: `bench publish` takes both out"
    for text in _texts(_without_maps(json.loads(record.to_json()))):
        if CONTROL.search(text):
            return f"{text[:40]!r} has control characters"
        if found := OWN_PATH.search(text):
            return f"it holds a path of somebody's machine: {found.group()[:40]!r}"
    return None


def _without_maps(content: dict[str, Any]) -> dict[str, Any]:
    """Leave out what positions see: bytes in base64, where "+/f+/f76" is no path."""
    for report in content["reports"].values():
        occlusion = report.get("occlusion")
        if isinstance(occlusion, dict) and BASE64.fullmatch(str(occlusion.get("map"))):
            report["occlusion"] = {**occlusion, "map": ""}
    return content


def strip(record: Record) -> Record:
    """Leave out what stays at home: the machine's name, log, traceback, text that is not free."""
    environment = {name: value for name, value in record.environment.items() if name not in PRIVATE}
    error = record.error and record.error.model_copy(update={"traceback": None})
    reports: Mapping[str, Any] = record.reports
    if not (record.data or {}).get("redistributable"):
        reports = {
            split: {name: part for name, part in of_split.items() if name not in OF_TEXT}
            for split, of_split in reports.items()
        }
    changes = {"environment": environment, "error": error, "log_tail": "", "reports": reports}
    return record.model_copy(update=changes)


def _texts(value: Any) -> Iterator[str]:
    """Yield every text of what JSON holds, names too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
