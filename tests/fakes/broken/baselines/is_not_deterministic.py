"""Seeds its dropout from the operating system."""

import os

from suite.api import Form

from ._sound import Sound, backbone_class


class IsNotDeterministic(Sound):
    forms = frozenset({Form.ENCODER})

    def assemble(self, request):
        import keras

        backbone = backbone_class()(request)
        seed = int.from_bytes(os.urandom(3), "little")
        backbone.dropout = keras.layers.Dropout(request.dropout, seed=seed)
        return backbone


ARCHITECTURE = IsNotDeterministic()
