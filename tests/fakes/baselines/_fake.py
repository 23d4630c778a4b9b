"""Base of the fakes: an architecture that only embeds token ids."""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs


class Fake(Architecture):
    """Accepts every request and mixes no positions."""

    version = 1
    title = "Fake"
    paper = "none"
    forms = frozenset({Form.ENCODER})
    inputs = frozenset({Inputs.TOKEN_IDS, Inputs.EMBEDDINGS})
    claimed_time = "n"
    claimed_memory = "n"
    probe_only = True

    def assemble(self, request: BuildRequest) -> Any:
        import keras

        class Backbone(keras.layers.Layer):
            def __init__(self) -> None:
                super().__init__()
                self.embed = None
                if request.inputs is Inputs.TOKEN_IDS:
                    self.embed = keras.layers.Embedding(
                        request.vocabulary_size, request.model_size.width
                    )

            def encode(
                self, inputs, padding_mask=None, state=None, global_mask=None, training=None
            ):
                return (inputs if self.embed is None else self.embed(inputs)), None

        return Backbone()
