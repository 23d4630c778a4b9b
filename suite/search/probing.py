"""Probes that a search runs on the way, one sequence length at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from suite.analysis.comparison_key import grouped
from suite.api import Cell, Limits, Mode, RequestError
from suite.execution.preparation import Prepared, check_any_can_run, prepare
from suite.matrix.request import Request
from suite.records.benchmarks import DECODING_BENCHMARK, DEFAULT_BENCHMARK
from suite.records.measures import DECODING_PHASES, mode_measuring
from suite.records.schema import Record
from suite.records.store import Store

RunPlan = Callable[[Prepared], list[Record]]
"""Runs a plan and returns the records of its cells, as `Session.run` does."""


def request_measuring(phase: str, request: Request) -> Request:
    """Return a request in the mode that measures the costs of a phase.

    The default benchmark has no decodings; `DECODING_BENCHMARK` replaces it. Benchmarks list
    decodings of several batch sizes; one sequence is decoded unless the request says otherwise.
    Entries with methods of a benchmark are left out, since a search compares architectures.

    Raises:
        RequestError: the request names methods, or mode decode, which does not measure the phase.
    """
    if any(request.methods or ()):
        raise RequestError(
            "A search over lengths compares architectures without methods",
            received="; ".join(map(" ".join, request.methods or ())),
            remedy="Omit the methods. `bench run --mode probe` measures what they cost",
        )
    request = replace(request, methods=((),))
    mode = mode_measuring(phase)
    if mode is not Mode.DECODE:
        if request.mode is Mode.DECODE:
            raise RequestError(
                f"Mode decode measures {' and '.join(DECODING_PHASES)}",
                received=phase,
                remedy="Name a phase or a measure of these, or omit --mode",
            )
        return replace(request, mode=mode)
    benchmark = request.benchmark
    if benchmark == DEFAULT_BENCHMARK:
        benchmark = DECODING_BENCHMARK
    return replace(request, mode=mode, benchmark=benchmark, batch_size=request.batch_size or 1)


def check_one_setting(search: str, cells: Iterable[Cell]) -> None:
    """Check that all cells of a length have the same form, model size and batch size.

    Raises:
        RequestError: they differ, so that their costs would be mixed.
    """
    for length, alike in grouped(cells, lambda cell: cell.sequence_length).items():
        settings = {(str(cell.form), cell.model_size, cell.batch_size) for cell in alike}
        if len(settings) > 1:
            listed = ", ".join(
                f"{form} of size {size} with batch size {batch}"
                for form, size, batch in sorted(settings)
            )
            raise RequestError(
                f"{search} compares costs at one form, one model size and one batch size",
                received=f"at length {length}: {listed}",
                remedy="Give --form, --model-size and --batch-size",
            )


def architectures_of(entries: Iterable[str]) -> tuple[str, ...]:
    """Return the architectures of entries such as "vanilla (positions=rotary)", each once."""
    return tuple(dict.fromkeys(entry.partition(" ")[0] for entry in entries))


@dataclass(frozen=True, slots=True)
class Prober:
    """Probes the entries of a request.

    Probes that are done are only read, unless a round of theirs ran in several sessions: costs are
    compared within one session, so all probes of the length run again.
    """

    request: Request
    store: Store
    run: RunPlan
    limits: Limits | None = None

    def probe(self, length: int, entries: Sequence[str]) -> list[Record]:
        """Return the records of entries at a length, in the order of the rounds."""
        records = self._run(length, entries)
        if _crosses_sessions(records):
            records = self._run(length, entries, rerun=True)
        return sorted(records, key=lambda record: record.cell.round)

    def _run(self, length: int, entries: Sequence[str], *, rerun: bool = False) -> list[Record]:
        request = replace(self.request, lengths=(length,), architectures=architectures_of(entries))
        prepared = prepare(request, self.store, limits=self.limits, rerun=rerun)
        cells = [item for item in prepared.plan.cells if item.ranking.entry in entries]
        prepared = replace(prepared, plan=replace(prepared.plan, cells=cells))
        check_any_can_run(prepared)
        return self.run(prepared)


def _crosses_sessions(records: Sequence[Record]) -> bool:
    """Return whether a round of several entries ran in several sessions."""
    by_round = grouped(records, lambda record: record.cell.round).values()
    return any(len({record.invocation.id for record in of}) > 1 for of in by_round)
