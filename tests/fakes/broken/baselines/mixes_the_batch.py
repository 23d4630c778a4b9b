"""Subtracts the mean over the real positions of a batch from the hidden states."""

from suite.api import Form

from ._sound import Sound, backbone_class


class MixesTheBatch(Sound):
    forms = frozenset({Form.ENCODER})

    def assemble(self, request):
        from keras import ops

        class Backbone(backbone_class()):
            def encode(self, inputs, padding_mask=None, **given):
                states, state = super().encode(inputs, padding_mask=padding_mask, **given)
                real = self.real_positions(padding_mask, states)
                mean = ops.sum(states * real, axis=0) / ops.maximum(ops.sum(real, axis=0), 1.0)
                return states - 0.5 * mean, state

        return Backbone(request)


ARCHITECTURE = MixesTheBatch()
