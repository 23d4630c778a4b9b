"""Takes 0.1 s and 64 MiB at 1,024 positions, in proportion to the length."""

from .calibrated import Calibrated


class Linear(Calibrated):
    options = {**Calibrated.options, "seconds": 0.1, "mebibytes": 64.0}


ARCHITECTURE = Linear()
