"""Names of entries, texts of options, and ids of runs."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING

from suite.api import Recipe

if TYPE_CHECKING:
    from suite.api import Cell
    from suite.records.schema import RankingFacts

OBJECTIVE = "objective"
"""The name, among the options of a comparison, of the metric of another objective."""
NOT_OF_THE_DATA = frozenset({OBJECTIVE, *(field.name for field in fields(Recipe))})
"""The options of a comparison that do not change its data: labels leave them out."""

LABEL = re.compile(r"(.+)-([0-9]{1,9})", re.DOTALL)
"""The label of a benchmark: its name and its version."""
RUN_ID = re.compile(r"(\d{8})T(\d{12})Z-")


def entry_name(architecture: str, options: Mapping[str, object], methods: str = "") -> str:
    """Return the name of an entry: the architecture, its options, and the text of its methods.

    The options of the task are left out.
    """
    name = f"{architecture} ({options_text(options)})" if options else architecture
    return " + ".join([name, *methods.split()])


def cell_label(cell: Cell, facts: RankingFacts) -> str:
    """Return a short name of a cell for display, with the options of its task's data."""
    return cell.label_of(facts.entry, data_text(facts.task_options))


def data_text(task_options: Mapping[str, object]) -> str:
    """Return the text of those options of a comparison that change its data."""
    return options_text({n: v for n, v in task_options.items() if n not in NOT_OF_THE_DATA})


def options_text(options: Mapping[str, object]) -> str:
    """Return options as "name=value name=value", sorted by name."""
    return " ".join(f"{name}={value}" for name, value in sorted(options.items()))


def new_run_id(now: datetime, earlier: Iterable[str] = ()) -> str:
    """Return a new run id, which is unique and sorts after all `earlier` ids of a home.

    Its digits are those of `now`, or those of the latest id plus one if the clock is behind.
    """
    digits = f"{now:%Y%m%d%H%M%S%f}"
    if match := RUN_ID.match(max(filter(RUN_ID.match, earlier), default="")):
        digits = max(digits, f"{int(match[1] + match[2]) + 1:020}")
    return f"{digits[:8]}T{digits[8:]}Z-{secrets.token_hex(3)}"


def split_label(label: str) -> tuple[str, str]:
    """Return the name and the version of a benchmark's label; a label of another form has none."""
    match = LABEL.fullmatch(label)
    return (match[1], match[2]) if match else (label, "")
