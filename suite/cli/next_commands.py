"""The commands that follow a run: its own one, with other options."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection, Iterator, Sequence

import click

from suite.actions.results import MatrixPlan, Records
from suite.api import Mode, Status
from suite.matrix.plan import CHANGED
from suite.records.schema import RecordSummary

SEEDS = 3
"""The least number of seeds with an interval."""
RERUN = "--rerun"
ONCE = ("rerun", "retry", "wait_quiet")
"""Options that the next command does not repeat."""


def next_commands(records: Records, plan: MatrixPlan) -> list[tuple[str, str]]:
    """Return commands that lead on from the trainings of a run, each with its purpose."""
    context = click.get_current_context()
    trained = [
        record
        for record in records
        if record.status is Status.OK and record.cell.mode is Mode.TRAIN
    ]
    return list(_commands(trained, plan, context)) if trained else []


def _commands(
    trained: Sequence[RecordSummary], plan: MatrixPlan, context: click.Context
) -> Iterator[tuple[str, str]]:
    from suite.cli.tune_command import command as tune

    seeds = {record.cell.seed for record in trained}
    again = _words(context, {"seeds", *ONCE})
    if len(seeds) < SEEDS:
        purpose = "three seeds: a range, and an interval on the dashboard"
        yield _text("run", [*again, "--seeds", f"0-{SEEDS - 1}"]), purpose
    if not any(record.ranking.tuning for record in trained):
        known = {parameter.name for parameter in tune.params}
        others = {parameter.name or "" for parameter in context.command.params} - known
        words = _words(context, {"seeds", "test", *others, *ONCE})
        yield _text("tune", words), "choose each learning rate on validation"
    tasks = {plan.prepared.tasks[str(record.cell.task)] for record in trained}
    if not context.params["keep_weights"] and any(task.reads_raw_text for task in tasks):
        words = [*_words(context, set(ONCE)), "--keep-weights"]
        yield _text("run", words), "keep the weights; then `bench predict`"


def _text(command: str, words: list[str]) -> str:
    return shlex.join(["bench", command, *words])


def _words(context: click.Context, without: Collection[str]) -> list[str]:
    """Return the words of the command line without some options, which have their names in it."""
    options = {
        name: parameter
        for parameter in context.command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    given, kept = sys.argv[2:], []
    while given:
        word = given.pop(0)
        name, has_value, _ = word.partition("=")
        parameter = options.get(name)
        words = [word]
        takes_value = parameter and not parameter.is_flag and not has_value
        if takes_value and (name != RERUN or given[:1] == [CHANGED]):  # --rerun may have none
            words.append(given.pop(0))
        if parameter is None or parameter.name not in without:
            kept += words
    return kept
