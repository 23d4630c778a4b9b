"""The hooks of a task for raw text: encode it, read predictions, and disturb encoded words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from suite.api.data import Examples
from suite.api.errors import Unsupported
from suite.api.options import Options

ChangeWords = Callable[[Sequence[str]], Sequence[tuple[int, str]]]
"""A function of the words of an example that returns those of its disturbed copy.

Each is a pair of the index of the word that it comes from, and its text."""


class RawText:
    """The hooks of a task for raw text. By default, a task has none of them."""

    title: str
    raw_example = "a a"
    """A text that `encode_raw` encodes.

    A task whose texts have marks, such as a tab between question and context, sets one with them.
    Plain documents are then no texts of the task.
    """

    def encode_blank(self, sequence_length: int, spec: Mapping[str, Any]) -> Examples:
        """Return one example as `encode_raw` does; `bench predict` builds the model with it.

        By default, it is that of `raw_example`.

        Raises:
            Unsupported: the task has no raw text.
        """
        return self.encode_raw([self.raw_example], sequence_length, spec)

    @property
    def reads_raw_text(self) -> bool:
        """Whether the task has raw text."""
        return type(self).encode_raw is not RawText.encode_raw

    def text_columns(self) -> Sequence[str]:
        """Return the names, in lower case, that the column of the text may have in a table."""
        return ("text",)

    def raw_text(self, row: Mapping[str, Any], options: Options) -> str | None:
        """Return the text of a row of a table, by column; None if no column holds one.

        Names of columns may have any case. The option `text_column` precedes `text_columns`.
        """
        columns = {name.lower(): value for name, value in row.items()}
        names = [str(options.get("text_column", "")).lower(), *self.text_columns()]
        text = next((columns[name] for name in names if name in columns), None)
        return text if isinstance(text, str) else None

    def encode_raw(
        self, texts: Sequence[str], sequence_length: int, spec: Mapping[str, Any]
    ) -> Examples:
        """Encode a user's texts as `load` encodes a split with this `spec`; there are no labels.

        Targets that the text does not give are zeros. A task of images takes paths for texts.

        Raises:
            Unsupported: the task has no raw text.
            DataError: a text has nothing to predict.
        """
        raise Unsupported(f"{self.title} does not encode raw text")

    def readable(
        self, texts: Sequence[str], examples: Examples, predictions: Any, spec: Mapping[str, Any]
    ) -> list[Any]:
        """Return what `predict` found for each text of `encode_raw`, as a JSON value."""
        raise Unsupported(f"{self.title} does not encode raw text")

    def disturbance_reason(self, options: Options) -> str | None:
        """Return why words cannot be disturbed with a cell's options, or None if they can.

        The reason continues a sentence that begins with the task.
        """
        return "does not restore words from its encoded examples"

    def disturb(self, examples: Examples, change: ChangeWords, spec: Mapping[str, Any]) -> Examples:
        """Return examples whose words `change` replaced, left out or moved.

        `change` gets the words of each example in turn. The targets of a word follow it. Words that
        keep their text keep their ids. Positions beyond the length are cut as `load` cuts them.
        """
        raise Unsupported(f"{self.title} does not restore words from its encoded examples")
