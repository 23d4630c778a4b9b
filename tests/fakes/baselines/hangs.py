"""Hangs in native code, where Python's signal handlers do not run."""

import ctypes

from ._fake import Fake


class Hangs(Fake):
    def compile_with_xla(self, request):
        ctypes.CDLL(None).pause()


ARCHITECTURE = Hangs()
