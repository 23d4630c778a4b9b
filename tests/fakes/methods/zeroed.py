"""A method that sets all weights of a trained model to zero."""

from suite.api import Method, Stage


class Zeroed(Method):
    version = 1
    title = "Zeroed"
    summary = "forgets everything"
    paper = "none"
    stage = Stage.COMPRESS

    def compress(self, model, context):
        model.set_weights([0 * weight for weight in model.get_weights()])
        return model

    def facts(self, model, context):
        return {"largest_weight": max(float(abs(one).max()) for one in model.get_weights())}


METHOD = Zeroed()
