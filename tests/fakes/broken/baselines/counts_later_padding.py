"""Decodes with the number of all real positions of a mask, later ones among them."""

from suite.api import Form

from ._sound import Sound, backbone_class


class CountsLaterPadding(Sound):
    forms = frozenset({Form.DECODER})

    def assemble(self, request):
        from keras import ops

        class Backbone(backbone_class()):
            def decode(self, target, padding_mask=None, **given):
                states, state = super().decode(target, padding_mask=padding_mask, **given)
                if padding_mask is not None:
                    share = ops.mean(ops.cast(padding_mask, states.dtype), axis=1)
                    states = states * share[:, None, None]
                return states, state

        return Backbone(request)


ARCHITECTURE = CountsLaterPadding()
