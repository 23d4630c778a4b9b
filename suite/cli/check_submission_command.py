"""`bench check-submission`: check records that a pull request adds to results/published."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from suite.actions.publishing import check_submission
from suite.cli.command import Command, json_option, results_option


@click.command("check-submission", cls=Command)
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, required=True)
@results_option
@json_option
def command(paths: tuple[Path, ...], results: Path, as_json: bool) -> None:
    """Print for each record of PATHS whether `bench publish` would accept it, or why not.

    PATHS are files or folders of results/published. The trials of each tuned learning rate must
    be published too.

    \b
    Exit codes: 0 all are accepted; 1 at least one is refused; 2 PATHS hold no published file.
    """
    checked = check_submission(paths, results=results)
    if as_json:
        print(json.dumps([{"record": name, "refused": reason} for name, reason in checked]))
    else:
        for name, reason in checked:
            print(f"{name}: {f'refused: {reason}' if reason else 'accepted'}")
    sys.exit(1 if any(reason for _, reason in checked) else 0)
