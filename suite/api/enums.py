"""Fixed vocabularies: forms, inputs, modes and statuses."""

from __future__ import annotations

from enum import StrEnum


class Form(StrEnum):
    """What a task needs of an architecture."""

    ENCODER = "encoder"
    DECODER = "decoder"
    ENCODER_DECODER = "encoder_decoder"


class Inputs(StrEnum):
    """What an architecture is fed."""

    TOKEN_IDS = "token_ids"
    PATCHES = "patches"
    EMBEDDINGS = "embeddings"


class Mode(StrEnum):
    """`train` learns and scores, measuring on the way; `probe` only measures, on random input."""

    TRAIN = "train"
    PROBE = "probe"


class Status(StrEnum):
    """What became of a cell. The last two were not run, and say why."""

    OK = "ok"
    FAILED = "failed"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    DIVERGED = "diverged"
    INTERRUPTED = "interrupted"
    UNSUPPORTED = "unsupported"
    SKIPPED = "skipped"
