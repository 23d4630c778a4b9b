"""Longformer at 1,024 positions and no others: in a matrix of shorter lengths it comes last."""

from baselines.longformer import Longformer
from suite.contracts import BuildRequest


class Last(Longformer):
    def unsupported_reason(self, request: BuildRequest) -> str | None:
        return None if request.sequence_length == 1_024 else "is for 1,024 positions alone"


ARCHITECTURE = Last()
"""What `tests/suite/test_calibration.py` measures alone and after nineteen others."""
