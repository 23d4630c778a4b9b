"""Frames → a site of a few pages that opens from disk, needs no network, and keeps its state in
the address.

What is drawn stands in script files beside the pages, since a page opened from disk can fetch
nothing: `data/index.js` all points, `data/findings.js` what costs comparing, `data/mlflow.js` where
MLflow shows a run, `data/runs/` the records whole, some in a file, loaded when one of them is
looked at. Drawing is done by `assets/`, in the browser.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from typing import Any
from zlib import crc32

import pandas as pd

from dashboards.copying import __file__ as copying_program
from dashboards.frame import (
    MEASURES,
    QUALITY,
    Comparison,
    make_comparisons,
    point_frame,
    record_frame,
)
from suite.analysis.boards import Board, Entry, figure, line_of, make_boards, scores
from suite.analysis.grouping import ComparisonKey, baselines, titles
from suite.analysis.ranking import Scores, difference, interquartile_mean, performance_profile
from suite.analysis.search import find_crossing, pair_up
from suite.analysis.statistics import Estimate, exponential
from suite.analysis.tables import exponents, ratios
from suite.api import PROTOCOL, Architecture, Metric, Mode, Status, Task
from suite.api.files import atomic_write_bytes

ASSETS = Path(__file__).parent / "assets"
PAGES = {
    "index": ("Overview", "Who is best at which length, by how much, at what cost"),
    "tradeoffs": ("Trade-offs", "Quality against cost, growth with length, crossovers, limits"),
    "task": ("Tasks", "Learning curves, reports, examples"),
    "compare": ("Compare", "Two lines or two runs side by side"),
    "run": ("Run", "One record, whole"),
}
COLORS = {
    "vanilla": ("#0072B2", "circle"),
    "bert": ("#56B4E9", "square"),
    "gpt": ("#E69F00", "diamond"),
    "transformer_xl": ("#D55E00", "triangle-up"),
    "longformer": ("#009E73", "triangle-down"),
    "reformer": ("#CC79A7", "cross"),
    "vit": ("#882255", "star"),
    "full_attention": ("#777777", "x"),
}
"""Okabe and Ito's colours, which the colour-blind can tell apart, and symbols for print: the same
on every page. Others take what is left over, by name."""
OTHERS = (("#44AA99", "hexagon"), ("#332288", "pentagon"), ("#999933", "hourglass"),
          ("#AA4499", "bowtie"), ("#661100", "star-diamond"), ("#6699CC", "hexagram"))  # fmt: skip
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SHADES = ((0, 0.0), (0, 0.45), (255, 0.4))
"""What an architecture's colour is mixed with, and how much: nothing, black, white."""
QUALITY_NUMBER = -1
"""Stands for quality where measures are numbers: their places in `MEASURES`."""
RUNS_A_BUNDLE = 16
"""About as many records share a file: one each would take longest of all to write."""
PROFILE_SHARES = [round(0.5 + 0.01 * step, 2) for step in range(51)]


