"""The words of the site for tasks and machines: names that a person knows and searches for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from dashboards.scripts import mapped

TASKS: Mapping[str, str] = {
    "sentiment": "Reviews: document classification",
    "listops": "Nested lists: ListOps, up to 512 symbols",
}
"""The names of tasks whose title is not what a person searches for."""
SPELLED = {"amd": "AMD", "epyc": "EPYC", "nvidia": "NVIDIA"}
SILENT = re.compile(r"-(?:r|tm|processor|cpu)(?=-)")
FAMILY = re.compile(r"-family-(\d+)-model-(\d+)")


def machine_texts(names: Iterable[str]) -> dict[str, str]:
    """Return the text of each machine by the name of its folder: "Intel Xeon, 2 cores".

    If several machines have the same text, it names the family and the model too.
    """
    names = sorted(set(names))
    counts = Counter(_machine_text(name) for name in names)
    texts = {}
    for name in names:
        text, family = _machine_text(name), FAMILY.search(name)
        if counts[text] > 1 and family:
            text = f"{text} (family {family[1]}, model {family[2]})"
        texts[name] = text
    return texts


def with_texts(value: Any, texts: Mapping[str, str]) -> Any:
    """Return a value of lists and mappings in whose texts each machine has its words."""

    def named(inner: Any) -> Any:
        for name, text in texts.items() if isinstance(inner, str) else ():
            inner = inner.replace(name, text)
        return inner

    return mapped(value, named)


def _machine_text(name: str) -> str:
    found = re.fullmatch(r"(.+)-(\d+)-cores", name)
    if not found:
        return name
    processor = SILENT.sub("", FAMILY.sub("", f"{found[1]}-")).strip("-")
    words = [
        SPELLED.get(word, word.upper() if re.search(r"\d", word) else word.capitalize())
        for word in processor.split("-")
    ]
    return f"{' '.join(words)}, {found[2]} core{'s' * (found[2] != '1')}"
