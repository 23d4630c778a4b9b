"""`bench card`: what a model costs at each length, measured and predicted."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import click

from suite.actions.card_models import DEFAULT_SIZE
from suite.actions.cards import DEFAULT_TIME, card
from suite.analysis.comparison_key import grouped
from suite.analysis.cost_ratios import MIN_ROUNDS
from suite.analysis.length_card import CardLimit
from suite.api import BACKENDS, PRECISIONS, RequestError
from suite.cli.command import Command, home_option, json_option, parse_named_options
from suite.records.measures import ON_CARDS
from suite.search.frontier import LONGEST


class Percentage(click.ParamType):
    """A percentage such as "5%"."""

    name = "PERCENT"

    def convert(self, value: Any, parameter: Any, context: Any) -> float:
        """Return the share of a text such as "5%". A plain 5 could be 5% or 5 times."""
        number, sign, rest = str(value).partition("%")
        try:
            share = float(number) / 100
        except ValueError:
            share = math.nan
        if not sign or rest or not 0 <= share < math.inf:
            raise RequestError("--fail-above takes a percentage such as 5%", received=repr(value))
        return share


@click.command("card", cls=Command)
@click.argument("model")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Option of the architecture; may be repeated.",
)
@click.option(
    "--model-size",
    metavar="NAME",
    help=f"tiny, mini, small or base. [default: {DEFAULT_SIZE}]",
)
@click.option("--layers", type=int, metavar="N", help="Layers, with --width and --heads.")
@click.option("--width", type=int, metavar="N", help="Width of the model.")
@click.option("--heads", type=int, metavar="N", help="Heads of each layer.")
@click.option(
    "--form",
    metavar="NAME",
    help="encoder, decoder or encoder_decoder. [default: decoder, if the model is one]",
)
@click.option(
    "--batch-size",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Sequences in each batch.",
)
@click.option(
    "--up-to", type=int, default=LONGEST, show_default=True, metavar="N", help="Longest length."
)
@click.option("--memory", metavar="SIZE", help="Most memory of the model at its peak, e.g. 8GiB.")
@click.option(
    "--time",
    metavar="TIME",
    default=DEFAULT_TIME,
    show_default=True,
    help="Time for all measurements. The shortest length is measured in any case.",
)
@click.option(
    "--references/--no-references",
    default=True,
    show_default=True,
    help="Also measure vanilla with rotary positions, and gated_deltanet.",
)
@click.option(
    "--against",
    metavar="MODEL",
    help="Another model, measured in interleaved rounds in place of the references.",
)
@click.option(
    "--quality",
    is_flag=True,
    help="Also train the model on recall, retrieval and states (twelve trainings).",
)
@click.option(
    "--fail-above",
    type=Percentage(),
    metavar="PERCENT",
    help="With --against: exit code 1 if a cost is certainly higher by more than this, e.g. 5%.",
)
@click.option(
    "--backend", type=click.Choice(BACKENDS),
    help="Keras backend. [default: tensorflow; torch for Hugging Face]",
)  # fmt: skip
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default=PRECISIONS[0], show_default=True,
    help="Precision.",
)  # fmt: skip
@click.option("--threads", type=int, metavar="N", help="Threads per cell. [default: all cores]")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of the card. [default: cards in the home]",
)
@home_option
@json_option
def command(
    options: tuple[str, ...], as_json: bool, fail_above: float | None, **given: Any
) -> None:
    """Measure MODEL against the length of its input, and write its length card.

    MODEL is an architecture of `bench list`, with options and a size; a .keras file; FILE.py:name,
    where the function returns a Keras model or layer; a preset folder of keras-hub; or a folder or
    config.json of Hugging Face (extra hf; remote code is never run). Weights do not change costs:
    a model without weights gets random ones. Inference, a training step, prefill, each generated
    token, the decoding state and the peak memory are measured in fresh processes, from 128 tokens
    to the longest length that --up-to, --memory and --time allow. The card is a page that opens
    from disk, a Markdown file and a JSON file. It has the measured costs, the costs at other
    lengths up to four times the longest, each with a 90% interval, the longest context within 4 to
    80 GB, and the length from which a reference is cheaper.

    With --quality, the card has effective lengths: up to which length the model answers when it was
    trained at a shorter one. See the benchmark `reach`. A registered architecture larger than tiny
    is trained in that size.

    All measurements are records in the home. The same command continues after an interruption.

    With --against, the card has the ratio of the costs of MODEL to those of the other at each
    length. All intervals of a comparison hold together with a probability of 99%. With
    --fail-above 5%, a ratio fails only if its whole interval lies above 1.05. A length at which
    MODEL fails, runs out of memory or takes too long fails if the other was measured there, and an
    encoder fails against a decoder.

    \b
    Exit codes: 1 if --fail-above found a higher cost or such a length; 2 if the model or an option
    is invalid, or the time does not suffice for --fail-above; 130 interrupted.

    \b
    Examples:
      bench card llama --layers 4 --width 256 --heads 4
      bench card hybrid --model-size small --up-to 8192 --time 5m
      bench card bert --memory 2GiB --no-references
      bench card my_model.keras
      bench card models.py:make_convolution --up-to 4096
      bench card gpt2/config.json
      bench card new.py:make --against old.py:make --fail-above 5%
    """
    if fail_above is not None and given["against"] is None:
        raise RequestError("--fail-above needs --against", received=f"{100 * fail_above:g}%")
    written = card(options=parse_named_options(options), **given)
    if as_json:
        print(json.dumps(written.card.to_dict(), indent=1))
    else:
        print(written)
    if fail_above is not None:
        ratios = written.card.ratios
        above = [ratio for ratio in ratios if ratio.exceeds(fail_above)]
        failed = [f"above {1 + fail_above:g} times: {ratio}" for ratio in above]
        failed += [f"unlike the other model: {end}" for end in written.card.lost]
        if failed:
            print("\n".join(failed), file=sys.stderr)
            sys.exit(1)
        by_measure = grouped(ratios, lambda ratio: ratio.measure)
        undecided = [
            ON_CARDS[measure].title.lower()
            for measure, of_measure in by_measure.items()
            if measure.endswith(".step_seconds") and all(ratio.low is None for ratio in of_measure)
        ]
        if undecided or not ratios:
            raise RequestError(
                f"--fail-above needs {MIN_ROUNDS} rounds of both models",
                received=f"--time {given['time']}, which suffices for fewer"
                + (f" of {', '.join(undecided)}" if undecided else ""),
                remedy="Give more time, or a shorter --up-to; the same command continues",
            )
        for end in written.card.profile.ended:
            if end.cause is CardLimit.TIME:
                print(f"bench: not compared: {end}", file=sys.stderr)
