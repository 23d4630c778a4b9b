"""Normalises the hidden states over the batch, in a layer that nobody tells whether it trains."""

from suite.api import Form

from ._sound import Sound, backbone_class


class NormalizesTheBatch(Sound):
    forms = frozenset({Form.ENCODER})

    def assemble(self, request):
        import keras

        class Backbone(backbone_class()):
            def __init__(self, request):
                super().__init__(request)
                self.normalize = keras.layers.BatchNormalization()

            def encode(self, inputs, **given):
                states, state = super().encode(inputs, **given)
                return self.normalize(states), state

        return Backbone(request)


ARCHITECTURE = NormalizesTheBatch()
