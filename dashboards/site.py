"""Frames → a site of a few pages that opens from disk, needs no network, and keeps its state in
the address.

What is drawn stands in script files beside the pages, since a page opened from disk can fetch
nothing: `data/index.js` all points, `data/findings.js` what costs comparing, `data/mlflow.js` where
MLflow shows a run, `data/runs/` the records whole, some in a file, loaded when one of them is
looked at. Drawing is done by `assets/`, in the browser.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from dashboards.contents import board_rows, describe, point_columns, record_columns
from dashboards.findings import make_findings
from dashboards.frame import MEASURES, point_frame, record_frame
from dashboards.lines import draw_lines
from dashboards.pages import PAGES, render_page
from dashboards.runs import bundle_runs, runs_written
from dashboards.scripts import write_script, write_text
from suite.analysis.aggregate import compare
from suite.analysis.boards import rank_comparisons
from suite.analysis.grouping import titles
from suite.api import PROTOCOL, Architecture
from suite.records.published import StoredRecord

ASSETS = Path(__file__).parent / "assets"


def write_site(
    entries: Sequence[StoredRecord],
    task_versions: Mapping[str, int],
    architectures: Mapping[str, Architecture],
    folder: Path,
    mlflow_pages: Mapping[str, str] | None = None,
) -> Path:
    """Write all pages and data into `folder` and return the first page.

    `mlflow_pages` says by run id where MLflow's UI shows it, for the run pages to link to. Bundles
    of runs that are there already are left, since a record never changes; others are added, and
    those that no longer exist removed.
    """
    (folder / "data").mkdir(parents=True, exist_ok=True)
    bundles = bundle_runs(entries)
    with runs_written(bundles, folder / "data" / "runs"):
        _write_rest(entries, bundles, task_versions, architectures, folder, mlflow_pages or {})
    return folder / "index.html"


def _write_rest(
    entries: Sequence[StoredRecord],
    bundles: Mapping[str, Sequence[StoredRecord]],
    task_versions: Mapping[str, int],
    architectures: Mapping[str, Architecture],
    folder: Path,
    mlflow_pages: Mapping[str, str],
) -> None:
    """Write everything but the records themselves."""
    comparisons = compare(entries, task_versions)
    made = [comparison for comparison in comparisons if comparison.records]
    records = record_frame(made)
    points = point_frame(made)
    boards = rank_comparisons(comparisons, entries)
    lines = draw_lines(records, architectures)
    shutil.copytree(ASSETS, folder / "assets", dirs_exist_ok=True)
    _write_plotly(folder / "assets" / "plotly.min.js")
    named = titles(comparison.key for comparison in made)
    index = {
        "protocol": PROTOCOL,
        "measures": [asdict(measure) for measure in MEASURES],
        "comparisons": [describe(comparison, named) for comparison in made],
        "lines": lines,
        "records": record_columns(records, lines),
        "points": point_columns(points, lines),
        "boards": board_rows(boards, made, lines),
        "bundles": [[of_bundle[0].record.run_id, name] for name, of_bundle in bundles.items()],
    }
    write_script(folder / "data" / "index.js", "LENGTHWISE", index)
    findings = make_findings(made, boards, architectures)
    write_script(folder / "data" / "findings.js", "LENGTHWISE_FINDINGS", findings)
    run_ids = {entry.record.run_id for entry in entries}
    shown = {run_id: page for run_id, page in mlflow_pages.items() if run_id in run_ids}
    write_script(folder / "data" / "mlflow.js", "LENGTHWISE_MLFLOW", shown)
    for page in PAGES:
        write_text(folder / f"{page.name}.html", render_page(page))


def _write_plotly(path: Path) -> None:
    from plotly.offline import get_plotlyjs

    text = get_plotlyjs()
    if not path.exists() or path.stat().st_size != len(text.encode()):
        path.write_text(text, encoding="utf-8")
