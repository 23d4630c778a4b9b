"""Print tables with rounded figures; `--json` prints the exact ones."""

from __future__ import annotations

import math
import sys
import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from suite.analysis.boards import Row
from suite.analysis.cost_ratios import Ratio
from suite.analysis.diagnostics import Diagnostic, DiagnosticRow, solved_text
from suite.analysis.entry_at_length import OTHER_SESSION
from suite.analysis.estimates import Estimate, Figure
from suite.analysis.growth import Growth
from suite.analysis.tables import Table
from suite.api import Mode, Status
from suite.records.command_line import printable
from suite.records.measures import COSTS, DISTURBED, GENERATION_COLUMNS, Shown, phases_of
from suite.report.markdown import shared_notes


class _PrintableConsole(Console):
    def print(self, *objects: Any, **options: Any) -> None:
        texts = (printable(one) if isinstance(one, str) else one for one in objects)
        super().print(*texts, **options)


def console() -> Console:
    """Return a console as wide as the terminal, or 140 columns wide for a file."""
    plain = not sys.stdout.isatty()
    return _PrintableConsole(width=140 if plain else None, highlight=False, soft_wrap=False)


DISTURBED_NOTE = (
    f"{DISTURBED} measured while other programs used more than a tenth of a cell's cores: not "
    "ranked. Stop them, or add --wait-quiet 10m, and run again with --retry noisy."
)
OTHER_SESSION_NOTE = (
    f"{OTHER_SESSION}: another `bench run` measured this, and only costs of one run are compared."
)

LENGTHS_OF_A_GROWTH = 3
"""With as many probed lengths, a reader expects to see the growth."""
NO_GROWTH_NOTE = (
    "No growth with length: its interval needs three or more rounds of four or more lengths that "
    "ended well. Pass --lengths and --rounds."
)
UNFINISHED_NOTE = (
    "No growth with length yet: some cells are not measured. This command continues: {command}"
)
LEFT = {
    *("architecture", "entry", "measure", "rounds", "claims", "fitted on lengths", "status"),
    *("check", "result", "bound", "note"),
}
"""The columns that are aligned on the left."""


