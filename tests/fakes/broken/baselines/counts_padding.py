"""Multiplies the hidden states by the share of real positions."""

from suite.api import Form

from ._sound import Sound, backbone_class


class CountsPadding(Sound):
    forms = frozenset({Form.ENCODER})

    def assemble(self, request):
        from keras import ops

        class Backbone(backbone_class()):
            def encode(self, inputs, padding_mask=None, **given):
                share = ops.mean(ops.cast(padding_mask, "float32"), axis=1)
                states, state = super().encode(inputs, padding_mask=padding_mask, **given)
                return states * ops.cast(share, states.dtype)[:, None, None], state

        return Backbone(request)


ARCHITECTURE = CountsPadding()
