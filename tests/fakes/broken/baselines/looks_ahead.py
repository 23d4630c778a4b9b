"""Decodes with the mean over the whole target, which steps cannot know."""

from suite.api import Form

from ._sound import Sound, backbone_class


class LooksAhead(Sound):
    forms = frozenset({Form.DECODER})

    def assemble(self, request):
        from keras import ops

        class Backbone(backbone_class()):
            def mean_so_far(self, states, real):
                mean = ops.sum(states * real, axis=1) / ops.sum(real, axis=1)
                return ops.zeros_like(states) + mean[:, None]

        return Backbone(request)


ARCHITECTURE = LooksAhead()
