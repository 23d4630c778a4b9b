"""The leaderboard of a benchmark as one page of Markdown, of at most 200 lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from suite.analysis.boards import Row
from suite.analysis.core_table import Block, CoreRow
from suite.analysis.cost_ratios import LENGTHS
from suite.analysis.final_boards import TaskLength
from suite.analysis.leaderboard import (
    Agreement,
    Changes,
    FigureVerdict,
    Leaderboard,
    TaskTable,
    Winner,
    about_runs,
)
from suite.analysis.training_counts import TrainingCount
from suite.api import Form
from suite.publish.footnotes import Footnotes
from suite.publish.leaderboard_cells import (
    length_head,
    metric_cell,
    parameters_cell,
    relative_cell,
    score_cell,
    tied_cell,
)
from suite.publish.markdown import (
    NONE,
    escape,
    escape_name,
    interval,
    names,
    number,
    small,
    table,
)
from suite.records.measures import COSTS

MAX_LINES = 200
LEAST_ROWS = 5
"""The fewest rows of a table that is cut so that the page fits."""
TIE = "no significant winner"
WINNERS = ("task", "length", "winner", "value", "next", "gap", "detectable", "tied")
BLOCKS = {
    Form.ENCODER: "Encoders",
    Form.DECODER: "Decoders",
    Form.ENCODER_DECODER: "Encoder-decoders",
}
NO_RESULTS = """# Leaderboard

