"""Loses the positions beyond its training length, and does not declare it."""

from suite.api import Form

from ._sound import Sound, backbone_class


class StopsAtItsLength(Sound):
    forms = frozenset({Form.ENCODER})

    def assemble(self, request):
        class Backbone(backbone_class()):
            def mix(self, layer, states, mean):
                kept = slice(None, request.sequence_length)
                return super().mix(layer, states[:, kept], mean[:, kept])

        return Backbone(request)


ARCHITECTURE = StopsAtItsLength()
