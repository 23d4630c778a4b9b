"""Recognition of the tag schemes IOB1, IOB2 and BIOES (or BILOU), and conversion to IOB2."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

TAG = re.compile(r"O|[BIESLU]-\S+")
SINGLE = frozenset("SU")
LAST = frozenset("EL")


class InvalidTag(Exception):
    """A tag that no scheme allows, at the indices `sentence` and `word`."""

    def __init__(self, sentence: int, word: int, message: str) -> None:
        """Store the tag's position and the reason."""
        super().__init__(message)
        self.sentence = sentence
        self.word = word


def recognize_scheme(sentences: Iterable[Sequence[str]]) -> str:
    """Return the scheme in which all sentences are valid: "BIOES", "IOB1" or "IOB2".

    Raises:
        InvalidTag: a string is not a tag, or no scheme allows all tags.
    """
    sentences = list(sentences)
    letters = set()
    for index, tags in enumerate(sentences):
        for position, tag in enumerate(tags):
            if not TAG.fullmatch(tag):
                raise InvalidTag(index, position, f"'{tag}' is not a tag such as O, B-PER or I-PER")
            letters.add(tag[0])
    if letters & (SINGLE | LAST):
        for index, tags in enumerate(sentences):
            _check_bioes(index, tags)
        return "BIOES"
    only_iob1 = _find_first(sentences, _opens_with_inside)
    if only_iob1 is None:
        return "IOB2"
    only_iob2 = _find_first(sentences, _opens_with_needless_begin)
    if only_iob2 is None:
        return "IOB1"
    sentence, word = only_iob1
    raise InvalidTag(
        sentence,
        word,
        f"'{sentences[sentence][word]}' opens an entity, as IOB1 allows, but elsewhere "
        f"'{sentences[only_iob2[0]][only_iob2[1]]}' opens one after no entity of its type, as "
        "only IOB2 does: the tags mix two schemes",
    )


def to_iob2(tags: Sequence[str], scheme: str) -> list[str]:
    """Convert the valid tags of one sentence to IOB2."""
    if scheme == "IOB2":
        return list(tags)
    if scheme == "IOB1":
        return [
            "B" + tag[1:] if tag[0] == "I" and not _continues(before, tag) else tag
            for before, tag in zip(["O", *tags], tags, strict=False)
        ]
    letter = {"S": "B", "U": "B", "E": "I", "L": "I"}
    return [letter.get(tag[0], tag[0]) + tag[1:] for tag in tags]


def _continues(before: str, tag: str) -> bool:
    """Return whether a tag has the same entity type as the tag before."""
    return before != "O" and before[2:] == tag[2:]


def _opens_with_inside(before: str, tag: str) -> bool:
    return tag[0] == "I" and not _continues(before, tag)


def _opens_with_needless_begin(before: str, tag: str) -> bool:
    return tag[0] == "B" and not _continues(before, tag)


def _find_first(
    sentences: Sequence[Sequence[str]], matches: Callable[[str, str], bool]
) -> tuple[int, int] | None:
    """Return the sentence and word index of the first tag that matches with the tag before."""
    for index, tags in enumerate(sentences):
        for position, (before, tag) in enumerate(zip(["O", *tags], tags, strict=False)):
            if matches(before, tag):
                return index, position
    return None


def _check_bioes(index: int, tags: Sequence[str]) -> None:
    open_type: str | None = None
    for position, tag in enumerate([*tags, "O"]):
        inside = tag[0] == "I" or tag[0] in LAST
        if inside and open_type != tag[2:]:
            raise InvalidTag(index, position, f"'{tag}' continues an entity that no tag began")
        if not inside and open_type is not None:
            last = max(0, position - 1)
            raise InvalidTag(index, last, f"the entity that ends at '{tags[last]}' has no E- tag")
        if tag[0] == "B":
            open_type = tag[2:]
        elif tag[0] in LAST:
            open_type = None
