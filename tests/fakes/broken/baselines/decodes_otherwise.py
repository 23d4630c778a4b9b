"""Forgets all but the last four tokens while it decodes in steps."""

from suite.api import Form

from ._sound import Sound, backbone_class


class DecodesOtherwise(Sound):
    forms = frozenset({Form.DECODER})

    def assemble(self, request):
        class Backbone(backbone_class()):
            def decode(self, target, state=None, position=0, **given):
                if state is not None and position > 4:
                    state = state[:, -4:]
                states, state = super().decode(
                    target, state=state, position=min(position, 4), **given
                )
                return states, state

        return Backbone(request)


ARCHITECTURE = DecodesOtherwise()
