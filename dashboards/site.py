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
from dashboards.runs import bundle_runs, runs_written
from dashboards.scripts import write_script, write_text
from suite.analysis.aggregate import compare
from suite.analysis.boards import rank_comparisons
from suite.analysis.grouping import titles
from suite.api import PROTOCOL, Architecture
from suite.records.published import StoredRecord

ASSETS = Path(__file__).parent / "assets"
PAGES = {
    "index": ("Overview", "Who is best at which length, by how much, at what cost"),
    "tradeoffs": ("Trade-offs", "Quality against cost, growth with length, crossovers, limits"),
    "task": ("Tasks", "Learning curves, reports, examples"),
    "compare": ("Compare", "Two lines or two runs side by side"),
    "run": ("Run", "One record, whole"),
}


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
    lines = draw_lines(records)
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
    for name, (title, summary) in PAGES.items():
        write_text(folder / f"{name}.html", _page(name, title, summary))


def _page(name: str, title: str, summary: str) -> str:
    links = "".join(
        f'<a href="{other}.html"{" aria-current=page" if other == name else ""}>{label}</a>'
        for other, (label, _) in PAGES.items()
        if other != "run" or name == "run"
    )
    scripts = ["assets/theme.js", "assets/plotly.min.js", "data/index.js"]
    if name in ("tradeoffs", "compare"):
        scripts.append("data/findings.js")
    if name == "run":
        scripts.append("data/mlflow.js")
    scripts += ["assets/common.js", f"assets/{name}.js"]
    tags = "".join(
        f"<script src='{script}'{'' if script.endswith('theme.js') else ' defer'}></script>"
        for script in scripts
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="assets/style.css">'
        f"<title>{title} · Lengthwise</title>{tags}</head><body>"
        '<a class="skip" href="#main">Skip to content</a>'
        f'<header><strong>Lengthwise</strong><nav aria-label="Pages">{links}</nav>'
        '<button id="theme" type="button">Dark</button></header>'
        f'<main id="main"><h1>{title}</h1><p class="note">{summary}.</p>'
        '<div id="content"><p>Loading…</p></div></main>'
        "<noscript>The pages are drawn by scripts beside them: switch JavaScript on.</noscript>"
        "</body></html>"
    )


def _write_plotly(path: Path) -> None:
    from plotly.offline import get_plotlyjs

    text = get_plotlyjs()
    if not path.exists() or path.stat().st_size != len(text.encode()):
        path.write_text(text, encoding="utf-8")
