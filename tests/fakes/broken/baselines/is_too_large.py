"""Has layers twice as wide as the feed-forward network of `vanilla`."""

from dataclasses import replace

from suite.api import Form

from ._sound import Sound, backbone_class


class IsTooLarge(Sound):
    forms = frozenset({Form.ENCODER})

    def assemble(self, request):
        size = request.model_size
        wider = replace(size, feedforward_width=2 * size.feedforward_width)
        return backbone_class()(replace(request, model_size=wider))


ARCHITECTURE = IsTooLarge()
