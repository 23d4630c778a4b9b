"""A cell: one point of a matrix with the methods that it applies, and its identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from suite.api.enums import Form, Mode
from suite.api.options import BACKENDS, PRECISIONS, Options, size_label

CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)
"""Writes the fields of a cell for the hash. `json.dumps` would make it again for every record."""
UNHASHED = ("evaluation_lengths", "methods")
"""The fields that are no part of the id, or only where they are not empty."""
PROTOCOL = 3
"""The version of the rules for training and measuring. A change of results raises it."""


class Stage(StrEnum):
    """The stage of a cell in which a method acts; methods are applied in the order of stages.

    `prepare` sets initial weights, `train` changes training, `compress` changes the trained model,
    `evaluate` scores disturbed examples.
    """

    PREPARE = "prepare"
    TRAIN = "train"
    COMPRESS = "compress"
    EVALUATE = "evaluate"

    @property
    def trains(self) -> bool:
        """Whether methods of this stage need a training of their own."""
        return self in (Stage.PREPARE, Stage.TRAIN)


@dataclass(frozen=True, slots=True)
class AppliedMethod:
    """A method of a cell, with the options that differ from the method's defaults.

    The stage is that of the method, so that records tell what was trained and what came after.
    """

    name: str
    version: int
    options: Options = field(default_factory=dict)
    stage: Stage = Stage.TRAIN

    @property
    def text(self) -> str:
        """The method as the command line takes it, such as "lora:rank=8"."""
        options = ",".join(f"{name}={_text(value)}" for name, value in sorted(self.options.items()))
        return f"{self.name}:{options}" if options else self.name


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of the matrix. Its id is a hash of its fields and the protocol.

    `options` holds only values that differ from the defaults: a new option with a neutral default
    does not change the ids of earlier cells. A changed default raises `*_version`. `steps` is the
    number of updates of a training. `benchmark` is the label of the frozen benchmark whose settings
    the cell has, such as "core-1"; None for a trial and for any other run. `scores_test` says
    whether the test split is read: other trainings score only validation. `evaluation_lengths` are
    the lengths at which the trained model is scored as well. They are no part of the id, because
    the training and its other scores are the same: a cell has one valid record, with all of its
    lengths. In a probe or a decoding, `steps` is 0, and `task`, `task_version` and `source` are
    None. The `sequence_length` of a decoding is its context: the tokens before the first generated
    one. `methods` are in the order in which they are applied. Without methods, the id is that of
    versions which had no methods.
    """

    mode: Mode
    task: str | None
    form: Form
    source: str | None
    options: Options
    architecture: str
    task_version: int | None
    architecture_version: int
    sequence_length: int
    batch_size: int
    model_size: str
    steps: int
    precision: str
    backend: str
    threads: int
    seed: int
    round: int = 0
    benchmark: str | None = None
    scores_test: bool = False
    evaluation_lengths: tuple[int, ...] = ()
    methods: tuple[AppliedMethod, ...] = ()

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits: a hash of the protocol and all but the evaluation lengths."""
        fields = {name: getattr(self, name) for name in HASHED}
        fields["protocol"] = PROTOCOL
        if self.methods:
            fields["methods"] = [asdict(method) for method in self.methods]
        return hashlib.sha256(CANONICAL.encode(fields).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values; options are not copied."""
        # asdict would copy deeply, which takes ten times as long.
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**fields, "methods": tuple(asdict(method) for method in self.methods)}

    @property
    def source_kind(self) -> str:
        """The part of the source before the colon, its key in the task's sources; "" in a probe."""
        return (self.source or "").partition(":")[0]

    def label_of(self, entry: str, data: str = "") -> str:
        """Return a short name for display with the name of the cell's entry.

        `data` are the options of the task, as text.
        """
        task = f"{self.task} ({data})" if data else self.task
        length, size = str(self.sequence_length), size_label(self.model_size)
        parts = [task or str(self.mode), entry, length, size]
        parts += [self.backend] if self.backend != BACKENDS[0] else []
        parts += [self.precision] if self.precision != PRECISIONS[0] else []
        parts += [f"seed {self.seed}"] if self.mode is Mode.TRAIN else [f"round {self.round}"]
        return " · ".join(filter(None, parts))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Cell:
        """Rebuild a cell from its plain fields, as a record or a job file holds them."""
        cell = cls(**fields)
        return replace(
            cell,
            mode=Mode(cell.mode),
            form=Form(cell.form),
            options=dict(cell.options),
            evaluation_lengths=tuple(cell.evaluation_lengths),
            methods=tuple(
                AppliedMethod(**{**method, "stage": Stage(method["stage"])})
                for method in fields.get("methods", ())
            ),
        )


HASHED = [name for name in Cell.__dataclass_fields__ if name not in UNHASHED]


PREFIXES = ("/", "./", "../", "~")


class LocalPath(str):
    """The name of a file or a folder of this machine; `path` says where it lies."""

    __slots__ = ("path",)
    path: str

    @classmethod
    def of(cls, path: str) -> LocalPath:
        """Return the name of a path."""
        whole = Path(path).expanduser().absolute()
        named = cls(whole.name)
        named.path = str(whole)
        return named

    @classmethod
    def is_path(cls, value: object) -> bool:
        """Whether the value of an option says where a file or a folder lies."""
        if not isinstance(value, str):
            return False
        with suppress(OSError):  # too long a name
            return value.startswith(PREFIXES) or ("/" in value and Path(value).exists())
        return False


def local_paths(options: Options) -> dict[str, str]:
    """Return the paths among options, by name."""
    return {name: value.path for name, value in options.items() if isinstance(value, LocalPath)}


def without_local_paths(text: str, methods: Iterable[AppliedMethod]) -> str:
    """Return a text with the names of the paths among the options of methods in their place."""
    for method in methods:
        for path in local_paths(method.options).values():
            for form in (path, json.dumps(path)[1:-1]):  # the text may be JSON
                text = text.replace(form, Path(path).name)
    return text
