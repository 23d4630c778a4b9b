"""Writes to standard output forever."""

from ._fake import Fake


class Floods(Fake):
    def compile_with_xla(self, request):
        while True:
            print("x" * 2**20)


ARCHITECTURE = Floods()
