"""Checks of the options that several methods have."""

from __future__ import annotations

from suite.api import Options
from suite.api.errors import RequestError


def check_share(method: str, options: Options, name: str) -> None:
    """Check that an option is a share.

    Raises:
        RequestError: the value is outside the range from 0 to 1.
    """
    if not 0 <= options[name] <= 1:
        raise RequestError(
            f"The option '{name}' of {method} is from 0 to 1", received=options[name]
        )
