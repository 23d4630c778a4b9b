"""`bench check-submission`: check whether records may join the leaderboard."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from suite.actions.caller import read_registry
from suite.api.errors import RequestError
from suite.api.files import RESULTS
from suite.cli.command import Command
from suite.cli.options import json_option
from suite.publish.submissions import check_submission, summarize
from suite.records.published import read_published


@click.command("check-submission", cls=Command)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, hidden=True)
@json_option
def command(path: Path, results: Path, as_json: bool) -> None:
    """Print for each record of PATH whether it is accepted, or why it is refused.

    A record is accepted if `bench publish` could have written it, if it is new in results/, and if
    the trials of its learning rate are in PATH or in results/. Implausibly good records are
    flagged; check them with `bench verify`. The last lines are the checklist of a submission, with
    the number of records that fail each item. Paste them into your pull request.

    \b
    Exit codes: 0 all are accepted; 1 at least one is refused; 2 PATH does not exist.
    """
    if not path.exists() and not path.is_symlink():
        raise RequestError(
            "There is no submission", received=path, remedy="Name its folder or file"
        )
    registry = read_registry()
    resolved = path if path.is_symlink() else path.resolve()
    entries = [one for one in read_published(results) if not one.path.is_relative_to(resolved)]
    found = check_submission(resolved, entries, registry)
    if as_json:
        told = [
            {
                "file": checked.name,
                "item": checked.refusal.item.name.lower() if checked.refusal else None,
                "refused": checked.refused,
                "flags": checked.flags,
            }
            for checked in found
        ]
        print(json.dumps(told, indent=1))
    else:
        for checked in found:
            said = f"refused: {checked.refused}" if checked.refused else "accepted"
            print(f"{checked.name!r:.160}: {said}".replace("\n", " "))
            for flag in checked.flags:
                print(f"  to be checked: {flag}")
        print("\nChecklist")
        for result in summarize(found):
            print(result)
    sys.exit(1 if any(checked.refused for checked in found) else 0)
