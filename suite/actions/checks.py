"""Check that architectures keep the contract."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TextIO

from suite.actions.caller import read_registry
from suite.actions.request import Names, PathLike, make_store, names_of
from suite.actions.runs import open_tracked_session
from suite.api import BACKENDS
from suite.api.plugins import search_path_from_environment
from suite.execution.conformance_checks import Checked, code_of
from suite.execution.conformance_checks import check as run_kit
from suite.execution.preparation import check_backends
from suite.progress import Display
from suite.records.conformance_reports import CheckedCode, ConformanceReport
from suite.records.environment import num_cores
from suite.records.store import Store
from suite.search.complexity_check import check_claims


def check(
    architectures: Names | None = None,
    *,
    costs: bool = False,
    backend: str = BACKENDS[0],
    home: PathLike | None = None,
) -> dict[str, ConformanceReport]:
    """Check architectures, by default all, and return the report of each.

    Each architecture has a process of its own. The reports are kept in the home. With `costs`, the
    returned ones also have checks of how time and memory grow, compared with the claims.

    Raises:
        LengthwiseError: an architecture or the backend is unknown or not installed.
    """
    check_backends((backend,))
    search_path = search_path_from_environment()
    registry = read_registry()
    known = registry.architectures
    names = known.plugins if architectures is None else names_of("architectures", architectures)
    plugins = {name: known.get(name) for name in names}
    codes = [code_of(name, part.version, backend, search_path) for name, part in plugins.items()]
    store = make_store(home)
    store.prepare()
    reports = make_reports(codes, store, search_path, sys.stderr)
    checked = {report.code.architecture: report for report in reports}
    if not costs:
        return checked
    keywords = {"architectures": list(plugins)}
    with open_tracked_session(store, "check", keywords, file=sys.stderr) as tracked:
        for name, report in checked.items():
            claims = check_claims(
                name, plugins[name], store, tracked.run, backend=backend, threads=num_cores()
            )
            checked[name] = report.model_copy(update={"results": (*report.results, *claims)})
    return checked


def make_reports(
    codes: Sequence[CheckedCode], store: Store, search_path: Sequence[str], file: TextIO | None
) -> list[ConformanceReport]:
    """Run the conformance kit on architectures, and return the reports; `file` shows progress."""
    reports = []
    with Display(0, file) if file else nullcontext() as display:
        for event in run_kit(codes, store, search_path):
            if display:
                display(event)
            if isinstance(event, Checked):
                reports.append(event.report)
    return reports
