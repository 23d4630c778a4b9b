"""The leaderboard of a benchmark as one page of Markdown, of at most 200 lines."""

from __future__ import annotations

from collections.abc import Sequence

from suite.analysis.boards import Row
from suite.analysis.core_table import Block, CoreRow
from suite.analysis.costs import COSTS
from suite.analysis.expected import Agreement, Verdict
from suite.analysis.final_boards import TaskLength, marks_of
from suite.analysis.leaderboard import Changes, Leaderboard, TaskTable, Winner
from suite.analysis.relative import LENGTHS
from suite.api import Form, Metric
from suite.publish.markdown import NONE, escape, escape_name, interval, names, number, small, table

MAX_LINES = 200
WINNERS = (
    "task", "length", "leader", "value", "next", "gap", "detectable", "not separated", "notes"
)  # fmt: skip
BLOCKS = {
    Form.ENCODER: "Encoders",
    Form.DECODER: "Decoders",
    Form.ENCODER_DECODER: "Encoder-decoders",
}
NO_RESULTS = """# Leaderboard

No results are published yet: the leaderboard ranks final runs of a frozen benchmark.
To make the first, run `make tune` and `make bench` with `BENCHMARK=core` from a clean commit.
Then run `bench publish` and `make leaderboard`. {links}
"""
FORMER = "[CHANGES.md](CHANGES.md) names the last commit with older results."


class LeaderboardPage:
    """The page of a leaderboard.

    Args:
        leaderboard: the leaderboard.
        controls: the names of the architectures that are controls.
        links: the further files, by title, relative to the page.
        tables_at: the file of the tables by task, if they have their own; see `fits`.
    """

    def __init__(
        self,
        leaderboard: Leaderboard,
        controls: frozenset[str],
        links: Sequence[tuple[str, str]] = (),
        tables_at: str | None = None,
    ) -> None:
        self.leaderboard = leaderboard
        self.controls = controls
        self.links = links
        self.tables_at = tables_at

    def text(self) -> str:
        """Return the page."""
        parts = [
            "# Leaderboard",
            self._head(),
            "## Winner by length",
            "The leader has the best mean over seeds. The entries 'not separated' are tied "
            "with it (at most 5% of boards separate any falsely). Detectable is the "
            "difference that the board separates for the median entry.",
            self._winners(),
            *self._core(),
            *self._tasks(),
            *self._expected(),
            *self._changes(),
        ]
        return "\n\n".join(parts) + "\n"

    def task_tables(self) -> str:
        """Return the page of the tables by task."""
        title, *parts = self._task_parts()
        return "\n\n".join([title.removeprefix("#"), *parts]) + "\n"

    @property
    def fits(self) -> bool:
        """Whether the page with the tables by task has at most `MAX_LINES` lines."""
        return self.text().count("\n") <= MAX_LINES

    def _head(self) -> str:
        board, benchmark = self.leaderboard, self.leaderboard.benchmark
        links = ", ".join(f"[{title}]({target})" for title, target in self.links)
        seeds = f"{len(benchmark.seeds)} seeds"
        return "\n".join(
            [
                f"`{benchmark.name}` version {benchmark.version}: {escape(benchmark.summary)} "
                f"({benchmark.track} track, size {benchmark.model_size}, {seeds}).",
                f"Latest record of {board.latest}, from {escape(', '.join(board.machines))}. "
                "Intervals are of 95%.",
                f"Made by `make leaderboard` from published records; do not edit. See {links}.",
            ]
        )

    def _winners(self) -> str:
        rows = [self._winner_cells(winner) for winner in self.leaderboard.winners]
        return table(WINNERS, rows, numbers_from=99)

    def _winner_cells(self, winner: Winner) -> list[str]:
        task, length = winner.place
        return [
            f"{self._title(task)}: {_metric(winner.metric)}",
            f"{length:,}",
            f"**{self._name(winner.leader, winner.leader)}**",
            interval(winner.estimate),
            escape_name(winner.next) if winner.next else NONE,
            small(winner.gap),
            small(winner.detectable_difference),
            names(winner.tied),
            escape("; ".join(winner.marks)) or NONE,
        ]

    def _core(self) -> list[str]:
        """Return the core tables; all notes come first, so that the page stays short."""
        blocks = self.leaderboard.blocks
        unscaled = [place for block in blocks for place in block.unscaled]
        notes = [
            "No score where the benchmark file states no reference of the present versions: "
            f"{self._places(unscaled)}."
            if unscaled
            else "Score: 0 is a trivial predictor, 100 is `vanilla` in version 1 of the "
            "benchmark; the mean over lengths, then over tasks.",
            "A task's column has the mean over lengths. Costs are multiples of those of `vanilla` "
            f"on random tokens, at lengths {' / '.join(f'{length:,}' for length in LENGTHS)}. "
            "Controls are in italics; self-reported entries have no mean rank.",
        ]
        for block in blocks:
            if block.session:
                costs = f"The costs of {BLOCKS[block.form].lower()} are of the session of"
                notes.append(f"{costs} {escape(str(block.session))}.")
        if incomplete := "; ".join(map(self._incomplete, filter(_is_incomplete, blocks))):
            notes.append(f"Not here, without all cells: {incomplete}.")
        return ["## Core table", " ".join(notes), *map(self._block, blocks)]

    def _block(self, block: Block) -> str:
        head = [
            "entry",
            "score",
            "mean rank",
            *(self._title(task) for task in block.tasks),
            "mixing parameters",
            *(cost.title for cost in COSTS.values() if block.costs),
            "good rates, decades",
            "notes",
        ]
        rows = [self._core_cells(row, block) for row in block.rows]
        return f"### {BLOCKS[block.form]}\n{table(head, rows)}"

    def _core_cells(self, row: CoreRow, block: Block) -> list[str]:
        return [
            self._name(row.line, row.architecture),
            _score(row),
            NONE if row.mean_rank is None else f"{row.mean_rank:.1f}",
            *(number(row.by_task[task]) for task in block.tasks),
            _parameters(row.mixing_parameters),
            *(_relative(block, row.line, name) for name in COSTS if block.costs),
            NONE if row.good_range_decades is None else f"{row.good_range_decades:.1f}",
            escape("; ".join(row.marks)) or NONE,
        ]

    def _incomplete(self, block: Block) -> str:
        return "; ".join(
            f"{escape_name(line)} ({self._places(places)})"
            for line, places in block.incomplete.items()
        )

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
        if self.tables_at:
            return ["## Tables by task", f"See [the tables]({self.tables_at})."]
        return self._task_parts()

    def _task_parts(self) -> list[str]:
        note = (
            "Rank, value and notes by length. The head has the value of a trivial predictor in "
            "brackets."
        )
        return ["## Tables by task", note, *map(self._task_table, self.leaderboard.tasks)]

    def _task_table(self, task: TaskTable) -> str:
        head = ["entry", *(_length(task, length) for length in task.lengths)]
        rows = [
            [
                self._name(row.line, row.architecture),
                *(_rank_and_value(row.by_length.get(length)) for length in task.lengths),
            ]
            for row in task.rows
        ]
        return f"### {self._title(task.task)}: {_metric(task.metric)}\n{table(head, rows)}"

    def _expected(self) -> list[str]:
        found = self.leaderboard.verdicts
        if not found:
            return []
        return ["## Published figures", "\n".join(f"- {self._verdict(one)}" for one in found)]

    def _verdict(self, verdict: Verdict) -> str:
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
        return lines or [f"The same entries have rank 1 as in {changes.before}."]

    def _title(self, task: str) -> str:
        return escape(self.leaderboard.titles.get(task, task))

    def _name(self, line: str, architecture: str) -> str:
        name = escape_name(line)
        return f"*{name}*" if architecture in self.controls else name