There are no final runs of a ranked benchmark yet, and the leaderboard ranks no other runs.
{existing}To make the first, run `make tune` and `make bench` with `BENCHMARK=core`, from a clean
commit. Then run `bench publish` and `make leaderboard`. {links}
"""
EXISTING = "These training runs are published without a rank:"
TRIALS = "trials, which do not have the settings of a frozen benchmark"
FORMER = "[CHANGES.md](CHANGES.md) names the last commit with older results."


@dataclass(frozen=True)
class LeaderboardPage:
    """The page of a leaderboard.

    Args:
        leaderboard: the leaderboard.
        controls: the names of the architectures that are controls.
        trained: the controls that train unless a request names others.
        links: the further files, by title, relative to the page.
        tables_at: the file with all rows of the tables, if the page leaves out some.
        least_costs: the section with the fastest and the smallest entry at each length.
        most_core_rows: the most rows of a core table on the page; None for all.
        most_task_rows: the most rows of the table of a task; None for all.
    """

    leaderboard: Leaderboard
    controls: frozenset[str]
    trained: frozenset[str] = frozenset()
    links: Sequence[tuple[str, str]] = ()
    tables_at: str = ""
    least_costs: Sequence[str] = ()
    most_core_rows: int | None = None
    most_task_rows: int | None = None
    notes: Footnotes = field(default_factory=Footnotes)

    def text(self) -> str:
        """Return the page."""
        self.notes.clear()
        parts = ["# Leaderboard", self._head(), *self._winners(), *self.least_costs]
        parts += [*self._core(), *self._tasks(), *self._notes()]
        return "\n\n".join([*parts, *self._expected(), *self._changes(), *self._links()]) + "\n"

    def tables(self) -> str:
        """Return a page of the core tables and the tables by task, with all their rows."""
        self.notes.clear()
        title = f"# Tables of {self.leaderboard.benchmark.label}"
        return "\n\n".join([title, *self._core(), *self._tasks(), *self._notes()]) + "\n"

    @property
    def fits(self) -> bool:
        """Whether the page has at most `MAX_LINES` lines."""
        return self.text().count("\n") <= MAX_LINES

    def cut(self, tables_at: str) -> LeaderboardPage:
        """Return the page with as many rows as fit; `tables_at` is the file with all rows.

        The tables by task are cut first, then the core tables.
        """
        sizes = [len(block.rows) for block in self.leaderboard.blocks]
        longest = max([LEAST_ROWS, *sizes, *(len(task.rows) for task in self.leaderboard.tasks)])
        rows = range(longest, LEAST_ROWS - 1, -1)
        limits = [(longest, most) for most in rows] + [(most, LEAST_ROWS) for most in rows]
        pages = (
            replace(self, tables_at=tables_at, most_core_rows=core, most_task_rows=task)
            for core, task in limits
        )
        return next(page for page in pages if page.fits or page.most_core_rows == LEAST_ROWS)

    def _head(self) -> str:
        board, benchmark = self.leaderboard, self.leaderboard.benchmark
        seeds = f"{len(benchmark.seeds)} seeds"
        return "\n".join(
            [
                f"`{benchmark.name}` version {benchmark.version}: {escape(benchmark.summary)} "
                f"({benchmark.track} track, {benchmark.model_size_text}, {seeds}).",
                f"Latest record of {board.latest}, from {escape(', '.join(board.machines))}. "
                f"Intervals are of 95%. {about_runs(board)}",
                "Made by `make leaderboard` from published records; do not edit.",
            ]
        )

    def _links(self) -> list[str]:
        links = ", ".join(f"[{title}]({target})" for title, target in self.links)
        return [f"Further tables: {links}."] if links else []

    def _winners(self) -> list[str]:
        note = (
            f'The winner has the best mean over seeds. "{TIE.capitalize()}": the entries named as '
            "tied are not separated from it (at most 5% of boards separate any falsely). "
            "Detectable is the difference that the board separates for the median entry. After "
            "each tied entry stands the difference that would have separated it."
        )
        rows = [self._winner_cells(winner) for winner in self.leaderboard.winners]
        return ["## Winner by length", note, table(WINNERS, rows, numbers_from=99)]

    def _winner_cells(self, winner: Winner) -> list[str]:
        task, length = winner.place
        name = self.notes.after(self._name(winner.leader, winner.leader), winner.footnotes)
        won = f"{TIE}; best mean: {name}" if winner.tied else f"**{name}**"
        return [
            f"{self._title(task)}: {metric_cell(winner.metric)}",
            f"{length:,}",
            won if winner.next else f"only {name} is ranked",
            interval(winner.estimate),
            escape_name(winner.next) if winner.next else NONE,
            small(winner.gap),
            small(winner.detectable_difference),
            tied_cell(winner),
        ]

    def _core(self) -> list[str]:
        """Return the core tables; all notes come first, so that the page stays short."""
        blocks = self.leaderboard.blocks
        unscaled = [place for block in blocks for place in block.unscaled]
        notes = [
            "No score yet: the benchmark file states no reference of the present versions for "
            f"{self._places(unscaled)}."
            if unscaled
            else "Score: 0 is a trivial predictor, 100 is `vanilla`; the mean over lengths, then "
            "over tasks.",
            "A task's column has the mean over lengths. Mixing parameters are those without "
            "embedding and head. Costs are multiples of those of `vanilla` on random tokens, at "
            f"lengths {' / '.join(f'{length:,}' for length in LENGTHS)}. The learning-rate window "
            "is the width of the range of good rates. Controls are in italics.",
            *_sessions(blocks),
        ]
        if incomplete := "; ".join(map(self._incomplete, filter(_is_incomplete, blocks))):
            notes.append(f"Not here, without all cells: {incomplete}.")
        if absent := "; ".join(filter(None, map(self._absent, blocks))):
            notes.append(f"**Not run: {absent}.** A winner was not compared with them.")
        tables = [self._block(block) for block in blocks if block.rows]
        return ["## Core table", " ".join(notes), *(tables or ["No entry has all cells yet."])]

    def _block(self, block: Block) -> str:
        head = [
            "entry",
            "score",
            "mean rank",
            *(self._title(task) for task in block.tasks),
            "mixing parameters",
            *(cost.title for cost in COSTS.values() if block.costs),
            "learning-rate window, decades",
        ]
        shown = block.rows[: self.most_core_rows]
        rows = [self._core_cells(row, block) for row in shown]
        title = f"### {BLOCKS[block.form]}{self._of_all(shown, block.rows)}"
        return f"{title}\n{table(head, rows)}"

    def _core_cells(self, row: CoreRow, block: Block) -> list[str]:
        return [
            self.notes.after(self._name(row.entry, row.architecture), row.footnotes),
            score_cell(row),
            f"{row.mean_rank:.1f}",
            *(number(row.by_task[task]) for task in block.tasks),
            parameters_cell(row.mixing_parameters),
            *(relative_cell(block, row.entry, name) for name in COSTS if block.costs),
            NONE if row.good_range_decades is None else f"{row.good_range_decades:.2f}",
        ]

    def _of_all(self, shown: Sequence[object], rows: Sequence[object]) -> str:
        """Return how many rows a cut table shows, for its heading."""
        if len(shown) == len(rows):
            return ""
        return f" (the first {len(shown)} of [all {len(rows)}]({self.tables_at}))"

    def _absent(self, block: Block) -> str:
        """Return the controls without any final run, though the benchmark includes them."""
        there = {*block.incomplete, *(row.entry for row in block.rows)}
        names = sorted(filter(self.leaderboard.benchmark.includes, self.trained - there))
        return f"{', '.join(names)} ({BLOCKS[block.form].lower()})" if names else ""

    def _incomplete(self, block: Block) -> str:
        lines_of: dict[str, list[str]] = {}
        for line, places in block.incomplete.items():
            lines_of.setdefault(self._places(places), []).append(escape_name(line))
        return "; ".join(f"{', '.join(lines)} ({places})" for places, lines in lines_of.items())

    def _places(self, places: Sequence[TaskLength]) -> str:
        lengths: dict[str, list[int]] = {}
        for task, length in places:
            lengths.setdefault(task, []).append(length)
        return "; ".join(
            f"{self._title(task)} {', '.join(f'{length:,}' for length in of_task)}"
            for task, of_task in lengths.items()
        )

    def _tasks(self) -> list[str]:
        if not self.leaderboard.tasks:
            return []
        note = (
            "Rank and value by length. The head has the value of a trivial predictor and the "
            "detectable difference of the median entry. An entry that ranks no better than "
            "`identity`, which mixes no positions, does not show that it uses its context. In an "
            "encoder-decoder, `identity` reads the source by cross-attention alone."
        )
        return ["## Tables by task", note, *map(self._task_table, self.leaderboard.tasks)]

    def _task_table(self, task: TaskTable) -> str:
        head = ["entry", *(length_head(task, length) for length in task.boards)]
        shown = task.rows[: self.most_task_rows]
        rows = [
            [
                self._name(row.entry, row.architecture),
                *(self._rank_and_value(row.by_length.get(length)) for length in task.boards),
            ]
            for row in shown
        ]
        title = f"### {self._title(task.task)}: {metric_cell(task.metric)}"
        return f"{title}{self._of_all(shown, task.rows)}\n{table(head, rows)}"

    def _rank_and_value(self, row: Row | None) -> str:
        if row is None:
            return NONE
        marks = row.footnotes
        if row.estimate is None:
            return escape("; ".join(marks)) or NONE
        rank = NONE if row.rank is None else str(row.rank)
        return self.notes.after(f"{rank}: {interval(row.estimate)}", marks)

    def _notes(self) -> list[str]:
        notes = self.notes.text()
        return [f"Notes: {notes}"] if notes else []

    def _expected(self) -> list[str]:
        found = self.leaderboard.verdicts
        if not found:
            return []
        return ["## Published figures", "\n".join(f"- {self._verdict(one)}" for one in found)]

    def _verdict(self, verdict: FigureVerdict) -> str:
        expected, measured = verdict.expected, verdict.measured
        what = f"{self._title(expected.task)}, {escape_name(expected.architecture)}"
        metric = escape(expected.metric.replace("_", " "))
        published = f"published {number(expected.value)} ± {number(expected.tolerance)}"
        found = "not measured" if measured is None else f"measured {interval(measured)}"
        ending = "" if verdict.agreement is Agreement.NOT_MEASURED else f": {verdict.agreement}"
        source = escape(expected.source)
        return f"{what} at {expected.length:,}, {metric}: {published} ({source}), {found}{ending}."

    def _changes(self) -> list[str]:
        changes = self.leaderboard.changes
        lines = [*self._changed(changes)]
        if changes.superseded:
            rows = ", ".join(
                f"{escape_name(line)} {count}" for line, count in sorted(changes.superseded.items())
            )
            lines.append(f"Rows that newer versions replaced, now in the archive: {rows}.")
        return ["## Changes since the version before", "\n".join(f"- {line}" for line in lines)]

    def _changed(self, changes: Changes) -> list[str]:
        if changes.before is None:
            return ["This is the first version with published results."]
        lines = [
            f"{self._places([place])}: rank 1 was {names(before)}; now {names(now)}."
            for place, (before, now) in changes.winners.items()
        ]
        for word, lines_of in (("New", changes.joined), ("No longer here", changes.left)):
            if lines_of:
                lines.append(f"{word}: {names(lines_of, most=20)}.")
        return lines or [f"Rank 1 is unchanged on the boards that {changes.before} has too."]

    def _title(self, task: str) -> str:
        return escape(self.leaderboard.titles.get(task, task))

    def _name(self, line: str, architecture: str) -> str:
        name = escape_name(line)
        return f"*{name}*" if architecture in self.controls else name


def without_results(links: Sequence[tuple[str, str]], counts: Sequence[TrainingCount] = ()) -> str:
    """Return the page without final runs: which trainings exist, and how to make the first."""
    others = [f"See {', '.join(f'[{title}]({target})' for title, target in links)}."]
    by_benchmark: dict[str | None, list[str]] = {count.benchmark: [] for count in counts}
    for count in counts:
        by_benchmark[count.benchmark].append(f"`{escape(count.task)}` {count}")
    lines = [
        f"- {TRIALS if benchmark is None else f'runs of `{escape(benchmark)}`'}: {'; '.join(tasks)}"
        for benchmark, tasks in by_benchmark.items()
    ]
    return NO_RESULTS.format(
        links=" ".join([FORMER, *(others if links else [])]),
        existing="\n".join([EXISTING, "", *lines, "", ""]) if counts else "",
    )


def _sessions(blocks: Sequence[Block]) -> list[str]:
    """Return the sessions of the costs, and how the costs vary between sessions."""
    of_session: dict[str, list[str]] = {}
    for block in blocks:
        if block.sessions:
            text = f"{block.sessions[0].lower()}{block.sessions[1:]} ({block.spread})"
            of_session.setdefault(text, []).append(BLOCKS[block.form].lower())
    return [
        f"The costs of {' and '.join(forms)}: {escape(text)}." for text, forms in of_session.items()
    ]


def _is_incomplete(block: Block) -> bool:
    return bool(block.incomplete)
