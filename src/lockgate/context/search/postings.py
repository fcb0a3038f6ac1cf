"""Which documents a term is in, and how much of each it makes. Grows and shrinks one by one.

Must not know: queries, who may see what.

How much a term counts in a document depends on that document alone: lengths are compared with
lengths that are typical of tools, and not with the mean of what happens to be indexed. So a
document is weighed once, when it comes; whatever comes or goes later changes nothing about it, and
an index that has seen many changes is equal to one made anew. How rare a term is is for whoever
searches to count, among what they may see.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from lockgate.context.search.documents import Document
from lockgate.context.search.words import terms

Posting = dict[int, float]
"""By document: what the term adds there, between 0 and 1."""

MOST_TERMS: Final = 1000
"""Different terms of one document; later ones do not find it."""
_STEPS: Final = 1024


class Field(NamedTuple):
    """One text of a document.

    weight   what a term in it weighs.
    typical  how many terms it typically has.
    length   how much it matters that it has more, from 0 to 1.
    """

    weight: float
    typical: float
    length: float


FIELDS: Final[Mapping[str, Field]] = {
    "name": Field(3.0, 3.0, 0.4),
    "title": Field(1.0, 3.0, 0.4),
    "lead": Field(1.3, 10.0, 0.5),
    "description": Field(0.4, 15.0, 0.75),
    "parameters": Field(0.7, 6.0, 0.5),
    "details": Field(0.4, 25.0, 0.6),
    "server": Field(1.0, 3.0, 0.3),
}
SATURATION: Final = 1.2
"""The weight at which a term counts half of what it can count at most."""

# The same few numbers over and over: one object each, where every posting would have its own.
_levels: Final = [step / _STEPS for step in range(_STEPS + 1)]


def impacts(document: Document, fields: Mapping[str, Field] = FIELDS) -> dict[str, float]:
    """What each term of a document adds to its score."""
    weights: dict[str, float] = {}
    for name, field in fields.items():
        found = list(terms(getattr(document, name)))
        if not found:
            continue
        share = field.weight / (1 - field.length + field.length * len(found) / field.typical)
        for term in found:
            weights[term] = weights.get(term, 0.0) + share
            if len(weights) > MOST_TERMS:
                break
    return {
        term: _levels[max(1, round(_STEPS * weight / (SATURATION + weight)))]
        for term, weight in weights.items()
    }
