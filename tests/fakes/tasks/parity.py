"""A task that takes no time: is a token's number odd? Its files are a folder of the user.

With `digested=false` the source has no digest, so that the data is not cached, and every read of
the test split raises.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from suite.api import Examples, Form, Inputs, Metric, Recipe, Score, Source, Task, TaskData

NUM_TOKENS = 8


class Unreadable(Mapping):
    """The features of a test split that nothing may read."""

    def __getitem__(self, name: str) -> Any:
        raise PermissionError("the test split was read")

    def __iter__(self) -> Iterator[str]:
        raise PermissionError("the test split was read")

    def __len__(self) -> int:
        raise PermissionError("the test split was read")


class Parity(Task):
    version = 1
    title = "Parity of a token"
    summary = "says of each token whether its number is odd"
    form = Form.ENCODER
    inputs = Inputs.TOKEN_IDS
    position = "a token"
    default_lengths = (8, 16)
    primary_metric = Metric("accuracy", share=True)
    default_source = "synthetic"
    sources = {
        "synthetic": Source("random tokens", "CC0", "none", redistributable=True),
        "files": Source("a folder", "yours", "none", redistributable=False, argument="PATH"),
    }
    options = {"digested": True}
    recipe = Recipe(learning_rate=3e-3)

    def inspect(self, request, options):
        return f"{request.kind}" if options["digested"] else None

    def load(self, request, sequence_length, options):
        import numpy as np

        def draw(seed):
            tokens = np.random.default_rng(seed).integers(NUM_TOKENS, size=(32, sequence_length))
            features = {"token_ids": tokens.astype("int32"), "padding_mask": tokens >= 0}
            return Examples(features, {"labels": (tokens % 2).astype("int32")})

        test = draw(2) if options["digested"] else Examples(Unreadable(), Unreadable())
        spec = {"vocabulary_size": NUM_TOKENS}
        return TaskData(draw(0), draw(1), test, spec, {"fingerprint": "parity"})

    def build_head(self, spec):
        import keras

        class Head(keras.layers.Dense):
            def call(self, hidden_states, features):
                return super().call(hidden_states)

        return Head(2)

    def loss(self, outputs, targets, features):
        from keras import ops

        return ops.mean(
            ops.sparse_categorical_crossentropy(targets["labels"], outputs, from_logits=True)
        )

    def predict(self, outputs, targets, features):
        from keras import ops

        return ops.argmax(outputs, axis=-1)

    def score(self, examples, predictions, spec):
        return Score({"accuracy": float((predictions == examples.targets["labels"]).mean())})


TASK = Parity()
