"""Migrations: the content of a record of an older schema → that of the current one.

Standard library only: the dashboard runs this file in a bare interpreter. A migration is a pure
function of the record. Each schema that was ever published from protocol 3 on has a fixture in
`tests/suite/records/frozen`, and the tests load all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

SCHEMA_VERSION = 5


def migrate(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a record in the current schema; current content is returned as it is.

    Raises:
        KeyError: the content has no schema version with a migration.
    """
    while content["schema_version"] != SCHEMA_VERSION:
        content = MIGRATIONS[content["schema_version"]](content)
    return content


MIGRATIONS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    # It is unknown whether the code passed the conformance kit (kit 0).
    3: lambda content: {**content, "schema_version": 4, "conformance": {"kit": 0}},
    # Methods, variants and conditions are new: an older record has none.
    4: lambda content: {**content, "schema_version": 5},
}
