"""Measures the processor time and the memory of one step of an architecture, in its own process.

One thread computes: two threads on a busy core wait for each other, and the time then grows faster
than the work.

python -m tests.costs longformer encoder training 1024 16384 small 4
→ {"seconds": …, "peak_bytes": …}: length 1,024, 16,384 tokens per batch, 4 layers
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

THREADS = "1"
REPEATS = 3


def measure(
    architecture: str, form: str, mode: str, length: int, tokens: int, size: str, num_layers: int
) -> dict[str, Any]:
    """Start the process and return its measurements."""
    command = [sys.executable, "-m", "tests.costs", architecture, form, mode]
    command += [str(length), str(tokens), size, str(num_layers)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def main(
    name: str, form_name: str, mode: str, length: int, tokens: int, size: str, num_layers: int
) -> dict[str, Any]:
    """Measure in this process and return the results."""
    from keras import ops

    from suite.api import PROBE_VOCABULARY_SIZE, BuildRequest, Form, Inputs, Recipe
    from suite.api.plugins import ARCHITECTURES, find_plugin
    from suite.records.model_sizes import MODEL_SIZES
    from suite.worker.measure import warmup
    from suite.worker.measure.memory import PeakMemory
    from suite.worker.model import Model, PositionHead, mean_cross_entropy
    from suite.worker.random_tokens import random_batch
    from suite.worker.steps import make_optimizer, make_prediction_step, make_training_step

    architecture = find_plugin(ARCHITECTURES, name)
    form = Form(form_name)
    request = BuildRequest(
        form,
        Inputs.TOKEN_IDS,
        dataclasses.replace(MODEL_SIZES[size], num_layers=num_layers),
        length,
        dict(architecture.options),
        vocabulary_size=PROBE_VOCABULARY_SIZE,
    )
    batch = random_batch(max(1, tokens // length), length, 0, form)
    warmup.throwaway_step(False)
    memory = PeakMemory()
    memory.start()
    model = Model(None, architecture.build(request), PositionHead(2), form)
    if mode == "training":
        train = make_training_step(
            model, mean_cross_entropy, make_optimizer(Recipe(), 10**9), False
        )

        def step() -> Any:
            return float(train(batch))
    else:
        predict = make_prediction_step(model, lambda outputs, *_: ops.argmax(outputs, -1), False)

        def step() -> Any:
            return predict(batch)

    step()
    memory.end_compilation()
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        step()
        seconds.append(time.process_time() - started)
    memory.update()
    return {"seconds": statistics.median(seconds), "peak_bytes": memory.highest_bytes}


if __name__ == "__main__":
    for variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(variable, THREADS)
    name, form, mode, *numbers, size, num_layers = sys.argv[1:]
    print(json.dumps(main(name, form, mode, *map(int, numbers), size, int(num_layers))))
