"""Claims time in proportion to the length, and takes time in proportion to its square."""

from .calibrated import Calibrated


class LiesAboutItsCost(Calibrated):
    options = {**Calibrated.options, "seconds": 0.004, "power": 2.0}


ARCHITECTURE = LiesAboutItsCost()
