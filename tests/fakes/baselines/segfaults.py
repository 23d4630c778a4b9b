"""Reads where it may not."""

import ctypes

from ._fake import Fake


class Segfaults(Fake):
    def compile_with_xla(self, request):
        ctypes.string_at(0)


ARCHITECTURE = Segfaults()
