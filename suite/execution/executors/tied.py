"""Imported by a forkserver before all else: ties its life to that of the process that started it.

A forkserver ends when nobody holds its pipe any more, and its children hold it too: without this, a
cell would work on for hours after its invocation was killed, and disturb the next one's.
"""

from __future__ import annotations

import os

from suite.execution.executors.entry import die_with_parent

die_with_parent()
if os.getppid() == 1:  # the parent was gone before it could be said
    raise SystemExit
