"""A method that needs a teacher, and starts as the teacher is."""

from dataclasses import replace

from suite.api import Method, Stage


class Taught(Method):
    version = 1
    title = "Taught"
    summary = "starts with the head of a teacher"
    paper = "none"
    stage = Stage.PREPARE
    options = {"teacher": "brisk"}

    def needs(self, cell, options):
        return {"teacher": replace(cell, architecture=options["teacher"], methods=(), steps=2)}

    def initialize(self, model, context):
        model.head.set_weights(context.parents["teacher"]().head.get_weights())


METHOD = Taught()
