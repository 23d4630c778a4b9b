"""`bench frontier`: the longest sequence each architecture affords on this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import click

from suite.analysis.aggregate import PHASES
from suite.analysis.search import find_frontier
from suite.api import Limits, Mode, Status
from suite.api.errors import RequestError
from suite.cli.options import SECONDS, json_option, make_single_request, make_store, request_options
from suite.cli.searches import Prober
from suite.cli.sessions import open_command_session
from suite.execution.preparation import check_any_can_run, make_limits, parse_size, prepare
from suite.records.environment import has_accelerator, total_memory_bytes
from suite.records.schema import Record

SHORTEST = 128
FRAMEWORK_BYTES = 3 * 2**30
"""What a process may hold besides the model: libraries, and what compiling takes for a while."""


@click.command("frontier")
@click.option("--memory", metavar="SIZE", help="What the model may take at its peak, e.g. 8GiB.")
@click.option("--step-seconds", type=SECONDS, metavar="SECONDS", help="What a step may take.")
@click.option(
    "--phase",
    type=click.Choice(PHASES),
    default="training",
    show_default=True,
    help="Which of the two has to fit.",
)
@click.option(
    "--up-to",
    type=int,
    default=2**20,
    show_default=True,
    help="Where the search ends.",
    metavar="N",
)
@request_options
@json_option
def command(
    memory: str | None,
    step_seconds: float | None,
    phase: str,
    up_to: int,
    home: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Find the longest sequence that fits a budget of memory, of time a step, or both.

    One sequence a batch, if --batch-size says no other. Each length is a probe in a process of its
    own, stopped where it grows beyond the budget, so the machine is never harmed; lengths double,
    then halve between the last that fits and the first that does not, to within 5%. Memory is the
    accelerator's where there is one. Where an architecture's probe fails, the others go on, and the
    exit code is 1; where none meets the budget even at the first length, it is 2.

    \b
    Examples:
      bench frontier --memory 8GiB
      bench frontier --step-seconds 2 --architectures vanilla,longformer --phase inference
    """
    if memory is None and step_seconds is None:
        raise RequestError(
            "A frontier needs a budget", remedy="Give --memory 8GiB, --step-seconds 2, or both"
        )
    if up_to < SHORTEST:
        raise RequestError(f"The search begins at {SHORTEST}", received=f"--up-to {up_to}")
    if given["lengths"] or given["tasks"]:
        raise RequestError("The search chooses the lengths, on random tokens: no task, no lengths")
    budget = parse_size(memory) if memory else None
    if budget and not has_accelerator() and budget > total_memory_bytes():
        raise RequestError(
            "The budget is more than this machine's memory",
            received=f"{memory}, where there are {total_memory_bytes() / 2**30:.1f} GiB",
        )
    request = make_single_request(given)
    request = replace(
        request, mode=Mode.PROBE, rounds=request.rounds or 1, batch_size=request.batch_size or 1
    )
    store = make_store(home)
    store.prepare()
    prepared = prepare(replace(request, lengths=(SHORTEST,), rounds=1), store)
    check_any_can_run(prepared)
    found: dict[str, dict[str, Any]] = {}
    with open_command_session(store) as session:
        prober = Prober(request, session, _limits(request.preset, budget))
        for planned in prepared.plan.cells:
            name = planned.cell.architecture
            if planned.unsupported:
                found[name] = {"unsupported": planned.unsupported}
            else:
                fits = _fits(prober, name, phase, budget, step_seconds)
                try:
                    found[name] = asdict(find_frontier(fits, SHORTEST, up_to))
                    if found[name]["longest"] is None:
                        found[name]["taken"] = _taken(prober.probe(SHORTEST, (name,)), phase)
                except _ProbeFailed as failed:
                    found[name] = {"failed": str(failed)}
            if not as_json:
                print(f"{name:16} {_say(found[name], up_to)}", flush=True)
    if as_json:
        print(json.dumps(found, indent=1))
    if any("failed" in of_name for of_name in found.values()):
        sys.exit(1)
    if not any(of_name.get("longest") for of_name in found.values()):
        raise RequestError(
            f"Some architecture is to meet the budget at {SHORTEST} tokens",
            received=" ".join(
                f"{option} {value}"
                for option, value in (("--memory", memory), ("--step-seconds", step_seconds))
                if value is not None
            ),
            remedy="What each takes there is said above: give more, or a smaller --model-size",
        )


class _ProbeFailed(Exception):
    """A probe ended in a way that says nothing of what fits."""


def _limits(preset: str, budget: int | None) -> Limits:
    """Stop a cell that cannot fit; what is watched is all that its process holds, compiler too.

    On an accelerator the budget is of its memory, which the allocator bounds, not of the process's.
    """
    limits = make_limits(preset)
    if budget and not has_accelerator():
        limits = replace(limits, memory_bytes=min(limits.memory_bytes, budget + FRAMEWORK_BYTES))
    return limits


def _fits(
    prober: Prober, architecture: str, phase: str, budget: int | None, step_seconds: float | None
) -> Callable[[int], bool]:
    def fits(length: int) -> bool:
        records = prober.probe(length, (architecture,))
        return all(_affords(record, phase, budget, step_seconds) for record in records)

    return fits


def _affords(record: Record, phase: str, budget: int | None, step_seconds: float | None) -> bool:
    if record.status in (Status.OUT_OF_MEMORY, Status.TIMED_OUT, Status.SKIPPED):
        return False
    if record.status is not Status.OK:
        raise _ProbeFailed(f"{record.cell.label} {record.status}: {record.reason}")
    within = []
    for limit, name in ((budget, "peak_memory_bytes"), (step_seconds, "step_seconds")):
        if limit is not None:
            value = record.measured(phase, name)
            if value is None:
                raise RequestError(f"This machine does not measure {phase}.{name}")
            within.append(value <= limit)
    return all(within)


def _taken(records: Sequence[Record], phase: str) -> dict[str, float | None]:
    """Return the most that any of the records took, None of what none of them lived to tell."""

    def most(name: str) -> float | None:
        values = (record.measured(phase, name) for record in records)
        return max((value for value in values if value is not None), default=None)

    return {name: most(name) for name in ("peak_memory_bytes", "step_seconds")}


def _say(found: dict[str, Any], up_to: int) -> str:
    if "unsupported" in found:
        return f"unsupported: {found['unsupported']}"
    if "failed" in found:
        return str(found["failed"])
    if found["longest"] is None:
        memory, step = found["taken"]["peak_memory_bytes"], found["taken"]["step_seconds"]
        takes = []
        if memory is not None:
            takes.append(f"{memory / 2**20:,.0f} MiB")
        if step is not None:
            takes.append(f"{step:.3g} s a step")
        return f"not even {SHORTEST}" + (f", which takes {', '.join(takes)}" if takes else "")
    if found["beyond"] is None:
        return f"{found['longest']:,} and perhaps longer: the search ended at {up_to:,}"
    return f"{found['longest']:,} ({found['beyond']:,} no more)"
