"""Scripts that are written without spaces between words."""

from __future__ import annotations

import re
from collections.abc import Iterable

WITHOUT_SPACES = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u0f00-\u109f"  # Tibetan, Burmese
    "\u1780-\u17ff"  # Khmer
    "\u3000-\u312f\u31a0-\u31ff"  # Chinese and Japanese: punctuation, syllables
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # and characters
    "\uff01-\uff9f"  # full-width and half-width forms
)
"""The characters of these scripts, as ranges of a regular expression."""
HANGUL = "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"
"""Those of Korean, which has spaces; particles follow a name without one."""
_CHARACTER = re.compile(f"([{WITHOUT_SPACES}])")


def split_words(text: str) -> list[str]:
    """Return the words between spaces; in scripts without spaces, a word is a character."""
    return _CHARACTER.sub(r" \1 ", text).split()


def has_script_without_spaces(text: str) -> bool:
    """Return whether a character of a text is of a script without spaces."""
    return bool(_CHARACTER.search(text))


def is_without_spaces(texts: Iterable[str]) -> bool:
    """Return whether most letters of texts are of scripts without spaces."""
    letters = [character for text in texts for character in text if character.isalpha()]
    return 2 * sum(map(bool, map(_CHARACTER.match, letters))) > len(letters)
