"""Scores of a trained model at evaluation lengths, beside those at its training length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from suite.api import Examples, Status, Unsupported
from suite.api.evaluation_lengths import BY_EVALUATION_LENGTH, NOT_APPLICABLE, with_reason
from suite.worker.data.batches import Batch, predict_examples
from suite.worker.failures import classify
from suite.worker.steps import make_prediction_step
from suite.worker.train.setup import Setup, splits_of

Reports = dict[str, dict[str, Any]]


def reports_at_lengths(
    setup: Setup, reports: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[Reports, Sequence[int]]]:
    """Add the scores at each evaluation length to the reports of the splits that the cell scores.

    Yields the reports so far and the lengths that are left: before each length, the shortest first,
    and at the end. Without evaluation lengths, nothing is yielded. The model starts each example
    with an empty state, even if it carried its state in training.

    The report `BY_EVALUATION_LENGTH` has the metrics and the number of examples of each length. A
    report of the task with "by_" in its name appears once for each length, under a name that ends
    with "_at_" and the length. A length that takes more memory than there is has a reason, as have
    the longer ones, which are not tried.
    """
    lengths = setup.job.cell.evaluation_lengths
    if not lengths:
        return
    extended: Reports = {split: dict(report) for split, report in reports.items()}
    for split in setup.scored_splits:
        extended[split][BY_EVALUATION_LENGTH] = {}
    setup.model.carries_state = False  # each row of a batch begins anew
    predict = make_prediction_step(setup.model, setup.task.predict, setup.xla)
    for number, length in enumerate(lengths):
        setup.report_progress("scoring lengths", number / len(lengths))
        yield extended, lengths[number:]
        try:
            _add_length(setup, length, predict, extended)
        except Exception as error:
            status, reason = classify(error)
            if status is not Status.OUT_OF_MEMORY:
                raise
            extended = with_reason(extended, lengths[number:], status, reason)
            break
    yield extended, ()


def _add_length(
    setup: Setup, length: int, predict: Callable[[Batch], Any], reports: Reports
) -> None:
    """Add the scores of each split at a length, or why the model is not applicable."""
    cell, task = setup.job.cell, setup.task
    try:
        splits = load_length(setup, length)
    except Unsupported as error:
        for split in setup.scored_splits:
            reports[split][BY_EVALUATION_LENGTH][str(length)] = f"{NOT_APPLICABLE}: {error}"
        return
    batch_size = max(1, cell.batch_size * cell.sequence_length // length)
    for split in setup.scored_splits:
        examples = splits[split]
        predictions = predict_examples(predict, examples, batch_size, buckets=task.length_buckets)
        score = task.score(examples, predictions, setup.data.spec)
        figures = {**score.metrics, "examples": examples.num_examples}
        reports[split][BY_EVALUATION_LENGTH][str(length)] = figures
        for name, report in score.reports.items():
            if "by_" in name:
                reports[split][f"{name}_at_{length}"] = report


def load_length(setup: Setup, length: int) -> Mapping[str, Examples]:
    """Return the splits at a length; raise `Unsupported` if it cannot be reached."""
    job, architecture = setup.job, setup.architecture
    assert job.source is not None
    if length == setup.request.sequence_length:
        return splits_of(setup.data)
    if reason := architecture.fixed_length_reason(setup.request):
        raise Unsupported(f"{architecture.title} {reason}")
    source = replace(job.source, cache_dir=str(job.cache))
    return setup.task.load_evaluation(source, length, setup.options, setup.data.spec)
