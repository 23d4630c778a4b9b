"""Passes every check: what breaks the other fakes is what they change."""

from ._sound import Sound

ARCHITECTURE = Sound()
