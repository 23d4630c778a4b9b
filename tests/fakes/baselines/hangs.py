"""Never comes back, in native code that ignores signals' Python handlers."""

import ctypes

from ._fake import Fake


class Hangs(Fake):
    def compile_with_xla(self, request):
        ctypes.CDLL(None).pause()


ARCHITECTURE = Hangs()
