"""The architecture of a model that somebody gives: a file, a function, a preset or a folder.

`bench card` writes a plug-in that binds such an architecture, so that a given model is measured as
every other. The facts about the model are those of `describe_model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs


class GivenModel(Architecture):
    """A model with a size and inputs of its own, whose outputs are the scores of a probe.

    `location` is the kind of the model and its place. `facts` say which inputs the model has.
    `digest` is that of its file: another one is another code, whose costs are measured anew.
    """

    version = 1
    paper = "none"
    claimed_time = "unknown"
    claimed_memory = "unknown"
    inputs = frozenset({Inputs.TOKEN_IDS})
    probe_only = True
    own_size = True

    def __init__(
        self, title: str, location: tuple[str, str], facts: Mapping[str, Any], digest: str
    ) -> None:
        self.title = title
        self.location = location
        self.facts = facts
        self.digest = digest
        self.takes_padding_mask = any(role == "mask" for role, _ in facts["inputs"].values())
        self.forms = frozenset({Form(facts["form"])})

    def unsupported_reason(self, request: BuildRequest) -> str | None:
        """Return why the model does not take the length of a request, or None if it does."""
        longest = self.facts["longest"]
        if longest is not None and request.sequence_length > longest:
            return f"has {longest} positions; received: {request.sequence_length}"
        return None

    def import_libraries(self) -> None:
        """Import the library of a model, which takes more memory than a small model."""
        kind, place = self.location
        if kind == "huggingface":
            from baselines.layers.huggingface_model import import_modules

            import_modules(place)
        elif kind == "preset":
            import keras_hub  # noqa: F401

    def assemble(self, request: BuildRequest) -> Any:
        """Load the model."""
        from baselines.layers.given_backbone import GivenBackbone, load_model

        return GivenBackbone(load_model(*self.location), self.facts)
