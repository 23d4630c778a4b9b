"""The newcomer's path: a task and an architecture as single files in a folder of one's own."""

from __future__ import annotations

import json

ARCHITECTURE = '''
"""A running mean of what came before and after."""

from suite.contracts import Architecture, Form, Inputs


class Mean(Architecture):
    version = 1
    title = "Mean"
    paper = "none"
    forms = frozenset({Form.ENCODER})
    inputs = frozenset({Inputs.EMBEDDINGS})
    claimed_time = "n"
    claimed_memory = "n"

    def assemble(self, request):
        import keras
        from keras import ops

        class Backbone(keras.layers.Layer):
            def __init__(self):
                super().__init__()
                self.mix = keras.layers.Dense(request.model_size.width, "gelu")

            def encode(self, inputs, padding_mask=None, state=None, global_mask=None,
                       training=None):
                real = ops.cast(padding_mask, inputs.dtype)[:, :, None]
                mean = ops.sum(inputs * real, axis=1, keepdims=True) / ops.sum(
                    real, axis=1, keepdims=True
                )
                return inputs + self.mix(inputs + mean), None

        return Backbone()


ARCHITECTURE = Mean()
'''

TASK = '''
"""Is a position's number larger than the mean of all?"""

from suite.contracts import (
    Examples, Form, Inputs, Metric, Recipe, Score, Source, Task, TaskData,
)


class Larger(Task):
    version = 1
    title = "Larger than the mean"
    summary = "compares each number with the mean of all"
    form = Form.ENCODER
    inputs = Inputs.EMBEDDINGS
    position = "a number"
    default_lengths = (16, 32)
    primary_metric = Metric("accuracy")
    default_source = "synthetic"
    sources = {"synthetic": Source("drawn", "CC0", "none", redistributable=True)}
    recipe = Recipe(learning_rate=3e-3)

    def inspect(self, request, options):
        return "1"

    def load(self, request, sequence_length, options):
        import numpy as np

        def draw(seed):
            values = np.random.default_rng(seed).normal(size=(256, sequence_length))
            mask = np.ones(values.shape, bool)
            return Examples(
                {"values": values.astype("float32"), "padding_mask": mask},
                {"labels": (values > values.mean(axis=1, keepdims=True)).astype("int32")},
            )

        return TaskData(draw(0), draw(1), draw(2), spec={}, facts={"fingerprint": "larger"})

    def build_embedding(self, spec, width):
        import keras

        class Embed(keras.layers.Layer):
            def __init__(self):
                super().__init__()
                self.dense = keras.layers.Dense(width)

            def call(self, features, training=None):
                return self.dense(features["values"][:, :, None])

        return Embed()

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


TASK = Larger()
'''


def test_two_files_are_enough(bench, tmp_path):
    folder = tmp_path / "mine"
    for kind, name, content in (
        ("baselines", "mean", ARCHITECTURE),
        ("tasks", "larger", TASK),
    ):
        (folder / kind).mkdir(parents=True)
        (folder / kind / f"{name}.py").write_text(content)
    listing = json.loads(bench("list", "--json", BENCH_PATH=str(folder)).stdout)
    supported = {name for name, reason in listing["supports"]["larger"].items() if reason is None}
    assert {"mean", "vanilla", "longformer"} <= supported
    arguments = ("run", "--task", "larger,ner", "--architectures", "mean", "--preset", "smoke")
    result = bench(*arguments, "--no-tracking", BENCH_PATH=str(folder))
    assert result.returncode == 0, result.stderr
    assert "test accuracy" in result.stdout and "test entity_f1" in result.stdout
    report = json.loads(bench("report", "--json", BENCH_PATH=str(folder)).stdout)
    scores = {table["title"].split()[0]: table["rows"][0]["figures"] for table in report}
    assert scores["larger"]["test.accuracy"]["mean"] > 0.8
    assert scores["ner"]["test.entity_f1"]["n"] == 1
