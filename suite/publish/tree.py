"""The limits of the committed records, which `bench leaderboard --check` holds."""

from __future__ import annotations

from pathlib import Path

from suite.api.errors import RequestError
from suite.api.files import RESULTS
from suite.records.archives import SUFFIX, read_archive
from suite.records.published import (
    MAX_FINAL_BYTES,
    MAX_TREE_BYTES,
    PUBLISHED,
    committed_path,
    max_archived_bytes,
    published_files,
)
from suite.records.schema import RecordError, RecordSummary, parse_summary
from suite.search.tuning_evidence import unpublished_trial


def check_tree(results: Path = RESULTS) -> None:
    """Check the place, the size and the evidence of each committed record, and the size of all.

    Raises:
        RequestError: a limit is exceeded, a file is at another place than its records belong, or a
            trial of a tuned learning rate is missing.
        RecordError: a file is not a record or an archive.
    """
    sizes: dict[str, int] = {}
    committed: dict[str, RecordSummary] = {}
    for machine, path in published_files(results):
        place = path.relative_to(results / PUBLISHED / machine)
        named = f"results/{path.relative_to(results)}"
        sizes[named] = path.stat().st_size
        archived = path.name.endswith(SUFFIX)
        try:
            contents = read_archive(path) if archived else [path.read_bytes()]
            records = [parse_summary(content) for content in contents]
        except RecordError as error:
            raise RecordError(f"{named}: {error}") from None
        committed |= {record.run_id: record for record in records}
        for content, record in zip(contents, records, strict=True):
            limit = max_archived_bytes(record) if archived else MAX_FINAL_BYTES
            if len(content) > limit:
                raise RequestError(
                    f"A committed record has at most {limit:,} bytes here",
                    received=f"{named}, run {record.run_id}: {len(content):,} bytes",
                    remedy="Remove the record, and publish it again with `bench publish`",
                )
            if (belongs := Path(committed_path(record))) != place:
                raise RequestError(
                    f"The record belongs in {PUBLISHED}/{machine}/{belongs}",
                    received=named,
                    remedy="Move the record, or publish it again with `bench publish`",
                )
    for record in committed.values():
        if reason := unpublished_trial(record, committed):
            raise RequestError(
                "The trials behind a tuned learning rate are committed too",
                received=f"{committed_path(record)}: {reason}",
                remedy="Publish the trials with `bench publish`, or remove the record",
            )
    if (total := sum(sizes.values())) > MAX_TREE_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        raise RequestError(
            f"All committed records together have at most {MAX_TREE_BYTES:,} bytes",
            received=f"{total:,} bytes, {sizes[largest]:,} of them in {largest}",
            remedy="Remove records of earlier protocols, and name their last commit in CHANGES.md",
        )
