"""The checklist of a submission: one item for each thing that a record is checked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Item(StrEnum):
    """An item of the checklist. A record is checked for the items in this order.

    The first item that a record fails refuses the record. PLAUSIBLE refuses nothing: a person
    examines what it flags.
    """

    FILES = "All files are plain files with names and sizes as `bench publish` writes them"
    SCHEMA = "Each record can be read, has the fields of its schema, and the id of its cell"
    NAMES = "Each record is in its place, and its names are plain"
    PROTOCOL = (
        "Each run follows the protocol in force, and no version of a task, an architecture or a "
        "method is newer than here"
    )
    FINISHED = "No run failed or was interrupted"
    COMMIT = "Each run is from a clean commit"
    SCORES = "Each training states its data and its score, and no trial reads the test split"
    BENCHMARK = (
        "Each run of a benchmark is a cell of its frozen version, with the stated data and the "
        "stated search for the learning rate"
    )
    CONFORMANCE = "`bench check` checked the architecture of each ranked run of the standard track"
    QUIET = "No other process used the machine while a probe measured"
    PRIVATE = "No record contains host names, logs, paths or control characters"
    CONSISTENT = "The times, the status, the scores and the samples of each record agree"
    NEW = "Each cell has one record, and results/ does not have the run yet"
    TRIALS = (
        "The trials of each tuned learning rate are in the submission or in results/, with the "
        "stated scores"
    )
    PLAUSIBLE = (
        "No score and no learning curve is better than the references make plausible, or a person "
        "has examined the flag"
    )


ORDER = {item: place for place, item in enumerate(Item)}


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why a record is refused, and the item that the record fails."""

    item: Item
    reason: str

    def __str__(self) -> str:
        return self.reason
