"""The answers of a measuring process: a line of JSON each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

Say = Callable[[Mapping[str, Any]], None]


def redirect_output() -> Say:
    """Return what writes answers to standard output, and keep the prints of libraries from it."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(answer: Mapping[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    return say
