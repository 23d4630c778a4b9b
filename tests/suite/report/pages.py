"""Pages of the leaderboard of made-up final runs, and functions that read them."""

from __future__ import annotations

import csv
import dataclasses
import io
import re

from suite.analysis.comparisons import compare
from suite.matrix.registry import load_registry
from suite.report.leaderboard import leaderboard_files
from tests.builders.records import with_fields
from tests.suite.analysis.final_runs import by_architecture, final_runs

ENTRIES = {"vanilla": 0.80, "bert": 0.70, "longformer": 0.799, "identity": 0.40}


def files_of(folder, records):
    records, registry = list(records), load_registry((str(folder),))
    return leaderboard_files(records, compare(records, registry.task_versions), registry)


def page_of(folder, records):
    return files_of(folder, records)["LEADERBOARD.md"]


def archive_of(files):
    """Return the rows of the archive."""
    return list(csv.DictReader(io.StringIO(files["leaderboard/archive.csv"])))


def runs(folder, values=ENTRIES, **fields):
    registry = load_registry((str(folder),))
    return final_runs(registry, by_architecture(values), list(values), **fields)


def renamed(stored, entry):
    """Return the record of another entry, with the figures of this one."""
    record = stored.record
    cell = dataclasses.replace(record.cell, architecture=entry)
    ranking = record.ranking.model_copy(update={"entry": entry})
    return with_fields(stored, cell=cell, ranking=ranking)


def section(text, heading):
    """Return the part of a page below a heading."""
    return re.split(rf"\n##+ {heading}\b.*\n", text)[1].split("\n##")[0]


def rows_of(text):
    """Return the cells of each row of the first table of a text."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
