"""Draws a scale that is not saved with the weights."""

from suite.api import Form

from ._sound import Sound, backbone_class


class ChangesOnReload(Sound):
    forms = frozenset({Form.ENCODER})

    def assemble(self, request):
        import numpy as np

        class Backbone(backbone_class()):
            def __init__(self, request):
                super().__init__(request)
                self.unsaved = np.random.uniform(0.5, 1.5, self.width).astype("float32")

            def mix(self, layer, *given):
                return super().mix(layer, *given) * self.unsaved

        return Backbone(request)


ARCHITECTURE = ChangesOnReload()
