"""The command `bench`: parsing and printing only, one file per command, loaded on use."""

from __future__ import annotations

import errno
import gc
import importlib
import os
import re
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TextIO, cast

import click

from suite.api import Mode
from suite.api.errors import LengthwiseError, RequestError, check_name
from suite.records.command_line import PrintableStream

COLLECTION_THRESHOLDS = 100_000, 50, 100
"""With Python's own, a report of 10,000 records spends a third of its time on garbage collection.

The objects of records live until the end, and few of them are in cycles.
"""
COMMANDS = {
    "run": "Run the cells of a request that are not done yet.",
    "plan": "Show the cells of a request and their state.",
    "tune": "Tune the learning rate of each architecture on validation.",
    "crossover": "Find each length at which one entry overtakes another.",
    "frontier": "Find the longest sequence of each architecture within a budget of memory or time.",
    "card": "Measure a model against length, and write its length card.",
    "predict": "Apply a trained model whose weights were kept to texts.",
    "list": "List tasks, architectures and methods; NAME shows the details.",
    "benchmarks": "List the benchmarks; NAME shows the details.",
    "report": "Print tables of scores and costs.",
    "dashboard": "Write the dashboard, a site that needs no server.",
    "ui": "Open the MLflow UI on 127.0.0.1.",
    "check": "Check that an architecture keeps the contract.",
    "publish": "Copy records that pass the checks to results/published.",
    "check-submission": "Check submitted records and give the reasons of a refusal.",
    "verify": "Run a record's cell again and compare both runs.",
    "leaderboard": "Rank the published records in results/LEADERBOARD.md.",
    "sync": "Write the records that MLflow lacks, or all again.",
    "server": "Serve MLflow to a team, with user accounts.",
    "export": "Pack cells for a machine without network or TensorFlow.",
    "import": "Write the records of a pack to a home.",
    "prune": "Delete records, checkpoints and kept weights.",
    "doctor": "Check versions, devices, records, disk, data and tracking.",
    "completion": "Print the line that enables shell completion.",
}

GROUPS = {
    "run": "Run", "list": "Look", "check": "Extend", "publish": "Publish", "sync": "Maintain"
}  # fmt: skip
"""The heading of each group of commands, by its first command."""

PATH_ERRORS = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
    | {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP}
)
"""The errors of a path that is missing, of the wrong kind, or not allowed."""
EXTRA_ARGUMENT = re.compile(r"unexpected extra arguments? \((?P<word>\S+?)[ )]")


class _LazyGroup(click.Group):
    """Imports the module of a command when the command is used, so that `--help` is fast."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command:
        if name in set(Mode):
            raise RequestError(
                "There is no command of that name",
                received=repr(name),
                remedy=f"Run `bench run --mode {name}`",
            )
        check_name("command", name, COMMANDS)
        module = importlib.import_module(f"suite.cli.{name.replace('-', '_')}_command")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        heading = ""
        for name, text in COMMANDS.items():
            heading = GROUPS.get(name, heading)
            groups.setdefault(heading, []).append((name, text))
        width = max(map(len, COMMANDS))
        for heading, commands in groups.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{name:{width}}", text) for name, text in commands])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="lengthwise", message="%(package)s %(version)s")
def bench() -> None:
    """Which sequence model should I use at my sequence length? Find out by experiment.

    A request (tasks, architectures, sequence lengths, seeds) expands to a matrix of cells. Each
    cell runs in a process of its own and leaves one record. Tables, MLflow runs and the dashboard
    are made from the records.

    \b
    Examples:
      bench run --task ner                         benchmark quick, generated data
      bench run --task ner --data tfds             CoNLL-2003, from TFDS_DATA_DIR
      bench run --mode probe --lengths 1024..8192  speed and memory, on random tokens
      bench report --task ner                      print the table again

    \b
    Exit codes: 0 success; 1 a cell failed, ran out of memory or time, or diverged, or a check
    failed; 2 the request, a file or the home is invalid, or the disk is full;
    3 --stop-after left cells for a later run; 130 interrupted.
    """


def main() -> None:
    """Run `bench`. A user's mistake becomes one line on standard error and exit code 2.

    SIGTERM, and SIGHUP when the terminal closes, interrupt the command as Ctrl-C does.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # an ignored signal stays ignored
            signal.signal(number, _interrupt)
    out, err = (cast(TextIO, PrintableStream(stream)) for stream in (sys.stdout, sys.stderr))
    gc.set_threshold(*COLLECTION_THRESHOLDS)
    with redirect_stdout(out), redirect_stderr(err):
        _run()


def _run() -> None:
    try:
        bench(prog_name="bench", standalone_mode=False)
    except LengthwiseError as error:
        _print_error(str(error))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        _print_error(error.format_message() + _option_hint(error))
    except click.exceptions.Exit as ending:
        sys.exit(ending.exit_code)
    except BrokenPipeError:  # the reader, such as `head`, closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno in PATH_ERRORS and (path := _path_of_user(error)):
            _print_error(f"{error.strerror}. Received: {path}. Correct the path")
        # The error of a copied folder holds those of its files, as texts.
        full = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT)]
        found = next((text for text in full if text in str(error)), None)
        if found is None:
            raise
        _print_error(
            f"The disk is full. Received: {error.filename or found}. Finished "
            "cells are kept. Make room or choose another --home, then run the same command again."
        )
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


def _option_hint(error: click.ClickException) -> str:
    """Return where to look after an error of an option or an argument; empty after others."""
    if found := EXTRA_ARGUMENT.search(error.format_message()):
        return _option_of(found["word"])
    if not isinstance(error, click.NoSuchOption | click.BadOptionUsage):
        return ""
    command = error.ctx.command if error.ctx else bench
    hint = f" See `{error.ctx.command_path if error.ctx else 'bench'} --help`."
    takes_options = any("--option" in parameter.opts for parameter in command.params)
    if isinstance(error, click.NoSuchOption) and takes_options:
        name = error.option_name.lstrip("-").replace("-", "_")
        hint += f" Options of a task, its recipe or an architecture: --option {name}=VALUE."
    return hint


def _option_of(word: str) -> str:
    """Return the option that takes a word which was given without one; empty if none does."""
    from suite.api.plugins import ARCHITECTURES, METHODS, TASKS, plugin_names
    from suite.cli.command import known_benchmarks

    known = {
        "--task": plugin_names(TASKS),
        "--architectures": plugin_names(ARCHITECTURES),
        "--method": plugin_names(METHODS),
        "--benchmark": known_benchmarks(),
    }
    found = (
        f". Did you mean {option} {name}?"
        for option, names in known.items()
        for name in names
        if name.casefold() == word.casefold()
    )
    return next(found, "")


def _interrupt(number: int, frame: object) -> None:
    if number == signal.SIGHUP:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
    raise KeyboardInterrupt


def _path_of_user(error: OSError) -> str:
    """Return the path of an error if the user gave it, or a folder that holds it; else empty.

    The error of another path is one of Lengthwise, and needs its traceback.
    """
    if error.filename is None:
        return ""
    path = Path(os.fsdecode(error.filename)).absolute()
    given = [word.rpartition("=")[2] for word in sys.argv[1:]]
    given.append(os.environ.get("BENCH_HOME", ""))
    roots = [Path(word).absolute() for word in given if word and not word.startswith("-")]
    return str(path) if any(path.is_relative_to(root) for root in roots) else ""


def _print_error(message: str) -> None:
    print("bench: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(2)
