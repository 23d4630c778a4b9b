"""Loses the positions beyond its training length, and does not declare it."""

from suite.api import Form

from ._sound import Sound, backbone_class


class StopsAtItsLength(Sound):
    forms = frozenset({Form.ENCODER})

    def assemble(self, request):
        class Backbone(backbone_class()):
            def encode(self, *inputs, **others):
                states, state = super().encode(*inputs, **others)
                return states[:, : request.sequence_length], state

        return Backbone(request)


ARCHITECTURE = StopsAtItsLength()
