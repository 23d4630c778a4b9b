"""Fails where a short pass with padding on the right cannot see it.

The encoder mixes the batch from position 64 and from the fourth example on, and in training it
leaks padding on the left. The decoder looks ahead from position 64 on.
"""

from ._sound import Sound, backbone_class


class FailsFarOut(Sound):
    def assemble(self, request):
        from keras import ops

        class Backbone(backbone_class()):
            def encode(self, inputs, padding_mask=None, training=None, **given):
                states, state = super().encode(
                    inputs, padding_mask=padding_mask, training=training, **given
                )
                real = self.real_positions(padding_mask, states)
                if training:
                    left = ops.cast(ops.equal(ops.cumsum(real, axis=1), 0), states.dtype)
                    embedded = self.embed(inputs)
                    states = states + 0.1 * ops.sum(embedded * left, axis=1, keepdims=True)
                batch, length = inputs.shape[:2]
                is_far = (ops.arange(length) >= 64) | (ops.arange(batch)[:, None] >= 3)
                mean = ops.mean(states * real, axis=0, keepdims=True)
                return states + ops.cast(is_far, states.dtype)[:, :, None] * mean, state

            def mean_so_far(self, states, real):
                mean = super().mean_so_far(states, real)
                is_far = (ops.arange(states.shape[1]) >= 64)[None, :, None]
                return ops.where(is_far, mean[:, -1:], mean)

        return Backbone(request)


ARCHITECTURE = FailsFarOut()
