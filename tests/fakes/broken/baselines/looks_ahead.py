"""One of the broken architectures as a plug-in, for the tests of `bench check`."""

from tests.builders.broken_architectures import ALL

ARCHITECTURE = ALL["looks_ahead"]
