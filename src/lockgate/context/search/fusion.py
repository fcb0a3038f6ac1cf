"""Two ways of finding in one ranking: by the words of a query, and by what it means. Pure.

Must not know: models, how nearness is found out, who may see what.

The scores of words are of any size, so the best counts 1 and the others their share of it; nearness
is a cosine. Each counts one half. The sum of scores was measured better than that of places
(reciprocal rank fusion): it knows by how much one is better than the next.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from lockgate.context.search.documents import Document

WORDS: Final = 0.5
MEANING: Final = 0.5
LEAST: Final = 0.2
"""Nearness below this says nothing, and counts as none."""
LONGEST: Final = 2000
"""Characters of a text that a model is given."""

_joint: Final = re.compile(r"[_\-./:]+|(?<=[a-z0-9])(?=[A-Z])")


def meant(document: Document) -> str:
    """What a model is told of a document."""
    name = f"{document.server} {document.name} {document.title}"
    said = document.lead + document.description
    text = f"{_apart(name)}: {said} {_apart(document.parameters)}"
    return " ".join(text[: 2 * LONGEST].split())[:LONGEST]


def _apart(name: str) -> str:
    return _joint.sub(" ", name)


def shares(
    words: Mapping[int, float], meaning: Mapping[int, float]
) -> dict[int, tuple[float, float]]:
    """By document that either way has found, what its words and what its meaning add.

    Args:
        words: scores, at least 0, of what was found by its words.
        meaning: cosines, of what may be seen; what is not here has none.
    """
    best = max(words.values(), default=0.0) or 1.0
    found: dict[int, tuple[float, float]] = {}
    for number, score in words.items():
        near = meaning.get(number, 0.0)
        found[number] = WORDS * score / best, MEANING * near if near >= LEAST else 0.0
    for number, near in meaning.items():
        if near >= LEAST and number not in found:
            found[number] = 0.0, MEANING * near
    return found
