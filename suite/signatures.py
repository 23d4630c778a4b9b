"""The types of the keyword arguments of `suite`; importing them imports nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

Path = str | os.PathLike[str]
Names = str | Sequence[str]
Numbers = int | Sequence[int]


class RequestKeywords(TypedDict, total=False):
    """The keyword arguments that name a matrix. Without one, the benchmark decides.

    A name or a list of names: `tasks`, `architectures`, `backends`, `precisions`; a whole number or
    a list of them: `lengths`, `evaluation_lengths`, `seeds`. Each may be written in the singular.
    `mode` is "train" (learn and score), "probe" (measure costs on random tokens) or "decode"
    (measure token-by-token generation). `data` is a source such as "synthetic", "tfds" or
    "files:FOLDER". `options` maps names of options to values. `steps` is the number of updates.
    `test` scores the test split outside a frozen benchmark too. `methods` are sets of methods to
    compare: "none;lora:rank=4", or a list of such sets.
    `home` is the folder of the records: by default BENCH_HOME, or results/local.
    """

    task: Names | None
    tasks: Names | None
    architecture: Names | None
    architectures: Names | None
    length: Numbers | None
    lengths: Numbers | None
    evaluation_length: Numbers | None
    evaluation_lengths: Numbers | None
    seed: Numbers | None
    seeds: Numbers | None
    benchmark: str | None
    mode: str | None
    model_size: str | None
    data: str | None
    download: bool
    tfds_data_dir: Path | None
    options: Mapping[str, Any] | None
    batch_size: int | None
    steps: int | None
    test: bool
    rounds: int | None
    form: str | None
    backend: Names | None
    backends: Names | None
    precision: Names | None
    precisions: Names | None
    threads: int | None
    methods: Names | None
    home: Path | None


class RunKeywords(RequestKeywords, total=False):
    """The keyword arguments of a run: those of a matrix, and how its cells run.

    `retry` holds statuses whose cells run again, or "noisy". `rerun` runs all cells again, or, if
    it is "changed", the trainings whose code has changed.
    `time_limit` (seconds) and `memory_limit` ("8GiB") bound each cell. `stop_after` ("150m") starts
    no cell that is not expected to end by then. `parallel` is the number of cells that run at once.
    `executor` is "local" or "ray"; `address` and `gpus` are of a Ray cluster. `tracking=False`
    leaves MLflow out. `keep_weights` keeps the weights of every trained model for `load_model`; a
    done cell whose weights are missing runs again.
    """

    retry: Names | None
    rerun: bool | Literal["changed"]
    time_limit: float | None
    memory_limit: str | None
    stop_after: str | None
    parallel: int | None
    executor: str
    address: str | None
    gpus: float
    tracking: bool
    keep_weights: bool
