"""Entity tags in IOB1, IOB2 or BIOES (also called IOBES; BILOU names it otherwise) → IOB2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

TAG = re.compile(r"O|[BIESLU]-\S+")
SINGLE = frozenset("SU")
LAST = frozenset("EL")


class InvalidTag(Exception):
    """A tag that no scheme allows: `sentence` and `word` count from 0."""

    def __init__(self, sentence: int, word: int, message: str) -> None:
        """Say where and why."""
        super().__init__(message)
        self.sentence = sentence
        self.word = word


def recognize(sentences: Iterable[Sequence[str]]) -> str:
    """Return "BIOES", "IOB1" or "IOB2": the scheme in which all the sentences are valid.

    Raises:
        InvalidTag: something that is no tag, or tags of which no scheme allows all.
    """
    sentences = list(sentences)
    letters = set()
    for index, tags in enumerate(sentences):
        for position, tag in enumerate(tags):
            if not TAG.fullmatch(tag):
                raise InvalidTag(index, position, f"'{tag}' is no tag such as O, B-PER or I-PER")
            letters.add(tag[0])
    if letters & (SINGLE | LAST):
        for index, tags in enumerate(sentences):
            _check_bioes(index, tags)
        return "BIOES"
    opened_by_inside = _first(sentences, _opens_with_inside)
    if opened_by_inside is None:
        return "IOB2"
    needless = _first(sentences, _begins_needlessly)
    if needless is None:
        return "IOB1"
    sentence, word = opened_by_inside
    raise InvalidTag(
        sentence,
        word,
        f"'{sentences[sentence][word]}' opens an entity, as IOB1 allows, but elsewhere "
        f"'{sentences[needless[0]][needless[1]]}' opens one that follows none of its type, as "
        "only IOB2 does: the tags mix two schemes",
    )


def to_iob2(tags: Sequence[str], scheme: str) -> list[str]:
    """Rewrite one sentence's valid tags."""
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
    """Whether two neighbouring tags are of one type, as within an entity."""
    return before != "O" and before[2:] == tag[2:]


def _opens_with_inside(before: str, tag: str) -> bool:
    return tag[0] == "I" and not _continues(before, tag)


def _begins_needlessly(before: str, tag: str) -> bool:
    return tag[0] == "B" and not _continues(before, tag)


def _first(sentences, is_it) -> tuple[int, int] | None:  # type: ignore[no-untyped-def]
    for index, tags in enumerate(sentences):
        for position, (before, tag) in enumerate(zip(["O", *tags], tags, strict=False)):
            if is_it(before, tag):
                return index, position
    return None


def _check_bioes(index: int, tags: Sequence[str]) -> None:
    open_type: str | None = None
    for position, tag in enumerate([*tags, "O"]):
        inside = tag[0] == "I" or tag[0] in LAST
        if inside and open_type != tag[2:]:
            raise InvalidTag(index, position, f"'{tag}' continues an entity that none began")
        if not inside and open_type is not None:
            last = max(0, position - 1)
            raise InvalidTag(index, last, f"the entity that ends at '{tags[last]}' has no E- tag")
        if tag[0] == "B":
            open_type = tag[2:]
        elif tag[0] in LAST:
            open_type = None
