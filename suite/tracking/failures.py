"""Failures of MLflow: of a store that cannot be used, or of one record that a store rejects."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from suite.api.errors import TrackingError
from suite.tracking.connection import without_password

OF_STORE = frozenset(
    {
        *("TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"),
        *("DEADLINE_EXCEEDED", "CANCELLED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"),
    }
)
"""MLflow's codes of errors that every record would get: a locked database, a full disk."""
DAMAGED = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})
OTHER_SCHEMA = "out-of-date database schema"
"""MLflow's words for a database of another version of MLflow, older or newer."""
MAX_CHARACTERS = 200


def is_of_store(error: Exception, store_answers: Callable[[], bool]) -> bool:
    """Return whether an error is of the store, so that no other record can be delivered either."""
    if isinstance(error, SQLAlchemyError) or _is_damage(error):
        return True
    if isinstance(error, MlflowException):
        return error.error_code in OF_STORE or not store_answers()
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT) or not store_answers()
    return False


def describe(error: Exception) -> str:
    """Return the first line of an error, without its name if the message says enough."""
    message = (str(error).strip().splitlines() or [""])[0][:MAX_CHARACTERS]
    known = isinstance(error, MlflowException | OSError | SQLAlchemyError)
    return message if known and message else f"{type(error).__name__}: {message}"


def unusable(error: Exception, uri: str, *, own: bool) -> TrackingError:
    """Return the error of a store that cannot be used; `own` is that of a home's own database."""
    remedy = "Repair the store, then run `bench sync` to write the waiting records"
    if _is_damage(error) or OTHER_SCHEMA in str(error):
        remedy = (
            "Run `bench sync --rebuild`, which writes the database again from the records"
            if own
            else "Restore the database, or use the version of MLflow that made it"
        )
    # MLflow advises users to upgrade a database that is newer than itself.
    message = describe(error).partition(" Take a backup")[0].replace(uri, "…")
    return TrackingError(
        "The MLflow store cannot be used",
        received=f"{without_password(uri)}: {message}",
        remedy=remedy,
    )


@contextmanager
def tracking_errors(uri: str, *, own: bool) -> Iterator[None]:
    """Turn errors of MLflow, its database and the network into a TrackingError."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise unusable(error, uri, own=own) from None


def _is_damage(error: BaseException | None) -> bool:
    while error is not None:
        driver: Any = getattr(error, "orig", error)
        if getattr(driver, "sqlite_errorcode", None) in DAMAGED:
            return True
        error = error.__cause__
    return False
