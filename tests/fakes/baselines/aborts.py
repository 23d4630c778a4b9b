"""Aborts in native code."""

import os

from ._fake import Fake


class Aborts(Fake):
    def compile_with_xla(self, request):
        os.abort()


ARCHITECTURE = Aborts()
