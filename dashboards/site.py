"""Records → a site of a few static pages.

The site opens from disk, needs no network, and keeps the state of a page in its address. A page
opened from disk cannot fetch data, so the data are scripts beside the pages:

- `data/index.js` has the comparisons, lines, points, boards and leaderboards.
- `data/findings.js` has growth with length, crossover points, differences between lines, and the
  performance profile.
- `data/mlflow.js` has the address of each run in MLflow.
- `data/runs/` has the complete records, several in a script. A page loads a script when it shows
  one of its records.

The scripts in `assets/` draw the pages in the browser.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dashboards.contents import board_rows, describe, point_columns, record_columns
from dashboards.findings import make_findings
from dashboards.frame import MEASURES, point_frame, record_frame
from dashboards.lines import draw_lines
from dashboards.pages import PAGES, render_page
from dashboards.runs import bundle_runs, runs_written
from dashboards.scripts import shorten_all, write_script, write_text
from suite.analysis.aggregate import Comparison, compare
from suite.analysis.boards import Board, rank_comparisons
from suite.analysis.grouping import ComparisonKey, titles
from suite.analysis.short_titles import short_titles
from suite.api import PROTOCOL, Architecture, Mode, Task
from suite.records.published import StoredRecord

ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True)
class Known:
    """What the site takes from plug-ins.

    `architectures` are all known ones, with the growth of cost that each claims.
    `make_leaderboards` returns the leaderboards of the ranked benchmarks as plain data
    (`suite.analysis.leaderboard_summary`). It is passed in because the site does not import the
    matrix, which benchmarks belong to.
    """

    tasks: Mapping[str, Task]
    architectures: Mapping[str, Architecture]
    make_leaderboards: Callable[[Sequence[Comparison], Sequence[Board]], list[dict[str, Any]]]


def write_site(
    entries: Sequence[StoredRecord],
    known: Known,
    folder: Path,
    mlflow_pages: Mapping[str, str] | None = None,
) -> Path:
    """Write all pages and data into `folder` and return the first page.

    Existing bundles of runs are kept, because a record never changes. New bundles are added, and
    bundles that are no longer needed are removed.

    Args:
        entries: the records.
        known: the tasks, the architectures, and the leaderboards that can be made.
        folder: the folder of the site.
        mlflow_pages: the address in MLflow's UI of each run id, for links on the run pages.

    Raises:
        OSError: the site could not be written.
    """
    (folder / "data").mkdir(parents=True, exist_ok=True)
    bundles = bundle_runs(entries)
    with runs_written(bundles, folder / "data" / "runs"):
        _write_rest(entries, bundles, known, folder, mlflow_pages or {})
    return folder / "index.html"


def _write_rest(
    entries: Sequence[StoredRecord],
    bundles: Mapping[str, Sequence[StoredRecord]],
    known: Known,
    folder: Path,
    mlflow_pages: Mapping[str, str],
) -> None:
    """Write all files except the complete records."""
    tasks, architectures = known.tasks, known.architectures
    all_comparisons = compare(entries, {name: task.version for name, task in tasks.items()})
    comparisons = [comparison for comparison in all_comparisons if comparison.records]
    records = record_frame(comparisons)
    points = point_frame(comparisons)
    boards = rank_comparisons(all_comparisons)
    lines = draw_lines(records, architectures)
    for line in lines:
        part = architectures.get(line["architecture"])
        line["control"] = bool(part and part.control)
    shutil.copytree(ASSETS, folder / "assets", dirs_exist_ok=True)
    _write_plotly(folder / "assets" / "plotly.min.js")
    title_of = titles(comparison.key for comparison in comparisons)
    name_of = short_titles(comparison.key for comparison in comparisons)
    index = {
        "protocol": PROTOCOL,
        "measures": [asdict(measure) for measure in MEASURES],
        "comparisons": [
            describe(comparison, title_of, name_of, _subject(comparison.key, tasks))
            for comparison in comparisons
        ],
        "lines": lines,
        "records": record_columns(records, lines),
        "points": point_columns(points, lines),
        "boards": board_rows(boards, comparisons, lines),
        "leaderboards": shorten_all(known.make_leaderboards(comparisons, boards)),
        "bundles": [[bundle[0].record.run_id, name] for name, bundle in bundles.items()],
    }
    write_script(folder / "data" / "index.js", "LENGTHWISE", index)
    findings = make_findings(comparisons, boards, architectures)
    write_script(folder / "data" / "findings.js", "LENGTHWISE_FINDINGS", findings)
    run_ids = {entry.record.run_id for entry in entries}
    pages = {run_id: page for run_id, page in mlflow_pages.items() if run_id in run_ids}
    write_script(folder / "data" / "mlflow.js", "LENGTHWISE_MLFLOW", pages)
    for page in PAGES:
        write_text(folder / f"{page.name}.html", render_page(page))


def _subject(key: ComparisonKey, tasks: Mapping[str, Task]) -> str:
    """Return the title of the task, or of the probe."""
    if key.mode is Mode.PROBE:
        return f"Speed and memory, {key.form.replace('_', '-')}"
    return tasks[key.task].title if key.task in tasks else key.task


def _write_plotly(path: Path) -> None:
    from plotly.offline import get_plotlyjs

    text = get_plotlyjs()
    if not path.exists() or path.stat().st_size != len(text.encode()):
        path.write_text(text, encoding="utf-8")
