"""Exits the process cleanly, without an outcome."""

import sys

from ._fake import Fake


class Exits(Fake):
    def compile_with_xla(self, request):
        sys.exit(0)


ARCHITECTURE = Exits()
