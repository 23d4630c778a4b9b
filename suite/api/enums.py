"""Fixed vocabularies: forms, inputs, modes, tracks and statuses."""

from __future__ import annotations

from enum import StrEnum


class Form(StrEnum):
    """The kind of model that a task needs from an architecture."""

    ENCODER = "encoder"
    DECODER = "decoder"
    ENCODER_DECODER = "encoder_decoder"


class Inputs(StrEnum):
    """The kind of input that an architecture takes."""

    TOKEN_IDS = "token_ids"
    PATCHES = "patches"
    EMBEDDINGS = "embeddings"


class Part(StrEnum):
    """A part of a backbone that methods change or read."""

    HEADS = "heads"
    UNITS = "units"
    ADAPTERS = "adapters"
    PREFIX = "prefix"
    TABLE = "table"
    EMBEDDED = "embedded"

    @property
    def text(self) -> str:
        """The description of the part in messages."""
        return {
            Part.HEADS: "attention heads that can be removed",
            Part.UNITS: "feed-forward units that can be removed",
            Part.ADAPTERS: "sub-layers that take adapters",
            Part.PREFIX: "a place for vectors before the embedded input",
            Part.TABLE: "a table of tokens that heads can share",
            Part.EMBEDDED: "embedded tokens that can be moved",
        }[self]


class Mode(StrEnum):
    """`train` learns, scores and measures; the others only measure, on random tokens.

    `probe` measures whole passes; `decode` measures prefill and token-by-token generation.
    """

    TRAIN = "train"
    PROBE = "probe"
    DECODE = "decode"


class Track(StrEnum):
    """The rules that a cell keeps.

    `standard` follows all rules of protocol 3: only the backbone mixes positions, and all entries
    train alike. `open` has an option that breaks a rule. The two tracks are ranked separately.
    """

    STANDARD = "standard"
    OPEN = "open"


class Status(StrEnum):
    """The outcome of a cell. Cells of the last two statuses did not run; a reason says why."""

    OK = "ok"
    FAILED = "failed"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    DIVERGED = "diverged"
    INTERRUPTED = "interrupted"
    UNSUPPORTED = "unsupported"
    SKIPPED = "skipped"
