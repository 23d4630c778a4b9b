"""The models of a length card: registered architectures, and models that somebody gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from suite.actions.caller import read_registry
from suite.actions.request import make_request
from suite.api import PRECISIONS, Form, Mode, RequestError, dtype_policy
from suite.api.plugins import search_path_from_environment
from suite.execution.given_models import FUNCTION, HUGGINGFACE, Describe, GivenPlugin, make_plugin
from suite.matrix.registry import Registry
from suite.matrix.request import Request
from suite.records.model_sizes import find_model_size, size_of_parameters
from suite.records.naming import entry_name
from suite.records.store import Store
from suite.search.frontier import LONGEST
from suite.search.length_card import MOST_PAIRED_ROUNDS, Subject, needs_of_reach

DEFAULT_SIZE = "small"
REFERENCES: Sequence[tuple[str, Mapping[str, str]]] = (
    ("vanilla", {"positions": "rotary"}),
    ("gated_deltanet", {}),
)
"""The architectures that a model is compared with, and their options."""
FORMS = (Form.DECODER, Form.ENCODER, Form.ENCODER_DECODER)
"""The forms in the order in which one is chosen."""


@dataclass
class CardModels:
    """Finds what is measured: `settings` are those of all requests, `form` was asked for.

    `search_path` gets the plug-ins of given models, and `given` holds them by the text that names
    the model: a model compared with itself has one. `describe` finds out their facts.
    """

    store: Store
    settings: Mapping[str, Any]
    form: str | None
    up_to: int
    describe: Describe
    search_path: list[str] = field(default_factory=lambda: [*search_path_from_environment()])
    registry: Registry = field(default_factory=read_registry)
    given: dict[str, GivenPlugin] = field(default_factory=dict)

    def find(
        self,
        model: str,
        kind: str | None,
        options: Mapping[str, Any],
        size: str | None = None,
        *,
        form: str | None = None,
        trains: bool = False,
    ) -> Subject:
        """Return what is measured of a model; with `trains`, one that can be trained on tasks.

        An architecture has the `size` and the form that was asked for, or else `form` if it can.

        Raises:
            RequestError: there is no such model, or it cannot be measured as it was asked for.
        """
        if kind is None:
            request = self._request(size or DEFAULT_SIZE, options)
            forms = self.registry.architectures.get(model).forms
            preferred = [each for each in (form, *FORMS) if each in forms]
            return _subject(model, request, self.form or str(preferred[0]))
        if size or options:
            raise RequestError(
                "A model of a file or folder has its own size and no options", received=model
            )
        if self.form == Form.ENCODER_DECODER:
            raise RequestError(
                "A model of a file or folder is an encoder or a decoder",
                received=f"--form {self.form}",
            )
        plugin = self._plugin(model, kind)
        longest = plugin.facts["longest"]
        if longest is not None and self.up_to != LONGEST and self.up_to > longest:
            raise RequestError(
                f"The model has {longest} positions",
                received=f"--up-to {self.up_to}",
                remedy=f"Give --up-to {longest} or less",
            )
        _check_precision(kind, plugin.facts["precision"], str(self.settings["precision"]))
        if trains and (reason := _untrainable_reason(kind, plugin.facts, self.registry)):
            raise RequestError("--quality trains a model of Keras on tokens", received=reason)
        request = self._request(size_of_parameters(plugin.facts["mixing"]), {})
        return _subject(plugin.name, request, plugin.facts["form"], longest)

    def find_other(self, model: str, kind: str | None, subject: Subject) -> Subject:
        """Return another model to compare with; an architecture gets the subject's size and form.

        Its rounds are others than those of the subject, which may be the same model.

        Raises:
            RequestError: as for `find`.
        """
        request = subject.request
        size = request.model_size if kind is None else None
        other = self.find(model, kind, {}, size, form=request.form)
        return replace(other, first_round=MOST_PAIRED_ROUNDS)

    def decoding_of(self, model: str) -> dict[str, str]:
        """Return how a given decoder generates, as a fact of its card."""
        facts = self.given[model].facts if model in self.given else {}
        if facts.get("form") != Form.DECODER:
            return {}
        how = "reads the cache" if facts["caches"] else "computes all positions again"
        return {"each generated token": how}

    def _plugin(self, model: str, kind: str) -> GivenPlugin:
        if model not in self.given:
            names = (plugin.name for plugin in self.given.values())
            known = self.registry.architectures
            taken = {*known.plugins, *known.broken, *names}
            self.given[model] = make_plugin(
                model, kind, self.form, self.store, taken, self.describe
            )
            self.search_path.append(str(self.given[model].folder))
        return self.given[model]

    def references(self, subject: Subject) -> list[Subject]:
        """Return the architectures that a model is compared with, without the model itself."""
        found = []
        for name, options in REFERENCES:
            request = replace(subject.request, options=options)
            found.append(_subject(name, request, str(request.form)))
        return [other for other in found if other.name != subject.name]

    def _request(self, size: str, options: Mapping[str, Any]) -> Request:
        return make_request({**self.settings, "model_size": size, "options": dict(options)})


def _subject(name: str, request: Request, form: str, longest: int | None = None) -> Subject:
    modes = (Mode.PROBE,) if form == Form.ENCODER else (Mode.PROBE, Mode.DECODE)
    request = replace(request, architectures=(name,), form=form)
    return Subject(entry_name(name, request.options), request, modes, longest)


def size_name(
    model_size: str | None, layers: int | None, width: int | None, heads: int | None
) -> str | None:
    """Return the name of the size that was asked for, if any was.

    Raises:
        RequestError: layers, width and heads are incomplete, below 1, or beside a model size.
    """
    parts = {"layers": layers, "width": width, "heads": heads}
    given = [name for name, value in parts.items() if value is not None]
    if not given:
        return None if model_size is None else find_model_size(model_size).name
    if len(given) < len(parts) or model_size:
        raise RequestError(
            "A size is a model size, or layers, width and heads together",
            received=", ".join([*(["a model size"] if model_size else []), *given]),
        )
    if any(value < 1 for value in parts.values() if value is not None):
        raise RequestError(
            "A size has at least 1 layer, width 1 and 1 head",
            received=", ".join(f"{name} {value}" for name, value in parts.items()),
        )
    return find_model_size("x".join(map(str, parts.values()))).name


def _check_precision(kind: str, own: str, asked: str) -> None:
    """Check that a given model computes in the precision that its card states.

    A function may leave the precision to the card.

    Raises:
        RequestError: it computes in another one.
    """
    follows = kind == FUNCTION and own == PRECISIONS[0]
    if own != dtype_policy(asked) and not follows:
        raise RequestError(
            f"The model computes in {own}",
            received=f"--precision {asked}",
            remedy=f"Give --precision {own}"
            if own in PRECISIONS
            else f"Give a model in one of {', '.join(PRECISIONS)}",
        )


def _untrainable_reason(kind: str, facts: Mapping[str, Any], registry: Registry) -> str | None:
    """Return why a given model cannot be trained on the tasks of `reach`, or None."""
    if kind == HUGGINGFACE:
        return "a model of Hugging Face"
    if not facts["trainable"]:
        return "a model without trainable weights"
    if facts["pooled"]:
        return "a model with one output for the whole sequence"
    symbols, positions = needs_of_reach(registry)
    if not facts["width"] and facts["vocabulary"] < symbols:
        return f"a vocabulary of {facts['vocabulary']}; the tasks have {symbols} symbols"
    longest = facts["longest"]
    if longest is not None and longest < positions:
        return f"{longest} positions; the tasks have {positions}"
    return None
