"""One cache of encoded data for all small trainings of a process of tests.

Encoding takes longer than such a training. An entry is named by all that determines its content.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest


class Cache:
    """The folder of the cache."""

    folder = Path()

    @classmethod
    def make(cls, config: pytest.Config) -> None:
        """Make the folder until the end of the process."""
        made = tempfile.TemporaryDirectory(prefix="encoded-")
        config.add_cleanup(made.cleanup)
        cls.folder = Path(made.name)
