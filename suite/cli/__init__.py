"""The command `bench`: parsing and printing only, one file a command, loaded when it is called."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys

import click

from suite.api.errors import LengthwiseError

COMMANDS = {
    "list": "Show tasks, architectures and presets: what supports what, and why not.",
    "plan": "Show the cells of a request without running them.",
    "run": "Run the cells of a request that are not done yet.",
    "tune": "Choose each architecture's learning rate on validation, and keep the evidence.",
    "crossover": "Find the length from which on one architecture is better than another.",
    "frontier": "Find the longest sequence each architecture affords.",
    "report": "Print tables from the records.",
    "dashboard": "Draw the dashboard from the records.",
    "ui": "Open the MLflow UI on 127.0.0.1.",
    "server": "Serve MLflow to a team, behind names and passwords.",
    "export": "Pack the cells of a request for a machine without network or TensorFlow.",
    "import": "Take the records of a pack home.",
    "publish": "Copy records that pass into results/published.",
    "check-submission": "Say of records from others whether they are accepted, or why not.",
    "verify": "Run a record's cell again and say whether it comes out alike.",
    "leaderboard": "Rank the published records: results/LEADERBOARD.md, .csv, .json.",
    "sync": "Bring MLflow up to the records.",
    "rebuild": "Write MLflow anew from the records.",
    "prune": "Delete records that are no longer wanted; says first what would go.",
    "doctor": "Check versions, devices, disk, data and tracking, each with its remedy.",
    "completion": "Print the line that switches shell completion on.",
}


class _LazyGroup(click.Group):
    """Imports a command's module when the command is used, so that `--help` stays quick."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"suite.cli.{name.replace('-', '_')}_command")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="lengthwise", message="%(package)s %(version)s")
def bench() -> None:
    """Which Transformer should I use at my sequence length? Find out by experiment.

    A request (a task, architectures, sequence lengths, seeds) becomes a matrix of cells; every cell
    runs in a process of its own and leaves one record; tables, MLflow and the dashboard are drawn
    from the records.

    \b
    Examples:
      bench run --task ner                         the quick preset on generated data
      bench run --task ner --data tfds             CoNLL-2003, from TFDS_DATA_DIR
      bench run --mode probe --lengths 1024,8192   speed and memory on random tokens
      bench report --task ner                      the table again

    \b
    Exit codes: 0 all well; 1 a cell failed, ran out of memory or time, or diverged;
    2 the request, the data or the home is at fault; 130 interrupted.
    """


def main() -> None:
    """Run `bench`, turning a user's mistake into one line and exit code 2.

    To be told to end (SIGTERM), or to lose the terminal (SIGHUP), is to be interrupted by Ctrl-C.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # who was told to ignore it goes on
            signal.signal(number, _interrupt)
    try:
        bench(standalone_mode=False)
    except LengthwiseError as error:
        _complain(str(error))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        if isinstance(error, click.NoSuchOption | click.BadOptionUsage):
            _complain(f"{error.format_message()} See `bench --help`.")
        _complain(error.format_message())
    except click.exceptions.Exit as ending:
        sys.exit(ending.exit_code)
    except BrokenPipeError:  # the reader, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _complain(
            f"The disk is full. Received: {error.filename or error.strerror}. What was finished is "
            "kept: make room or choose another --home, then run the same command again."
        )
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


def _interrupt(number: int, frame: object) -> None:
    if number == signal.SIGHUP:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
    raise KeyboardInterrupt


def _complain(message: str) -> None:
    print("bench: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(2)
