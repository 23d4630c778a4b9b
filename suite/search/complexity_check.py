"""Claimed costs against measured ones: a check of the conformance kit that takes minutes.

Each length is probed in several rounds, one sequence a batch. Noisy probes count: their spread
widens the interval. A claim fails only where the whole interval lies above it, and passes only
where the interval is not too wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from suite.analysis.comparisons import compare
from suite.analysis.growth import CLAIM_TOLERANCE, Growth, growths
from suite.api import Architecture, Form, Mode, Status
from suite.api.conformance import CheckResult, Verdict
from suite.execution.preparation import prepare
from suite.matrix.request import Request
from suite.records.published import local_record
from suite.records.schema import Record
from suite.records.store import Store
from suite.search.probing import RunPlan

LENGTHS = (512, 1_024, 2_048, 4_096, 8_192)
ROUNDS = 3
WIDEST = 1.0
"""An interval of an exponent that is wider confirms no claim."""
CHECKS = {
    "step_seconds": "time grows as claimed",
    "peak_memory_bytes": "memory grows as claimed",
}
"""The name of the check of each measure."""


def check_claims(
    name: str,
    architecture: Architecture,
    store: Store,
    run: RunPlan,
    *,
    backend: str,
    threads: int,
) -> list[CheckResult]:
    """Probe an architecture at several lengths, and return the checks of its claimed costs.

    The form is the encoder, or else the first that the architecture has. All probes run anew, so
    that their costs come from one session.
    """
    form = Form.ENCODER if Form.ENCODER in architecture.forms else min(architecture.forms)
    request = Request(
        mode=Mode.PROBE,
        architectures=(name,),
        lengths=LENGTHS,
        rounds=ROUNDS,
        batch_size=1,
        form=str(form),
        backends=(backend,),
        threads=threads,
    )
    return judge_claims(run(prepare(request, store, rerun=True)), architecture)


def judge_claims(records: Sequence[Record], architecture: Architecture) -> list[CheckResult]:
    """Return the checks of the claimed costs, from the records of an architecture's probes.

    A length at which a probe exceeded a limit is left out.
    """
    form, name = str(records[0].cell.form), records[0].cell.architecture
    good = [record for record in records if record.status is Status.OK]
    bad = [record for record in records if record.status is not Status.OK]
    failed = [record for record in bad if record.status is Status.FAILED]
    if failed or not good:
        first = (failed or bad)[0]
        reason = f"the probe at {first.cell.sequence_length:,} {first.status}: {first.reason}"
        verdict = Verdict.FAILED if failed else Verdict.NOT_APPLICABLE
        return [CheckResult(check, form, verdict, reason=reason) for check in CHECKS.values()]
    counts = {"noisy": sum(not record.quiet for record in good), "stopped by a limit": len(bad)}
    notes = "".join(
        f"; {count} of {len(records)} probes {what}" for what, count in counts.items() if count
    )
    quiet = [
        record.model_copy(update={"details": {**record.details, "noisy": ()}}) for record in good
    ]
    (comparison,) = compare(local_record(record, Path("unread")) for record in quiet)
    results = [_judge(item, form, notes) for item in growths(comparison, {name: architecture})]
    missing = sorted(set(CHECKS.values()) - {result.check for result in results})
    reason = f"fewer than three lengths have a cost{notes}"
    return results + [
        CheckResult(check, form, Verdict.NOT_APPLICABLE, reason=reason) for check in missing
    ]


def _judge(item: Growth, form: str, notes: str) -> CheckResult:
    phase, _, measure = item.measure.partition(".")
    check, case = CHECKS[measure], f"{form}, {phase}"
    lengths = f"from {item.shortest:,} to {item.longest:,}"
    if item.claimed_exponent is None:
        reason = f"the claim {item.claim!r} is not of the form n, n^1.5 or n log n"
        return CheckResult(check, case, Verdict.FAILED, reason=reason)
    ends = item.exponent.ends if item.exponent else None
    if item.exponent is None or ends is None:
        what = "does not grow" if item.exponent is None else "has too few repeats"
        reason = f"the cost {what} {lengths}{notes}"
        return CheckResult(check, case, Verdict.NOT_APPLICABLE, reason=reason)
    low, high = ends
    measured = f"n^{item.exponent.value:.2f} [{low:.2f}, {high:.2f}] {lengths}{notes}"
    if not item.contradicted and high - low > WIDEST:
        reason = f"too inexact to judge: {measured}"
        return CheckResult(check, case, Verdict.NOT_APPLICABLE, reason=reason)
    return CheckResult(
        check,
        case,
        Verdict.FAILED if item.contradicted else Verdict.PASSED,
        figure=low,
        high=item.claimed_exponent + CLAIM_TOLERANCE,
        reason=f"claims {item.claim}, measures {measured}",
    )