def print_table(out: Console, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table no wider than the console. Cells are plain text; long words are folded."""
    table = RichTable(show_edge=False, pad_edge=False)
    for title in titles:
        justify: Literal["left", "right"] = "left" if title in LEFT else "right"
        table.add_column(Text(title), justify=justify, overflow="fold")
    for row in rows:
        dimmed = ("dim" if cell.startswith(DISTURBED) else "" for cell in row)
        table.add_row(*map(Text, map(printable, row), dimmed))
    out.print(table)


def print_tables(tables: Sequence[Table], unfinished: str = "") -> None:
    """Print each table with its notes and exponents; `unfinished` is a command that left cells."""
    out = console()
    for table in tables:
        out.print(f"\n[bold]{escape(table.title)}[/bold]")
        columns = _columns(table)
        rows = [[text(row) for text in columns.values()] for row in table.rows]
        print_table(out, list(columns), rows)
        is_marked = any(cell.startswith(DISTURBED) for row in rows for cell in row)
        if is_marked or any(item.is_disturbed for item in table.exponents):
            out.print(f"  {DISTURBED_NOTE}")
        if any(OTHER_SESSION in row for row in rows):
            out.print(f"  {OTHER_SESSION_NOTE}")
        shared = shared_notes([row.reasons for row in table.rows])
        for reason in shared:
            out.print(f"  All rows: {escape(reason)}")
        for row in table.rows:
            for reason in row.reasons:
                if reason in shared:
                    continue
                label = f"{row.entry} at {row.cell.sequence_length}"
                out.print(f"  {escape(label)}: {escape(reason)}")
            scores = row.by_evaluation_length.values()
            reasons = {one if isinstance(one, str) else one.missing for one in scores}
            for reason in sorted(reasons - {""}):
                out.print(f"  {escape(row.entry)}: {escape(reason)}")
        _print_samples(out, table.rows)
        _print_growth(out, table, unfinished)
        _print_ratios(out, table.baseline, table.ratios)


def print_diagnostics(diagnostics: Sequence[Diagnostic]) -> None:
    """Print a table for each task with exact answers: which entries solve it, and how far."""
    out = console()
    titles = ("length", "entry", "mean", "seeds that solve it", "median steps", "effective length",
              "state KiB")  # fmt: skip
    for diagnostic in diagnostics:
        if rows := diagnostic.rows():
            threshold = f"{diagnostic.task.primary_metric.name} {diagnostic.task.solved_at}"
            split = diagnostic.comparison.key.split
            title = f"{diagnostic.title}: solved at {threshold}, {split} split"
            out.print(f"\n[bold]{escape(title)}[/bold]")
            print_table(out, titles, [_diagnostic_cells(row) for row in rows])


def _diagnostic_cells(row: DiagnosticRow) -> list[str]:
    solved, steps, state = row.solved, row.median_steps, row.state_bytes
    never = steps is not None and math.isinf(steps)
    return [
        str(row.sequence_length),
        row.entry,
        f"{row.score.value:.3f}" if row.score else "—",
        solved_text(solved) if solved else "—",
        "not by half" if never else "—" if steps is None else f"{steps:,.0f}",
        "—" if row.effective_length is None else str(row.effective_length),
        "—" if state is None else GENERATION_COLUMNS["generation.state_bytes"].text(state),
    ]


def _columns(table: Table) -> dict[str, Callable[[Row], str]]:
    mode = table.rows[0].cell.mode
    columns: dict[str, Callable[[Row], str]] = {
        "length": lambda row: str(row.cell.sequence_length),
        "architecture": lambda row: row.entry,
    }
    if table.metric is not None:
        score = f"{table.split}.{table.metric}"
        shared = _shared_seeds(table, score)
        title = score.replace(".", " ", 1) + (f" (n={shared})" if shared else "")
        columns[title] = lambda row: _quality(row.figures[score], shared)
        for length in table.evaluation_lengths:
            columns[f"tested at {length}"] = partial(_tested, length, shared)
    memory = partial(_cost, divisor=2**20, unit=" MiB")
    for phase in ("training",) if mode is Mode.TRAIN else phases_of(mode):
        columns[f"{phase} memory"] = partial(_measured, f"{phase}.peak_memory_bytes", memory)
        columns[f"{phase} tokens/s"] = partial(_measured, f"{phase}.tokens_per_second", _cost)
    if mode is Mode.DECODE:
        for measure, shown in GENERATION_COLUMNS.items():
            columns[shown.title] = partial(_measured, measure, partial(_shown, shown))
    if mode is not Mode.TRAIN:
        columns["batch"] = lambda row: str(row.cell.batch_size)
    return {**columns, "status": _status}


def _shared_seeds(table: Table, score: str) -> int | None:
    """Return the number of seeds that all scores of several rows have; None if they differ."""
    scores = [row.figures[score] for row in table.rows]
    scores += [
        one
        for row in table.rows
        for one in row.by_evaluation_length.values()
        if not isinstance(one, str)
    ]
    counts = {one.n for one in scores if one}
    return counts.pop() if len(table.rows) > 1 and len(counts) == 1 else None


def _tested(length: int, shared: int | None, row: Row) -> str:
    score = row.by_evaluation_length.get(length)
    return score.partition(":")[0] if isinstance(score, str) else _quality(score, shared)


def _measured(measure: str, text: Callable[[Figure], str], row: Row) -> str:
    """Return a cost of a row as text, or why it has none."""
    figure = row.figures[measure]
    if figure is None:
        return row.missing.get(measure, "—")
    return f"{DISTURBED}{text(figure)}" if figure.is_disturbed else text(figure)


def _shown(shown: Shown, figure: Figure) -> str:
    return shown.text(figure.value)


def _quality(figure: Figure | None, shared: int | None) -> str:
    """Return the mean, the range, and the number of seeds unless all rows have a `shared` one.

    Intervals need a library that takes a second to import.
    """
    if figure is None:
        return "—"
    facts = [f"{figure.lowest:.3f} to {figure.highest:.3f}"] if figure.n > 1 else []
    facts += [] if shared else [f"n={figure.n}"]
    return f"{figure.value:.3f}" + (f" ({', '.join(facts)})" if facts else "")


def _cost(figure: Figure, divisor: int = 1, unit: str = "") -> str:
    """Return a cost, with its variation between sessions where there are several."""
    text = f"{figure.value / divisor:,.0f}{unit}"
    if figure.between_sessions is None:
        return text
    return f"{text} (±{figure.between_sessions:.1%}, {figure.sessions} sessions)"


def _status(row: Row) -> str:
    if set(row.statuses) == {str(Status.OK)}:
        return "ok"
    return ", ".join(f"{count} {status}" for status, count in sorted(row.statuses.items()))


def _print_samples(out: Console, rows: Sequence[Row]) -> None:
    """Print each sample after its prompt, which "▸" separates; the seed is the lowest."""
    for row in rows:
        for one in row.samples:
            out.print(f"\n  {escape(row.entry)} at {row.cell.sequence_length}, {one['method']}:")
            text = f"{one['prompt']}▸{one['sample']}"
            out.print(textwrap.indent(text, "    ", lambda line: True), markup=False)


def _print_growth(out: Console, table: Table, unfinished: str) -> None:
    """Print how costs grow with the length; a growth without an interval would mislead."""
    # The slope of a generated token, or the squared part of full attention, has the interval.
    fits = [
        (item, item.quadratic.squared if item.quadratic else item.slope or item.exponent)
        for item in table.exponents
    ]
    exponents = [item for item, fit in fits if fit and fit.ends]
    if not exponents:
        probed = {row.cell.sequence_length for row in table.rows if row.cell.mode is not Mode.TRAIN}
        if len(probed) >= LENGTHS_OF_A_GROWTH:
            command = unfinished or _interrupted_command(table.rows)
            text = UNFINISHED_NOTE.format(command=command) if command else NO_GROWTH_NOTE
            out.print(f"\n{escape(text)}")
        return
    out.print("\nGrowth with length n of the cost of one sequence above its fixed cost:")
    titles = ("architecture", "measure", "growth [95%]", "rounds", "claims", "fitted on lengths")
    rows = [
        [
            item.entry,
            item.measure,
            f"{DISTURBED if item.is_disturbed else ''}{_growth(item)}",
            str(item.rounds),
            f"O({item.claim})" if item.claim else "—",
            f"{item.shortest:,} to {item.longest:,} ({len(item.lengths)})",
        ]
        for item in exponents
    ]
    print_table(out, titles, rows)
    for item in exponents:
        if item.contradicted and item.exponent:
            out.print(
                f"  {escape(item.entry)}, {item.measure}: claims O({item.claim}), "
                f"measures n^{item.exponent.value:.1f} from {item.shortest:,} to {item.longest:,}"
            )


def _print_ratios(out: Console, baseline: str, ratios: Sequence[Ratio]) -> None:
    if not ratios:
        return
    out.print(f"\nRatio to the same cell on {baseline}, with 95% intervals over rounds:")
    phases = [measure.split(".") for measure in COSTS]
    columns = [
        f"{phase} {'tokens/s' if name == 'tokens_per_second' else 'memory'}"
        for phase, name in phases
    ]
    points: dict[tuple[int, str], dict[str, Ratio]] = {}
    for item in ratios:
        points.setdefault((item.sequence_length, item.entry), {})[item.measure] = item
    rows = []
    for (length, entry), of_point in sorted(points.items()):
        texts = (_interval(of_point[name].ratio) if name in of_point else "—" for name in COSTS)
        apart = max(item.hours_apart for item in of_point.values())
        rows.append([str(length), entry, *texts, f"{apart:.1f}"])
    print_table(out, ["length", "architecture", *columns, "hours apart"], rows)


def _interrupted_command(rows: Sequence[Row]) -> str:
    """Return the command of the newest interrupted cell; empty without any."""
    records = (record for row in rows for record in row.records)
    stopped = (record for record in records if record.status is Status.INTERRUPTED)
    newest = max(stopped, key=lambda record: record.run_id, default=None)
    return newest.invocation.command if newest else ""


def _growth(item: Growth) -> str:
    """Return a growth as text; full attention as "1.2e-05 [1e-05, 1.4e-05] n + 3e-09 n²"."""
    if fit := item.quadratic:
        return f"{_interval(fit.linear, '.2g')} n + {_interval(fit.squared, '.2g')} n²"
    if item.slope:
        return f"{_interval(item.slope, scale=1e6)} ms per 1,000 positions"
    assert item.exponent is not None, "only a growth with an interval is printed"
    return f"n^{_interval(item.exponent)}"


def _interval(item: Estimate, digits: str = ".2f", scale: float = 1) -> str:
    value, *ends = (f"{scale * end:{digits}}" for end in (item.value, *(item.ends or ())))
    return f"{value} [{', '.join(ends)}]" if ends else value


def escape(text: str) -> str:
    """Return a text whose brackets are no markup."""
    return text.replace("[", r"\[")
