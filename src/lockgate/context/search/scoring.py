"""From terms that were asked for to scores, and from scores to better ones. Pure.

Must not know: how terms are found, who may see what.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from lockgate.context.search.postings import Posting
from lockgate.context.search.weights import Weights

NAME: Final = "its name"
SERVER: Final = "its server"


class Part(NamedTuple):
    """One term of a score; or `NAME`, `SERVER`, which are not terms but count as well.

    weight  what the term counts: 1 if it was asked for, less if it stands for another one.
    """

    term: str
    weight: float
    adds: float


class Wanted(NamedTuple):
    """A term that was asked for.

    weight  what it counts.
    parts   it and what may stand for it, as far as there are any; it itself is the first.
    """

    weight: float
    parts: list[Part]


class Named(NamedTuple):
    """What is told by the name of a document, and by that of its server.

    every   how rare its terms are, together.
    terms   each of them, and how rare it is.
    server  where it is from.
    has     how many documents of that server there are.
    """

    every: float
    terms: Sequence[tuple[str, float]]
    server: str
    has: int


Favours = Mapping[int, tuple[float, float]]
"""By document: what its name adds, and what its server does."""


def scored(wanted: Iterable[Wanted], posting: Callable[[str], Posting]) -> defaultdict[int, float]:
    """By document: for each term that was asked for, the best of what stands for it there."""
    scores: defaultdict[int, float] = defaultdict(float)
    for weight, parts in wanted:
        first, factor = posting(parts[0].term), weight * parts[0].adds
        for number, impact in first.items():
            scores[number] += factor * impact
        more: dict[int, float] = {}
        for part in parts[1:]:
            share = weight * part.adds
            for number, impact in posting(part.term).items():
                adds = share * impact
                if adds > more.get(number, 0.0):
                    more[number] = adds
        for number, adds in more.items():
            have = factor * first.get(number, 0.0)
            if adds > have:
                scores[number] += adds - have
    return scores


def favoured(
    scores: dict[int, float],
    best: Sequence[int],
    wanted: Iterable[Wanted],
    weights: Weights,
    name: Callable[[int], Named],
) -> Favours:
    """Have the best count more for their names, and for what else is found at their servers.

    Names say what a tool does, in few words: one of which every word was asked for fits better
    than one of which a part was. And a server of which several tools fit is a likely one; one that
    has a single tool is no worse for having no other.

    Args:
        scores: what each document counts; changed.
        best: the documents that are looked at, best first.
        wanted: what was asked for.
        weights: what a name and a server count.
        name: the name of a document.
    """
    if not best:
        return {}
    counted: dict[str, float] = {}
    for weight, parts in wanted:
        for part in parts:
            counted[part.term] = max(counted.get(part.term, 0.0), weight * part.weight)
    top = weights.called * scores[best[0]]
    by_server: dict[str, tuple[int, list[tuple[float, int]]]] = {}
    found: dict[int, tuple[float, float]] = {}
    for number in best:
        every, words, server, has = name(number)
        had = 0.0
        for term, rarity in words:
            if term in counted:
                had += rarity * counted[term]
        adds = top * had / every
        found[number] = adds, 0.0
        if server not in by_server:
            by_server[server] = has, []
        by_server[server][1].append((scores[number] + adds, number))
    for has, those in by_server.values():
        those.sort(reverse=True)
        two = min(2, has)
        likely = weights.server * sum(score for score, _ in those[:two]) / two
        for score, number in those:
            found[number] = found[number][0], likely
            scores[number] = score + likely
    return found
