"""Applies its dropout in evaluation too."""

from suite.api import Form

from ._sound import Sound, backbone_class


class DropsInEvaluation(Sound):
    forms = frozenset({Form.ENCODER})

    def assemble(self, request):
        class Backbone(backbone_class()):
            def encode(self, inputs, training=None, **given):
                return super().encode(inputs, training=True, **given)

        return Backbone(request)


ARCHITECTURE = DropsInEvaluation()
