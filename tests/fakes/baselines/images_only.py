"""Accepts patches only."""

from suite.api import Inputs

from ._fake import Fake


class ImagesOnly(Fake):
    inputs = frozenset({Inputs.PATCHES})


ARCHITECTURE = ImagesOnly()
