"""`bench crossover`: finds each length at which one entry overtakes another."""

from __future__ import annotations

import json
from typing import Any

import click

from suite.actions.searches import crossover
from suite.cli.command import Command, json_option, request_options, results_option
from suite.records.measures import DEFAULT_MEASURE


@click.command("crossover", cls=Command)
@click.argument("first")
@click.argument("second")
@click.option(
    "--metric",
    metavar="NAME",
    help="The measure of probes or decodings to compare, or with --task the metric of the task. "
    f"[default: {DEFAULT_MEASURE}, or the task's primary metric]",
)
@click.option(
    "--published",
    is_flag=True,
    help="Compare the published records instead of your own; nothing is run.",
)
@results_option
@request_options
@json_option
def command(as_json: bool, **given: Any) -> None:
    """Find each length at which FIRST or SECOND overtakes the other.

    Without --task, the command compares costs. It states how long the probes may take. Then it runs
    those that are missing, and further probes between two lengths until each crossover is known
    within 5%. The interval of a crossover comes from the rounds. Decodings have a batch of one
    sequence unless --batch-size says otherwise.

    With --published, the command runs nothing: it compares the costs of published records, and
    interpolates a crossover between their lengths.

    With --task, it runs nothing either: it compares the scores of existing records with any number
    of threads. The difference at each length has an interval over seeds and test examples.

    FIRST and SECOND are entries: an architecture, or an architecture with options as the tables
    write it.

    \b
    Examples:
      bench crossover vanilla longformer
      bench crossover vanilla reformer --metric training.peak_memory_bytes --batch-size 1
      bench crossover vanilla mamba2 --metric generation.step_seconds
      bench crossover vanilla mamba2 --published --form decoder
      bench crossover mamba2 hybrid --task language_modeling --benchmark long_text --published
      bench crossover vanilla "vanilla (positions=rotary)" --task ner
    """
    result = crossover(**given)
    print(json.dumps(result.to_dict(), indent=1) if as_json else result)