def without_results(links: Sequence[tuple[str, str]]) -> str:
    """Return the page without final runs: how to make the first."""
    others = [f"See {', '.join(f'[{title}]({target})' for title, target in links)}."]
    return NO_RESULTS.format(links=" ".join([FORMER, *(others if links else [])]))


def _is_incomplete(block: Block) -> bool:
    return bool(block.incomplete)


def _metric(metric: Metric) -> str:
    """Return the name of a metric with an arrow to the better side."""
    arrow = "↑" if metric.higher_is_better else "↓"
    return f"{escape(metric.name.replace('_', ' '))} {arrow}"


def _score(row: CoreRow) -> str:
    if row.score is None:
        return NONE
    low, high = row.score.low, row.score.high
    if low is None or high is None:
        return f"{row.score.value:.1f}"
    return f"{row.score.value:.1f} [{low:.1f}, {high:.1f}]"


def _length(task: TaskTable, length: int) -> str:
    trivial = task.trivial.get(length)
    return f"{length:,}" if trivial is None else f"{length:,} ({number(trivial)})"


def _parameters(counts: tuple[int, int] | None) -> str:
    if counts is None:
        return NONE
    least, most = (f"{count / 1e6:.2f}" for count in counts)
    return f"{least} M" if least == most else f"{least}–{most} M"


def _relative(block: Block, line: str, measure: str) -> str:
    """Return a relative cost at each of `LENGTHS`."""
    ratios = block.ratios(line, measure)
    if not any(ratios):
        return NONE
    return " / ".join(f"{ratio:.2f}" if ratio else NONE for ratio in ratios)


def _rank_and_value(row: Row | None) -> str:
    if row is None:
        return NONE
    if row.estimate is None:
        return escape("; ".join(marks_of(row))) or NONE
    rank = NONE if row.rank is None else str(row.rank)
    notes = escape("; ".join(marks_of(row)))
    return f"{rank}: {interval(row.estimate)}{f' ({notes})' if notes else ''}"
