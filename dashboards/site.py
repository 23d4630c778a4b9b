"""Records → a site of a few static pages.

The site opens from disk, needs no network, and keeps the state of a page in its address. A page
opened from disk cannot fetch data, so the data are scripts beside the pages:

- `data/index.js` has the comparisons, entries, runs, points, boards and leaderboards.
- `data/predictions.js` has predicted costs at lengths that were not measured.
- `data/findings.js` has growth with length, crossover points, differences between entries, and
  shares of the best scores.
- `data/history.js` has the figures of one's own home by commit.
- `data/reports.js` has the reports by group of examples, as means over seeds.
- `data/methods.js` has the gain and the price of methods, and scores of disturbed examples.
- `data/diagnostics.js` has the charts of diagnostics and of decoding, and who solves what.
- `data/mlflow.js` has the address of each run in MLflow.
- `data/runs/` has the complete records, several in a script. A page loads a script when it shows
  one of its records.

The scripts in `assets/` draw the pages in the browser.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from dashboards.data import (
    board_rows,
    columns,
    describe,
    figure_columns,
    make_diagnostics,
    make_entries,
    make_findings,
    make_history,
    make_methods,
    make_predictions,
    report_rows,
    run_columns,
    subject_of,
    task_name,
)
from dashboards.pages import PAGES, PREVIEW, Host, render_page
from dashboards.runs import bundle_runs, runs_written
from dashboards.scripts import MEASURE_NUMBERS, mapped, write_script
from dashboards.words import machine_texts, with_texts
from suite.analysis.boards import BASELINE, rank_comparisons
from suite.analysis.comparison_key import short_titles, titles
from suite.analysis.comparisons import compare, in_precedence
from suite.analysis.frame import to_figures, to_frame
from suite.analysis.leaderboard import make_leaderboards, summarize
from suite.analysis.learning_rates import count_unranked, search_summaries
from suite.analysis.tradeoffs import cost_sources, tradeoffs
from suite.api import PROTOCOL, Architecture, Task
from suite.api.files import atomic_write_bytes
from suite.records.benchmarks import Benchmark
from suite.records.measures import CHARTED, metric_of
from suite.records.published import StoredRecord, has_own_file
from suite.records.tuned_rates import Tuned

ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True)
class Known:
    """What the site takes from plug-ins.

    `architectures` are all known ones, with the growth of cost that each claims. `choices` are the
    tuned learning rates. With `is_home`, the site is that of a user's home, whose own data come
    first.
    """

    tasks: Mapping[str, Task]
    architectures: Mapping[str, Architecture]
    benchmarks: Collection[Benchmark]
    choices: Sequence[Tuned] = ()
    is_home: bool = False


def write_site(
    records: Sequence[StoredRecord],
    known: Known,
    folder: Path,
    mlflow_pages: Mapping[str, str] | None = None,
    host: Host | None = None,
) -> Path:
    """Write all pages and data into `folder` and return the first page.

    Existing bundles of runs are kept, because a record never changes. New bundles are added, and
    bundles that are no longer needed are removed.

    Args:
        records: the records.
        known: the tasks, the architectures, the benchmarks and the tuned learning rates.
        folder: the folder of the site.
        mlflow_pages: the address in MLflow's UI of each run id, for links on the run pages.
        host: the facts about the host of the folder that the pages state.

    Raises:
        OSError: the site could not be written.
    """
    (folder / "data").mkdir(parents=True, exist_ok=True)
    bundles = bundle_runs(records)
    with runs_written(bundles, folder / "data" / "runs"):
        _write_rest(records, bundles, known, folder, mlflow_pages or {}, host or Host())
    return folder / "index.html"


def _write_rest(
    records: Sequence[StoredRecord],
    bundles: Mapping[str, Sequence[StoredRecord]],
    known: Known,
    folder: Path,
    mlflow_pages: Mapping[str, str],
    host: Host,
) -> None:
    """Write all files except the complete records."""
    import pandas  # not at the top: commands that only list or plan do not need pandas

    tasks, architectures = known.tasks, known.architectures
    all_comparisons = compare(records, {name: task.version for name, task in tasks.items()})
    with_records = (one for one in all_comparisons if one.records)
    comparisons = in_precedence(with_records, own_first=known.is_home)
    frame, figures = to_frame(comparisons), to_figures(comparisons)
    boards = rank_comparisons(all_comparisons)
    searches = search_summaries(known.choices, tasks)
    entries = make_entries(frame, searches, architectures)
    numbers = {entry["name"]: number for number, entry in enumerate(entries)}
    diagnostics = make_diagnostics(comparisons, numbers, tasks)
    diagnosed = {comparisons[task["comparison"]].key.task for task in diagnostics["tasks"]}
    keys = [comparison.key for comparison in comparisons]
    title_of, name_of = titles(keys), short_titles(keys)
    run_ids = {stored.record.run_id for stored in records}
    machines = machine_texts(stored.machine for stored in records)
    sources = cost_sources(comparisons, boards)
    predictions = make_predictions(comparisons, sources)
    known_costs = pandas.concat([figures, predictions])
    leaderboards = [
        {**summarize(one), "titles": {task: task_name(task, tasks) for task in one.titles}}
        for one in make_leaderboards(known.benchmarks, comparisons, boards, tasks)
    ]
    content = {
        "protocol": PROTOCOL,
        "measures": [
            {"key": key, **asdict(shown), "higher_is_better": metric_of(key).higher_is_better}
            for key, shown in CHARTED.items()
        ],
        "comparisons": [
            {
                **with_texts(describe(one, name_of[one.key], subject_of(one.key, tasks)), machines),
                "title": title_of[one.key],
                "costs": sources[number],
                "is_own": known.is_home and one.key.is_own_data,
            }
            for number, one in enumerate(comparisons)
        ],
        "entries": entries,
        "runs": run_columns(frame, numbers),
        "points": figure_columns(figures, numbers),
        "boards": board_rows(boards, comparisons, numbers),
        "leaderboards": with_texts(mapped(leaderboards), machines),
        "tradeoffs": columns(
            {
                **asdict(one),
                "measure": MEASURE_NUMBERS[one.measure],
                "front": [numbers[name] for name in one.front],
            }
            for one in tradeoffs(comparisons, sources, known_costs, list(CHARTED))
        ),
        "abilities": diagnostics.pop("abilities"),
        "learning_rates": mapped(
            [{**asdict(search), "title": task_name(search.task, tasks)} for search in searches]
        ),
        "trials": [
            {
                "task": count.task,
                "subject": task_name(count.task, tasks),
                "text": str(count),
            }
            for count in count_unranked(one for one in records if not has_own_file(one.record))
        ],
        "diagnosed": sorted(diagnosed),
        "bundles": [[bundle[0].record.run_id, name] for name, bundle in bundles.items()],
    }
    scripts = {
        "": content,
        "diagnostics": diagnostics,
        "findings": make_findings(comparisons, figures, boards, architectures),
        "history": make_history(comparisons, numbers) if known.is_home else {},
        "predictions": figure_columns(predictions, numbers),
        "reports": report_rows(comparisons, numbers),
        "methods": make_methods(comparisons, numbers),
        "mlflow": {run_id: page for run_id, page in mlflow_pages.items() if run_id in run_ids},
    }
    for name, data in scripts.items():
        variable = f"LENGTHWISE_{name.upper()}".rstrip("_")
        write_script(folder / "data" / f"{name or 'index'}.js", variable, data)
    shutil.copytree(ASSETS, folder / "assets", dirs_exist_ok=True)
    _write_plotly(folder / "assets" / "plotly.min.js")
    if host.address:
        # matplotlib takes a second to import
        from dashboards.preview import choose_charts, choose_colored, write_preview

        charts = choose_charts(figures, comparisons, sources)
        references = [
            entry["name"]
            for entry in entries
            if entry["control"] or entry["architecture"] == BASELINE
        ]
        colored = choose_colored(charts, references)
        styles = [entry for entry in entries if entry["name"] in colored]
        write_preview(folder / PREVIEW, charts, styles, [title_of[key] for key in keys])
    for page in PAGES:
        atomic_write_bytes(folder / f"{page.name}.html", render_page(page, host).encode())


def _write_plotly(path: Path) -> None:
    from plotly.offline import get_plotlyjs

    text = get_plotlyjs()
    if not path.exists() or path.stat().st_size != len(text.encode()):
        path.write_text(text, encoding="utf-8")
