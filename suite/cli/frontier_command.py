"""`bench frontier`: finds the longest sequence of each architecture within a budget."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from suite.actions.searches import frontier
from suite.api import RequestError
from suite.cli.command import SECONDS, Command, json_option, request_options
from suite.search.frontier import ALL_PHASES, LONGEST, SHORTEST, LengthLimit


@click.command("frontier", cls=Command)
@click.option("--memory", metavar="SIZE", help="Most memory of the model at its peak, e.g. 8GiB.")
@click.option(
    "--step-seconds",
    type=SECONDS,
    metavar="SECONDS",
    help="Most time of a step; a step of the generation is one token.",
)
@click.option(
    "--phase",
    type=click.Choice(ALL_PHASES),
    default="training",
    show_default=True,
    help="The phase that has to fit.",
)
@click.option(
    "--up-to",
    type=int,
    default=LONGEST,
    show_default=True,
    help="The length at which the search ends.",
    metavar="N",
)
@request_options
@json_option
def command(memory: str | None, step_seconds: float | None, as_json: bool, **given: Any) -> None:
    """Find the longest sequence within a budget of memory, of time per step, or both.

    A batch holds one sequence unless --batch-size says otherwise. A fresh process probes each
    length, and is stopped when it exceeds the budget. The lengths double until one does not fit.
    Then a bisection finds the longest that fits, to within 5%. Before the first probe, the command
    states how many probes there are at most, how long they may take, and whether other programs use
    the processor. The memory is that of the accelerator if there is one. The phases prefill and
    generation are those of decodings, where the length is that of the context. A benchmark with
    probes of several forms needs --form.

    \b
    Exit codes: 1 if a probe failed (the other architectures are searched all the same);
    2 if no architecture meets the budget at the first length.

    \b
    Examples:
      bench frontier --memory 8GiB
      bench frontier --step-seconds 2 --architectures vanilla,longformer --phase inference
      bench frontier --memory 2GiB --phase generation --architectures vanilla,mamba2
    """
    limits = frontier(
        memory=memory,
        step_seconds=step_seconds,
        report=(lambda limit: None) if as_json else _print,
        **given,
    )
    if as_json:
        print(json.dumps({limit.entry: limit.to_dict() for limit in limits}, indent=1))
    if any(limit.failed for limit in limits):
        sys.exit(1)
    if not any(limit.longest for limit in limits):
        given_budget = {"--memory": memory, "--step-seconds": step_seconds}
        raise RequestError(
            f"No architecture meets the budget at {SHORTEST} tokens",
            received=" ".join(f"{name} {value}" for name, value in given_budget.items() if value),
            remedy="Give more than each takes there (see above), or a smaller --model-size",
        )


def _print(limit: LengthLimit) -> None:
    print(f"{limit.entry:16} {limit}", flush=True)
