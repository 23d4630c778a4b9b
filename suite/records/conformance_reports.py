"""Reports of the conformance kit: one file in a home for each code of an architecture.

A report holds for an architecture, its version, a backend, a version of the kit, and the digest of
the code: that of the architecture and of all that it imports (`suite.api.code_digest`).
"""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from suite.api.conformance import KIT_VERSION, CheckResult, Verdict
from suite.api.files import atomic_write_bytes
from suite.records.schema import Conformance
from suite.records.store import Store, home_errors

FILE_DIGITS = 16
"""The digits of the digest in the name of a report's file."""


class CheckedCode(BaseModel):
    """The code of an architecture on a backend, as one version of the kit checks it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: str
    version: int
    backend: str
    digest: str
    kit: int = KIT_VERSION

    @property
    def file_name(self) -> str:
        """The name of the report's file."""
        words = self.architecture, self.version, self.backend, f"kit{self.kit}"
        return f"{'-'.join(map(str, words))}-{self.digest[:FILE_DIGITS]}.json"


class ConformanceReport(BaseModel):
    """The results of all checks of one code."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")

    code: CheckedCode
    checked_at: AwareDatetime
    results: tuple[CheckResult, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the failed checks, in order."""
        names = (result.check for result in self.results if result.verdict is Verdict.FAILED)
        return tuple(dict.fromkeys(names))

    @property
    def conformance(self) -> Conformance:
        """The part of the report that a record holds."""
        return Conformance(kit=self.code.kit, failed=self.failed)


def write_report(store: Store, report: ConformanceReport) -> None:
    """Write a report to a home; it replaces an earlier one of the same code.

    Raises:
        HomeError: the disk is full, or the folder is not writable.
    """
    path = store.checks / report.code.file_name
    with home_errors("A report of the conformance kit could not be written", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_bytes(path, report.model_dump_json(indent=1).encode())


def read_report(store: Store, code: CheckedCode) -> ConformanceReport | None:
    """Return the report of a code; None without a readable file."""
    try:
        report = ConformanceReport.model_validate_json((store.checks / code.file_name).read_bytes())
    except (OSError, ValidationError):
        return None
    return report if report.code == code else None
