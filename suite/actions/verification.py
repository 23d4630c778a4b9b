"""Run the cell of a record again and compare both runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from suite.actions.caller import read_registry, report_unreadable
from suite.actions.request import DATA_DIR_VARIABLE, PathLike, as_text, make_store
from suite.actions.runs import open_tracked_session
from suite.api.files import RESULTS
from suite.publish.verify import TIME_LIMIT_SECONDS, Verification, read_original
from suite.publish.verify import verify as run_again


def verify(
    path: PathLike,
    *,
    data: str | None = None,
    tfds_data_dir: PathLike | None = None,
    time_limit: float | None = None,
    home: PathLike | None = None,
    results: PathLike = RESULTS,
    progress: bool = True,
    tracking: bool = True,
) -> Verification:
    """Run the cell of a record again on this machine, and return both runs.

    `path` is a file, `FILE.jsonl.gz#RUN_ID`, or the id of a run in the home or in `results`.
    `data` names the source where it was a user's own files. The score is `reproduced` if both lie
    within 2% of each other.

    ```python
    verification = suite.verify("results/published/MACHINE/core-1/ner/RUN.json", tracking=False)
    print(verification.verdict())
    ```

    Raises:
        LengthwiseError: the file is not a record, or this version cannot run the cell.
    """
    store = make_store(home)
    record = read_original(os.fspath(path), store, Path(results))
    registry = read_registry()
    store.prepare()
    keywords = {"data": data, "time_limit": time_limit}
    file = sys.stdout if progress else None
    with open_tracked_session(
        store, "verify", keywords, file=file, planned_cells=1, tracking=tracking
    ) as tracked:
        return run_again(
            record,
            store,
            tracked.run,
            registry=registry,
            source=data,
            data_dir=as_text(tfds_data_dir or os.environ.get(DATA_DIR_VARIABLE)),
            time_limit_seconds=time_limit or TIME_LIMIT_SECONDS,
            report_unreadable=report_unreadable,
        )
