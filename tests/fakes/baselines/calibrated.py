"""Uses a given time and memory per pass, to validate the measurements.

At length n a forward pass takes `seconds` and holds `mebibytes`, both times (n / 1024) ** power,
and times log(n) / log(1024) with `logarithmic`. Filling memory takes time too: about 13 ms for 72
MiB, sometimes twice that. The `seconds` include it if they are more.
"""

import math
import time

from suite.api import BuildRequest

from ._fake import Fake


class Calibrated(Fake):
    options = {"seconds": 0.0, "mebibytes": 0.0, "power": 1.0, "logarithmic": False}
    claimed_time = "n"
    claimed_memory = "n"

    def mixing_operations(self, request: BuildRequest) -> float:
        return 1e6 * request.sequence_length

    def assemble(self, request):
        import numpy as np
        import tensorflow as tf

        backbone = super().assemble(request)
        options, n = request.options, request.sequence_length / 1024
        slower = math.log(request.sequence_length) / math.log(1024)
        growth = n ** options["power"] * (slower if options["logarithmic"] else 1.0)

        def cost():
            ends = time.perf_counter() + options["seconds"] * growth
            held = np.ones(round(options["mebibytes"] * growth * 2**17))  # float64
            nothing = np.float32(0 * held.size)
            del held  # freeing memory takes time too
            time.sleep(max(0.0, ends - time.perf_counter()))
            return nothing

        encode = backbone.encode

        def costly(inputs, **given):
            hidden_states, state = encode(inputs, **given)
            nothing = tf.ensure_shape(tf.numpy_function(cost, [], tf.float32), ())
            return hidden_states + nothing, state

        backbone.encode = costly
        return backbone


ARCHITECTURE = Calibrated()
