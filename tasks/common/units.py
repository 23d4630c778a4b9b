"""The option `units`: which tokenizer a task has. Planning checks the option alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from suite.api import RequestError, SourceRequest
from tasks.common.options import check_range
from tasks.common.preset_tokenizer import PresetTokenizer, check_preset
from tasks.common.subwords import SubwordTokenizer, learn_subwords
from tasks.common.tokenization import ByteTokenizer, CharacterTokenizer, Purpose, Tokenizer

UNITS = ("subwords", "bytes", "characters", "preset")
MIN_VOCABULARY = 100


def build_tokenizer(
    options: Mapping[str, Any],
    train_texts: Sequence[str],
    request: SourceRequest,
    purpose: Purpose = Purpose.WRITE,
) -> Tokenizer:
    """Return the tokenizer of the option `units`.

    Characters and subwords are learned from the training split; `purpose` concerns subwords.
    """
    units = options["units"]
    if units == "bytes":
        return ByteTokenizer()
    if units == "characters":
        return CharacterTokenizer(train_texts)
    if units == "preset":
        return PresetTokenizer(options["preset"])
    return learn_subwords(train_texts, options["vocabulary"], request, purpose)


def describe_tokenizer(tokenizer: Tokenizer, options: Mapping[str, Any]) -> dict[str, str]:
    """Return what `tokenizer_of` needs, as JSON values for a task's spec."""
    return {"units": options.get("units", "subwords"), "state": tokenizer.state()}


def tokenizer_of(described: Mapping[str, str]) -> Tokenizer:
    """Return the tokenizer that `describe_tokenizer` described."""
    units, state = described["units"], described["state"]
    if units == "bytes":
        return ByteTokenizer()
    if units == "characters":
        return CharacterTokenizer([state])
    if units == "preset":
        return PresetTokenizer(state)
    return SubwordTokenizer.from_json(state)


def check_tokenizer_options(options: Mapping[str, Any]) -> None:
    """Check the options `vocabulary`, and `units` and `preset` if the task has them.

    Raises:
        RequestError: the units are unknown, the vocabulary is smaller than `MIN_VOCABULARY`, or
            there is no preset for units=preset, or one for other units.
    """
    units, preset = options.get("units", "subwords"), options.get("preset", "")
    if units not in UNITS:
        raise RequestError(
            f"The option 'units' must be one of {', '.join(UNITS)}", received=repr(units)
        )
    if units == "preset":
        check_preset(preset)
    elif preset:
        raise RequestError(
            "The option 'preset' needs units=preset: a preset knows the ids of its own tokens",
            received=f"preset={preset} and units={units}",
            remedy="Add --option units=preset",
        )
    check_range(options, "vocabulary", MIN_VOCABULARY)
