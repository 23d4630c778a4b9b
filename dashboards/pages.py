"""Figures → one HTML page that holds all it needs and opens from disk."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pandas as pd

from dashboards.figures import NOT_RUN, draw_comparison
from dashboards.frame import SETTING, make_frame, summarize
from suite.contracts import PROTOCOL
from suite.files import write_atomically
from suite.record import Record

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1280px; padding: 1rem 2rem;
  color: #1a1a1a; background: #fff; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin: 2.5rem 0 0; }
p.note { color: #555; margin: .2rem 0 .6rem; max-width: 75ch; }
table { border-collapse: collapse; margin: .5rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; }
th:last-child, td:last-child { text-align: left; }
td.bad { color: #b00020; } td.not-run { color: #666; }
.scroll { overflow-x: auto; }
"""

INTRODUCTION = (
    "Each line is an architecture. Points are means over seeds (or rounds, in probes), bars reach "
    "from the lowest to the highest of them, and n is in the tooltip and the table. "
    "A ✕ at the foot of a plot marks a length at which a cell failed, ran out of memory or time, "
    "or diverged; the table says why, and what could not be run."
)


def write_dashboard(records: Iterable[Record], metrics: Mapping[str, str], path: Path) -> None:
    """Draw every comparison among the records into one page at `path`."""
    frame = make_frame(records, metrics)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, _page(frame).encode())


def _page(frame: pd.DataFrame) -> str:
    from plotly.offline import get_plotlyjs

    lines = sorted(frame["line"].unique()) if len(frame) else []
    comparisons = frame.groupby(SETTING, sort=True) if len(frame) else ()
    sections = [
        _section(index, dict(zip(SETTING, setting, strict=True)), group, lines)
        for index, (setting, group) in enumerate(comparisons)
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>Lengthwise</title><style>{STYLE}</style>"
        f"<script>{get_plotlyjs()}</script></head><body>"
        f"<h1>Lengthwise</h1><p class=note>{len(frame)} cells under protocol {PROTOCOL}. "
        f"{INTRODUCTION}</p>{''.join(sections)}</body></html>"
    )


def _section(
    index: int, setting: Mapping[str, object], frame: pd.DataFrame, lines: Sequence[str]
) -> str:
    figure = draw_comparison(frame, lines).to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=f"comparison-{index}",
        config={"displaylogo": False, "responsive": True},
    )
    return f"<h2>{html.escape(_heading(setting))}</h2>{figure}{_table(frame)}"


def _heading(setting: Mapping[str, object]) -> str:
    what = [str(setting["task"] or "probe"), str(setting["source"])]
    how = [f"model size {setting['model_size']}", str(setting["backend"])]
    how += [str(setting["precision"]), f"{setting['threads']} threads"]
    last = f"budget {setting['budget']:,}" if setting["budget"] else str(setting["batch"])
    return " · ".join([part for part in what if part] + how + [last])


def _table(frame: pd.DataFrame) -> str:
    """Return the figures behind the plots, and the statuses and reasons of what has none."""
    metric = frame["metric"].iloc[0]
    summaries = {
        name: summarize(frame, name).set_index(["sequence_length", "line"])
        for name in ("quality", "training.peak_memory_bytes", "training.tokens_per_second")
    }
    titles = ["length", "architecture", *([f"test {metric}"] if metric else [])]
    titles += ["peak training memory", "training tokens/s", "n", "status"]
    rows = []
    for key, group in frame.groupby(["sequence_length", "line"], sort=True):
        length, line = (str(part) for part in cast("tuple[Any, Any]", key))
        figures = [_figure(summaries["quality"], key, ".3f", 1.0)] if metric else []
        figures.append(_figure(summaries["training.peak_memory_bytes"], key, ",.0f", 2**20, " MiB"))
        figures.append(_figure(summaries["training.tokens_per_second"], key, ",.0f", 1.0))
        cells = [length, line, *figures, str(int((group["status"] == "ok").sum()))]
        bad = group[group["status"] != "ok"]
        told = sorted({f"{row.status}: {row.reason}" for row in bad.itertuples()})
        kind = "not-run" if set(bad["status"]) <= set(NOT_RUN) else "bad"
        status = f"<td class={kind}>{html.escape('; '.join(told))}</td>" if told else "<td>ok</td>"
        rows.append("".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + status)
    head = "".join(f"<th>{html.escape(title)}</th>" for title in titles)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<div class=scroll>{table}</div>"


def _figure(summary: pd.DataFrame, key: Any, digits: str, scale: float, unit: str = "") -> str:
    if key not in summary.index:
        return "—"
    return f"{summary.loc[key, 'mean'] / scale:{digits}}{unit}"
