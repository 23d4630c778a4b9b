"""`bench check`: checks of an architecture's contract."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from suite.actions.checks import check
from suite.api import BACKENDS, RequestError
from suite.api.conformance import Verdict, worst_of_each_check
from suite.cli.command import ARCHITECTURE, Command, home_option, json_option
from suite.records.conformance_reports import ConformanceReport
from suite.report.tables import console, escape, print_table


@click.command("check", cls=Command)
@click.argument("architectures", nargs=-1, type=ARCHITECTURE)
@click.option("--all", "every", is_flag=True, help="Check all architectures.")
@click.option(
    "--costs",
    is_flag=True,
    help="Also probe at five lengths, three times each, and compare how time and memory grow with "
    "the claims. Takes minutes and needs an idle machine.",
)
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    default=BACKENDS[0],
    show_default=True,
    help="Keras backend.",
)
@home_option
@json_option
def command(architectures: Sequence[str], every: bool, as_json: bool, **given: Any) -> None:
    """Check that ARCHITECTURES keep the contract of an architecture.

    Small models with random weights run on random inputs, in every form and with every kind of
    inputs that the architecture declares, at 19 positions and at 259. Padding is on the right, on
    the left, in the middle and at every second position. Each architecture has a process of its
    own.

    \b
      shape is batch length width             hidden states have this shape and are finite
      longer sequences run                    unless the length is declared fixed
      padding does not leak                   other values at padded positions change nothing
      adding padding changes nothing          nor does more padding
      batch members do not mix                each has the hidden states that it has alone
      the same call gives the same            also after other calls, and in training
      training equals evaluation              without dropout
      compiled equals eager                   (not on PyTorch)
      bfloat16 is near float32                and finite
      order matters                           not for controls
      no look ahead                           later tokens and padding change no earlier position
                                              (decoders)
      decoding in steps equals the full pass  with a state, in parts of several sizes (decoders)
      generated tokens equal a full recomputation
                                              greedy ones, with a state (decoders)
      the state has its declared size         in bytes, if the architecture declares it (decoders)
      padding of the source does not leak     but its tokens matter, in the encoder-decoder form
      gradients reach every weight            each trainable weight has a gradient
      same seed same losses                   of two trainings
      weights are saved and loaded            and predict the same
      parity with vanilla                     in parameters: within 10%, or as declared
      time and memory grow as claimed         with --costs

    A figure passes within its bound; differences are relative to the size of hidden states. An
    architecture that declares `content_dependent_layout`, `length_dependent_layout` or
    `part_dependent_layout` is excused from the checks that its layout contradicts.

    The report is kept in the home. Records of the same code name the kit's version and its failed
    checks. An architecture that fails a check has no rank in the standard track of a ranked
    benchmark. `bench run` therefore checks each architecture before its first final run there.

    \b
    Exit codes: 0 all checks passed or do not apply; 1 a check failed; 2 the command is wrong;
    130 interrupted.

    \b
    Examples:
      BENCH_PATH=mine bench check mean
      bench check vanilla longformer --costs
      bench check --all --backend jax --json
    """
    if bool(architectures) is every:
        raise RequestError(
            "The command takes names of architectures, or --all",
            received=" ".join([*architectures, *(["--all"] if every else [])]) or "neither",
            remedy="`bench list` shows the names",
        )
    reports = check(architectures or None, **given)
    if as_json:
        plain = {
            name: {"passed": not report.failed, **report.model_dump(mode="json")}
            for name, report in reports.items()
        }
        print(json.dumps(plain, indent=1))
    else:
        for report in reports.values():
            _print(report)
    if any(report.failed for report in reports.values()):
        sys.exit(1)


def _print(report: ConformanceReport) -> None:
    """Print a line for each check, of the case nearest to its bound, then each failed case."""
    code, results, out = report.code, report.results, console()
    name = f"{code.architecture} {code.version} on {code.backend}, conformance kit {code.kit}"
    verdict = "failed" if report.failed else "passed"
    out.print(f"\n[bold]{escape(f'{name}: {verdict}')}[/bold]")
    rows = []
    for worst in worst_of_each_check(results):
        figure = "" if worst.figure is None else f"{worst.figure:.3g}"
        reason = "" if worst.verdict is Verdict.FAILED else worst.reason
        note = ": ".join(filter(None, (worst.case, reason)))
        rows.append((worst.check, worst.verdict, figure, worst.bound, note))
    print_table(out, ("check", "result", "figure", "bound", "note"), rows)
    for result in results:
        if result.verdict is Verdict.FAILED:
            where = ", ".join(filter(None, (result.check, result.case)))
            figure = "" if result.figure is None else f"{result.figure:.3g}, not {result.bound}"
            text = ": ".join(filter(None, (where, figure, result.reason)))
            out.print(f"  {escape(text)}", soft_wrap=True)
