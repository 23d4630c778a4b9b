"""One side of one case in its own process: reads commands, answers each with a line of JSON.

python -m tests.peers.side ours bert-512 training
→ {"ready": true};  "run 3" → {"seconds": [...]};  "memory" → {"peak_bytes": ...}
"""

from __future__ import annotations

import importlib
import sys
import time
from typing import Any

import numpy as np

from suite.api import Form
from suite.worker.measure.memory import PeakMemory
from tests.peers.answers import Say, redirect_output
from tests.peers.cases import (
    CASES,
    GENERATIONS,
    IMAGE_SIZE,
    PATCH_SIZE,
    SIDES,
    VOCABULARY_SIZE,
    Case,
)

WARMUP_STEPS = 2


def data(case: Case) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return random features and two-class labels of a batch, the same for both sides."""
    generator = np.random.default_rng(0)
    shape = (case.batch_size, case.sequence_length)
    if case.architecture == "vit":
        assert case.sequence_length == (IMAGE_SIZE // PATCH_SIZE) ** 2
        patches = generator.random((*shape, PATCH_SIZE**2 * 3), dtype=np.float32)
        # Without padding, ours still needs a mask.
        labels = generator.integers(2, size=case.batch_size, dtype=np.int32)
        return {"patches": patches, "padding_mask": np.ones(shape, bool)}, labels
    token_ids = generator.integers(VOCABULARY_SIZE, size=shape, dtype=np.int32)
    features = {"token_ids": token_ids, "padding_mask": np.ones(shape, bool)}
    if case.architecture == "longformer":
        features["global_mask"] = np.arange(shape[1])[None, :] == np.zeros((shape[0], 1))
    if case.form is Form.ENCODER_DECODER:
        features["target_ids"] = generator.integers(VOCABULARY_SIZE, size=shape, dtype=np.int32)
    return features, generator.integers(2, size=shape, dtype=np.int32)


def serve(side: str, case: Case, mode: str, say: Say) -> None:
    """Build and warm up the model, then answer commands until the input ends."""
    name, options = SIDES[side]
    module = importlib.import_module(name)
    if mode == "generation":
        context = data(case)[0]["token_ids"][:1]
        _answer_timings(module.make_generation(case, context), say)
        return
    memory = PeakMemory()
    predict, train = module.make(case, *data(case), **options)
    memory.start()
    step = train if mode == "training" else predict
    for _ in range(WARMUP_STEPS):
        step()
    memory.end_compilation()
    say({"ready": True})
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "run":
            say({"seconds": [_timed(step) for _ in range(int(arguments[0]))]})
        elif command == "memory":
            memory.update()
            say({"peak_bytes": memory.highest_bytes})


def _answer_timings(seconds: Any, say: Say) -> None:
    """Answer commands by calls that return their own seconds."""
    seconds()
    say({"ready": True})
    for line in sys.stdin:
        say({"seconds": [seconds() for _ in range(int(line.split()[1]))]})


def _timed(step: Any) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


if __name__ == "__main__":
    serve(sys.argv[1], {**CASES, **GENERATIONS}[sys.argv[2]], sys.argv[3], redirect_output())
