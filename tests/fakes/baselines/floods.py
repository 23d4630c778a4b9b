"""Writes to its output without end."""

from ._fake import Fake


class Floods(Fake):
    def compile_with_xla(self, request):
        while True:
            print("x" * 2**20)


ARCHITECTURE = Floods()
