"""A task with a known best learning rate: walk a distance in the steps of a training.

The only weight moves by about the learning rate in each step of AdamW, all in one direction. The
score is best where the weight has moved by `target`. Beyond `limit` the loss is not a number.
"""

from suite.api import Metric, Recipe, Score, TaskData

from .parity import Parity


class Distance(Parity):
    title = "Distance"
    primary_metric = Metric("closeness")
    recipe = Recipe(learning_rate=1e-3, weight_decay=0.0)
    options = {"digested": True, "target": 1.0, "limit": 1e9}

    def load(self, request, sequence_length, options):
        data = super().load(request, sequence_length, options)
        spec = {**data.spec, "target": options["target"], "limit": options["limit"]}
        return TaskData(data.train, data.validation, data.test, spec, data.facts)

    def build_head(self, spec):
        import keras
        from keras import ops

        class Head(keras.layers.Layer):
            def build(self, input_shape):
                self.distance = self.add_weight((), "zeros", name="bias")

            def call(self, hidden_states, features):
                moved = self.distance + 0.0 * ops.mean(hidden_states, axis=-1, keepdims=True)
                return ops.where(moved > spec["limit"], float("nan"), moved)

        return Head()

    def loss(self, outputs, targets, features):
        from keras import ops

        return -ops.mean(outputs)

    def predict(self, outputs, targets, features):
        return outputs[..., 0]

    def score(self, examples, predictions, spec):
        import numpy as np

        distance = max(float(np.mean(predictions)), 1e-9)
        return Score({"closeness": 1.0 - abs(float(np.log10(distance / spec["target"])))})


TASK = Distance()
