"""Raises an error immediately."""

from ._fake import Fake


class Raises(Fake):
    def compile_with_xla(self, request):
        raise ValueError("this fake always raises")


ARCHITECTURE = Raises()
