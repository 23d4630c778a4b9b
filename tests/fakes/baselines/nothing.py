"""Does nothing."""

from ._fake import Fake

ARCHITECTURE = Fake()
