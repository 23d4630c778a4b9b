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
    help="What is compared: a measure of probes or decodings, or with --task a metric of the task. "
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

    Without --task, costs are compared: missing probes are run at all lengths, and then
    between two lengths until a crossover is known within 5%.
    The interval comes from the rounds. Decodings are compared at one sequence a batch, unless
    --batch-size says otherwise. With --published, the costs of published records are compared,
    and a crossover is interpolated between their lengths. With --task, the scores of existing
    records are compared, whatever their number of threads, and nothing is run. The difference at
    each length has an interval over seeds and test examples.

    An entry is an architecture, or one with options as the tables write it.

    \b
    Examples:
      bench crossover vanilla longformer
      bench crossover vanilla reformer --metric training.peak_memory_bytes --batch-size 1
      bench crossover vanilla mamba2 --metric generation.step_seconds
      bench crossover vanilla mamba2 --published --form decoder
      bench crossover gpt vanilla --task language_modeling --data tfds --benchmark core --published
      bench crossover vanilla "vanilla (positions=rotary)" --task ner --benchmark core --published
    """
    result = crossover(**given)
    print(json.dumps(result.to_dict(), indent=1) if as_json else result)
