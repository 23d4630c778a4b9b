"""Allocates memory until the process is stopped."""

import time

from ._fake import Fake


class Hungry(Fake):
    def compile_with_xla(self, request):
        held = []
        while True:
            held.append(bytearray(b"x" * 2**26))
            time.sleep(0.02)


ARCHITECTURE = Hungry()
