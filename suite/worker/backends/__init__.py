"""The backend of Keras: one file for each, with the same functions.

| name | meaning |
|---|---|
| `AdamW` | the optimizer's class |
| `make_training_step`, `make_prediction_step` | as in `suite.worker.steps` |
| `compile_with_weights` | compiles a function that reads a model's weights without changing them |
| `value_and_gradient` | the value of a scalar function at a tensor, and its gradient there |
| `HeldState` | a state on the device, which the functions that it compiles change in place |
| `prepare_processor`, `multiply_float32` | settings of the library |
| `KEEPS_FREED_MEMORY` | whether steps are faster on a processor that keeps freed memory |
| `devices`, `allocator` | the devices, and the memory counters of the first accelerator |
| `share_work` | splits every batch over several devices (JAX alone) |
"""

from __future__ import annotations

import importlib
from typing import Any

import keras

backend: Any = importlib.import_module(f"suite.worker.backends.{keras.backend.backend()}")
"""The module of the backend that Keras runs on."""
