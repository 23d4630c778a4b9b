"""Takes a tenth of a second at 1,024 positions, and 64 MiB, and so on in proportion."""

from .calibrated import Calibrated


class Linear(Calibrated):
    options = {**Calibrated.options, "seconds": 0.1, "mebibytes": 64.0}


ARCHITECTURE = Linear()