def write_site(
    entries: Sequence[Entry],
    tasks: Mapping[str, Task],
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
    bundles = _bundles(entries)
    with _runs_written(bundles, folder / "data" / "runs"):
        _write_rest(entries, bundles, tasks, architectures, folder, mlflow_pages or {})
    return folder / "index.html"


def _write_rest(
    entries: Sequence[Entry],
    bundles: Mapping[str, Sequence[Entry]],
    tasks: Mapping[str, Task],
    architectures: Mapping[str, Architecture],
    folder: Path,
    mlflow_pages: Mapping[str, str],
) -> None:
    """Write everything but the records themselves."""
    made = make_comparisons(entries, tasks)
    records = record_frame(made, tasks)
    points = point_frame(made, tasks)
    boards = make_boards(entries, tasks)
    lines = draw_lines(records)
    shutil.copytree(ASSETS, folder / "assets", dirs_exist_ok=True)
    _write_plotly(folder / "assets" / "plotly.min.js")
    named = titles(comparison.setting for comparison in made)
    index = {
        "protocol": PROTOCOL,
        "measures": [asdict(measure) for measure in MEASURES],
        "comparisons": [_describe(comparison, named) for comparison in made],
        "lines": lines,
        "records": _columns(records, lines, ["architecture"]),
        "points": _points(points, lines),
        "boards": _boards(boards, made, lines),
        "bundles": [[of_bundle[0].record.run_id, name] for name, of_bundle in bundles.items()],
    }
    _write_script(folder / "data" / "index.js", "LENGTHWISE", index)
    findings = _findings(made, boards, tasks, architectures)
    _write_script(folder / "data" / "findings.js", "LENGTHWISE_FINDINGS", findings)
    run_ids = {entry.record.run_id for entry in entries}
    shown = {run_id: page for run_id, page in mlflow_pages.items() if run_id in run_ids}
    _write_script(folder / "data" / "mlflow.js", "LENGTHWISE_MLFLOW", shown)
    for name, (title, summary) in PAGES.items():
        _write(folder / f"{name}.html", _page(name, title, summary))


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


def _describe(comparison: Comparison, named: Mapping[ComparisonKey, str]) -> dict[str, Any]:
    setting, metric = comparison.setting, comparison.metric
    machine, threads = comparison.measured_on
    return {
        "title": named[setting],
        "mode": setting.mode,
        "task": setting.task or f"probe, {setting.form.replace('_', '-')}",
        "source": setting.source or "random tokens",
        "options": setting.task_options,
        "model_size": setting.model_size,
        "budget": setting.budget,
        "precision": setting.precision,
        "backend": setting.backend,
        "batch": setting.batch,
        "machine": machine,
        "threads": threads,
        "protocol": max(entry.record.protocol for entry in comparison.entries),
        "metric": metric.name if metric else "",
        "higher_is_better": metric.higher_is_better if metric else True,
    }  # fmt: skip


def draw_lines(records: pd.DataFrame) -> list[dict[str, Any]]:
    """Give each line its colour and symbol (its architecture's), shade and dash (its options').

    A line of a single length has no dash to be told by.
    """
    seen: dict[str, int] = {}
    lines = []
    pairs = (
        records[["architecture", "line"]].drop_duplicates().sort_values(["architecture", "line"])
    )
    for architecture, line in pairs.itertuples(index=False):
        color, symbol = COLORS.get(architecture) or OTHERS[sum(architecture.encode()) % len(OTHERS)]
        variant = seen.get(architecture, 0)
        seen[architecture] = variant + 1
        dash = DASHES[variant % len(DASHES)]
        shade = _mixed(color, *SHADES[variant % len(SHADES)])
        lines.append({"name": line, "architecture": architecture, "color": shade,
                      "symbol": symbol, "dash": dash})  # fmt: skip
    return lines


def _mixed(color: str, level: int, share: float) -> str:
    """Mix "#RRGGBB" with so large a share of a grey."""
    parts = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    mixed = [round(part + (level - part) * share) for part in parts]
    return "#" + "".join(f"{part:02X}" for part in mixed)


def _columns(
    frame: pd.DataFrame, lines: Sequence[Mapping[str, Any]], without: Sequence[str]
) -> dict[str, Any]:
    """Return a frame column by column, text as numbers into a list of texts."""
    numbers = {line["name"]: number for number, line in enumerate(lines)}
    columns: dict[str, Any] = {}
    for name in frame.columns.drop(list(without)):
        values = frame[name].tolist()
        if name == "line":
            columns[name] = [numbers[value] for value in values]
        elif name in ("status", "reason"):
            texts = sorted(set(values))
            places = {text: place for place, text in enumerate(texts)}
            columns[name] = {"texts": texts, "at": [places[value] for value in values]}
        else:
            columns[name] = [_short(value) for value in values]
    return columns


def _points(points: pd.DataFrame, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the points column by column, measures by their number."""
    columns = _columns(points, lines, [])
    keys = [measure.key for measure in MEASURES]
    columns["measure"] = [
        QUALITY_NUMBER if key == QUALITY else keys.index(key) for key in points["measure"]
    ]
    return columns


def _boards(
    boards: Sequence[Board], made: Sequence[Comparison], lines: Sequence[Mapping[str, Any]]
) -> list[Any]:
    """Return the ranks: comparison, length, batch, metric, then the rows of each board.

    Lines of which nothing stands any more are left to the leaderboard's files.
    """
    of_setting = {comparison.setting: place for place, comparison in enumerate(made)}
    names = {line["name"]: number for number, line in enumerate(lines)}
    found = []
    for board in boards:
        if board.setting not in of_setting:
            continue
        rows = []
        for row in board.rows:
            if row.line not in names:
                continue
            estimate = row.estimate or Estimate(math.nan, None, None, 0)
            of_row: list[Any] = [names[row.line], row.rank]
            of_row += [_short(estimate.value), _short(estimate.low), _short(estimate.high)]
            of_row += [estimate.n, str(row.tier), row.note, row.superseded_by, row.parameter_count]
            of_row += [_short(row.worker_seconds), str(row.measured_on), row.run_ids[0]]
            rows.append(of_row)
        number, metric = of_setting[board.setting], board.metric.name
        found.append([number, board.sequence_length, board.batch_size, metric, rows])
    return found


def _findings(
    made: Sequence[Comparison],
    boards: Sequence[Board],
    tasks: Mapping[str, Task],
    architectures: Mapping[str, Architecture],
) -> dict[str, Any]:
    """Work out what takes comparing: growth, crossings, pairs, and shares of the best."""
    growth, crossings, pairs = [], [], []
    for number, comparison in enumerate(made):
        if comparison.setting.mode is Mode.PROBE:
            good = [entry for entry in comparison.entries if entry.record.status is Status.OK]
            growth += _growth(number, good, tasks, architectures)
            crossings += _crossings(number, good, tasks)
        pairs += _pairs(number, comparison, tasks)
    shares = shares_of_best(boards)
    return {
        "growth": growth,
        "crossings": crossings,
        "pairs": pairs,
        "ways": _ways(made, tasks),
        "profile": {
            "shares": PROFILE_SHARES,
            "lines": performance_profile(shares, PROFILE_SHARES),
            "means": {
                line: [interquartile_mean(values), len(values)] for line, values in shares.items()
            },
        },
    }


def _growth(
    number: int,
    entries: Sequence[Entry],
    tasks: Mapping[str, Task],
    architectures: Mapping[str, Architecture],
) -> list[Any]:
    """Estimate for each line how its cost grows with length."""
    return [
        [number, line, item.measure, _short(item.exponent), _short(item.low), _short(item.high),
         item.rounds, min(item.lengths), max(item.lengths), item.claim, item.contradicted]
        for line, of_line in sorted(_by_line(entries, tasks).items())
        for item in exponents([entry.record for entry in of_line], tasks, architectures)
    ]  # fmt: skip


def _crossings(number: int, entries: Sequence[Entry], tasks: Mapping[str, Task]) -> list[Any]:
    """Find for each pair where one overtakes the other, between the lengths that were measured."""
    found = []
    for measure in (MEASURES[0], MEASURES[1]):
        sign = 1 if measure.higher_is_better else -1
        values: dict[str, dict[int, dict[int, float]]] = {}
        for entry in entries:
            cell = entry.record.cell
            if value := figure(entry.record, measure.key):
                of_line = values.setdefault(line_of(entry, tasks), {})
                of_line.setdefault(cell.sequence_length, {})[cell.round] = sign * math.log(value)
        for first, second in combinations(sorted(values), 2):
            known = pair_up(values[first], values[second])
            if len(known) < 2:
                continue
            behind, ahead = first, second
            if median(known[min(known)]) > 0:  # does the first overtake the second?
                behind, ahead = second, first
                known = {length: [-value for value in known[length]] for length in known}
            at = find_crossing(known.__getitem__, list(known), (behind, ahead), halves=False).length
            ends = [at.value, at.low, at.high] if at else [None, None, None]
            where = [_short(end) for end in ends]
            found.append([number, measure.key, behind, ahead, *where, min(known), max(known)])
    return found


def _ways(made: Sequence[Comparison], tasks: Mapping[str, Task]) -> list[Any]:
    """Compare what was probed on several backends or in several precisions, with the first."""
    probes = {
        comparison.setting: (number, comparison)
        for number, comparison in enumerate(made)
        if comparison.setting.mode is Mode.PROBE
    }
    measured_by = baselines(probes)
    found = []
    for setting, (number, comparison) in probes.items():
        base, baseline = probes[measured_by[setting]]
        if base == number or comparison.measured_on != baseline.measured_on:
            continue
        theirs = _by_line(baseline.entries, tasks)
        for line, entries in sorted(_by_line(comparison.entries, tasks).items()):
            quiet = comparison.quiet_records(entries)
            for item in ratios(quiet, baseline.quiet_records(theirs.get(line, ())), tasks):
                ends = [_short(item.value), _short(item.low), _short(item.high)]
                at = [number, base, line, item.sequence_length, item.measure]
                found.append([*at, *ends, item.rounds, _short(item.hours_apart)])
    return found


def _by_line(entries: Iterable[Entry], tasks: Mapping[str, Task]) -> dict[str, list[Entry]]:
    by_line: dict[str, list[Entry]] = {}
    for entry in entries:
        by_line.setdefault(line_of(entry, tasks), []).append(entry)
    return by_line


def _pairs(number: int, comparison: Comparison, tasks: Mapping[str, Task]) -> list[Any]:
    """Compare every two lines at each length: quality by its difference, a cost by its ratio.

    Quality is compared on the seeds and test examples that both have, a cost on the seeds (of
    probes: rounds) that both have.
    """
    points: dict[tuple[int, int], dict[str, list[Entry]]] = {}
    for entry in comparison.entries:
        cell = entry.record.cell
        at = points.setdefault((cell.sequence_length, cell.batch_size), {})
        at.setdefault(line_of(entry, tasks), []).append(entry)
    found = []
    for point, lines in sorted(points.items()):
        known: dict[int, dict[str, Scores]] = {}
        for name, entries in sorted(lines.items()):
            for measure, of_line in _scores(comparison, entries):
                if of_line.by_seed:
                    known.setdefault(measure, {})[name] = of_line
        for measure, of_measure in known.items():
            for first, second in combinations(of_measure, 2):
                gap = difference(of_measure[first], of_measure[second])
                told = Estimate(gap.value, gap.low, gap.high, gap.n)
                told = told if measure == QUALITY_NUMBER else exponential(told)
                ends = [_short(told.value), _short(told.low), _short(told.high)]
                found.append([number, measure, *point, first, second, *ends, told.n])
    return found


def _scores(comparison: Comparison, entries: Sequence[Entry]) -> Iterator[tuple[int, Scores]]:
    """Yield what a line's records at one length have of each measure, of costs the logarithms."""
    if comparison.metric:
        yield QUALITY_NUMBER, scores((entry.record for entry in entries), comparison.metric)
    records = comparison.cost_records(entries)
    for place, measure in enumerate(MEASURES):
        yield place, scores(records, Metric(measure.key))


def shares_of_best(boards: Sequence[Board]) -> dict[str, list[float]]:
    """Return by line its score as a share of the best of each board of quality.

    Where less is better, as of bits, it is the best's as a share of the score. A line counts
    where it ran, so that lines of few boards are compared with others' same boards only by who
    looks at n.
    """
    shares: dict[str, list[float]] = {}
    for board in boards:
        values = {row.line: row.estimate.value for row in board.rows
                  if row.estimate and not row.superseded_by}  # fmt: skip
        higher = board.metric.higher_is_better
        best = (max if higher else min)(values.values(), default=0)
        if board.setting.mode is not Mode.TRAIN or len(values) < 2 or best <= 0:
            continue
        for line, value in values.items():
            shares.setdefault(line, []).append(value / best if higher else best / value)
    return shares


def _bundles(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Cut the runs, in order of their ids, into bundles, each named by what is in it.

    A run's id says whether it ends its bundle, so that one run more or less changes one bundle.
    """
    cut: list[list[Entry]] = [[]]
    by_id = {entry.record.run_id: entry for entry in entries}
    for run_id, entry in sorted(by_id.items()):
        cut[-1].append(entry)
        if crc32(run_id.encode()) % RUNS_A_BUNDLE == 0:
            cut.append([])
    bundles = {}
    for of_bundle in filter(None, cut):
        run_ids = "\n".join(entry.record.run_id for entry in of_bundle)
        bundles[sha256(run_ids.encode()).hexdigest()[:16]] = of_bundle
    return bundles


@contextmanager
def _runs_written(bundles: Mapping[str, Sequence[Entry]], folder: Path) -> Iterator[None]:
    """Write the records into `folder` while the body runs; in the end all are there.

    But for those whose files have been removed meanwhile: their pages say so.
    """
    folder.mkdir(exist_ok=True)
    wanted = {f"{name}.js": of_bundle for name, of_bundle in bundles.items()}
    there = {path.name for path in folder.iterdir()}
    for name in there - set(wanted):
        (folder / name).unlink(missing_ok=True)
    missing = [name for name in wanted if name not in there]
    with TemporaryFile("w+") as asked:
        for name in missing:
            paths = [str(entry.path) for entry in wanted[name]]
            print(json.dumps([str(folder / name), paths]), file=asked)
        asked.seek(0)
        copying = subprocess.Popen([sys.executable, "-I", "-S", copying_program], stdin=asked)
    try:
        yield
    finally:
        failed = copying.wait()
    if failed:
        raise OSError(f"The records could not be copied to {folder}")


def _write_script(path: Path, name: str, content: Any) -> None:
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    _write(path, f"window.{name}={text};\n")


def _write(path: Path, text: str) -> None:
    atomic_write_bytes(path, text.encode())
    path.chmod(0o644)  # a web server reads it as another user


def _write_plotly(path: Path) -> None:
    from plotly.offline import get_plotlyjs

    text = get_plotlyjs()
    if not path.exists() or path.stat().st_size != len(text.encode()):
        path.write_text(text, encoding="utf-8")


def _short(value: Any) -> Any:
    """Round to five digits: more are noise, and a byte each; so is the point of a whole number."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.5g}")
    return int(rounded) if rounded.is_integer() else rounded
