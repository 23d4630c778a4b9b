"""Stops the gradient at the network of the first layer."""

from suite.api import Form

from ._sound import Sound, backbone_class


class ForgetsAGradient(Sound):
    forms = frozenset({Form.ENCODER})

    def assemble(self, request):
        from keras import ops

        backbone = backbone_class()(request)
        shrink = backbone.shrink[0]
        backbone.shrink_first = shrink
        backbone.shrink = [lambda states: ops.stop_gradient(shrink(states)), *backbone.shrink[1:]]
        return backbone


ARCHITECTURE = ForgetsAGradient()
