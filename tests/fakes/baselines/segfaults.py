"""Reads invalid memory, which ends the process with SIGSEGV."""

import ctypes

from ._fake import Fake


class Segfaults(Fake):
    def compile_with_xla(self, request):
        ctypes.string_at(0)


ARCHITECTURE = Segfaults()
