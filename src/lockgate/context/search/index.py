"""What can be found, indexed; and the part of it that somebody may see, searched.

Must not know: principals, endpoints, servers' catalogs, how answers are written.

Who may see what is settled before anything is ranked: a `Scope` is made of the documents of one
list, and neither the scores nor the order of what is found there depend on any other document.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from heapq import nlargest
from math import log
from typing import Final, NamedTuple

from lockgate.context.search.asked import asked
from lockgate.context.search.documents import Document
from lockgate.context.search.fusion import shares
from lockgate.context.search.near import Near
from lockgate.context.search.postings import FIELDS, Field, Posting, impacts
from lockgate.context.search.scoring import (
    NAME,
    SERVER,
    Favours,
    Named,
    Part,
    Wanted,
    favoured,
    scored,
)
from lockgate.context.search.synonyms import synonyms
from lockgate.context.search.weights import WEIGHTS, Weights
from lockgate.context.search.words import apart, folded, joined, terms

LONGEST_QUERY: Final = 1000
LONGEST_NAME: Final = 200
"""Characters of a name that are compared with a query."""
MOST_TERMS: Final = 32
"""Different terms of a query; the rarest are searched."""
MOST_KEPT: Final = 4096
"""Terms whose documents a scope keeps at hand."""
MOST_HELD: Final = 50_000
"""Documents of such terms, counted for each, where a scope has to pick them out of others."""

CANDIDATES: Final = 40
"""The best by their terms alone, whose names and servers are looked at as well."""
COMMON: Final = 0.05
FEWEST_COMMON: Final = 50
"""A synonym that more documents have than these, as a share or as a number, is not searched: it
says little, and takes long."""
MOST_NEAR: Final = 3
MOST_UNKNOWN: Final = 8
"""Words of a query that nobody has, for which similar ones are looked for."""
HINT: Final = 0.5
"""What being of the server that was hinted at adds, as a share of the score."""

_identifier: Final = re.compile(r"[\w.\-/:]+")
_like_a_name: Final = re.compile(r"[_\-./:]|[a-z][A-Z]")
_NOTHING: Final[Posting] = {}
_FEW: Final = 1000
"""So many are sorted faster than the best of them are picked."""


class Index:
    """Documents by number. Numbers are never used again."""

    def __init__(self, fields: Mapping[str, Field] = FIELDS, weights: Weights = WEIGHTS) -> None:
        """`fields` say what a term counts where, `weights` what it counts else."""
        self._fields = fields
        self.weights = weights
        self.documents: dict[int, Document] = {}
        self.postings: dict[str, Posting] = {}
        self.names: dict[str, set[int]] = {}
        """Folded names, alone and behind their server's, and the documents called so."""
        self.called: dict[int, tuple[str, ...]] = {}
        """By document: the terms of its name."""
        self.near = Near()
        self.edition = 0
        self._terms: dict[int, tuple[str, ...]] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self.documents)

    def add(self, document: Document) -> int:
        """Have a document found from now on; its number."""
        number = self._next
        self._next += 1
        self.edition += 1
        # Its texts are in the postings now; what is kept is what it is told apart by.
        self.documents[number] = Document(document.key, document.server, document.name)
        weights = impacts(document, self._fields)
        for term, weight in weights.items():
            posting = self.postings.get(term)
            if posting is None:
                posting = self.postings[term] = {}
                self.near.add(term)
            posting[number] = weight
        # The very strings that are keys there, so that there is one of each.
        self._terms[number] = tuple(weights)
        self.called[number] = tuple(dict.fromkeys(terms(apart(document.name[:LONGEST_NAME]))))
        for name in _called(document):
            self.names.setdefault(name, set()).add(number)
        return number

    def remove(self, number: int) -> None:
        """Have a document found no more; nothing if it is not there."""
        document = self.documents.pop(number, None)
        if document is None:
            return
        self.edition += 1
        del self.called[number]
        for term in self._terms.pop(number):
            posting = self.postings[term]
            del posting[number]
            if not posting:
                del self.postings[term]
                self.near.remove(term)
        for name in _called(document):
            called = self.names[name]
            called.discard(number)
            if not called:
                del self.names[name]


def _called(document: Document) -> set[str]:
    return {folded(document.name), folded(document.server + document.name)} - {""}


class Hit(NamedTuple):
    """A document that was found, and how good it is; `exact`: it was asked for by its name.

    shares  what its words and its meaning count, before any hint; None: meaning was not looked at.
    """

    number: int
    score: float
    exact: bool = False
    shares: tuple[float, float] | None = None


class Scope:
    """The documents that somebody may see."""

    def __init__(self, index: Index, numbers: Collection[int]) -> None:
        """`numbers` of `index` may be seen, and nothing else."""
        self._index = index
        self.numbers = frozenset(numbers)
        self._edition = -1
        self._whole = False
        self._size = 0
        self._sizes: Mapping[str, int] = {}
        self._held = 0
        self._kept: dict[str, tuple[Posting, float]] = {}
        self._meant: dict[str, list[Part]] = {}
        self._named: dict[int, Named] = {}
        self._servers: dict[str, frozenset[str]] | None = None

    def search(
        self,
        text: str,
        most: int,
        *,
        server: str = "",
        meaning: Mapping[int, float] | None = None,
    ) -> list[Hit]:
        """What fits best, best first; equally good ones by their key.

        Args:
            text: what somebody wants to do, or a name.
            most: how many.
            server: where it may be: what is there counts more, and what is not is found all the
                same.
            meaning: how near documents are to what the text means, as cosines; None: only words
                count. Of what may not be seen, nothing is looked at.
        """
        self._look()
        text = text[:LONGEST_QUERY]
        wanted = self._wanted(text)
        scores, favours = self._ranked(wanted)
        parts: Mapping[int, tuple[float, float]] = {}
        if meaning is not None:
            near = {number: one for number, one in meaning.items() if number in self.numbers}
            parts = shares(scores, near)
            scores = {number: words + meant for number, (words, meant) in parts.items()}
        if server:
            self._boost(scores, server)
        exact = self._exact(text)
        hits = [Hit(n, scores.pop(n, 0.0), exact=True, shares=parts.get(n)) for n in exact]
        if meaning is None and not server and most <= CANDIDATES:
            # No other can be better than these.
            scores = {number: scores[number] for number in favours if number in scores}
        hits += [Hit(n, scores[n], shares=parts.get(n)) for n in self._best(scores, most)]
        return hits[:most]

    def explain(self, text: str, number: int) -> list[Part]:
        """What the score of a document is made of, before any hint; what adds most comes first."""
        self._look()
        found: list[Part] = []
        wanted = self._wanted(text[:LONGEST_QUERY])
        for one in wanted:
            those: list[Part] = []
            for part in one.parts:
                impact = self._posting(part.term)[0].get(number)
                if impact is not None:
                    those.append(part._replace(adds=one.weight * part.adds * impact))
            found += sorted(those, key=lambda part: -part.adds)[:1]
        favours = self._ranked(wanted)[1].get(number, (0.0, 0.0))
        found += [
            Part(term, 1.0, adds)
            for term, adds in zip((NAME, SERVER), favours, strict=True)
            if adds
        ]
        return sorted(found, key=lambda part: (-part.adds, part.term))

    def nearest(self, text: str, most: int) -> list[int]:
        """The documents whose names are most like a text, for those who find nothing."""
        self._look()
        found: dict[int, float] = {}
        for term in dict.fromkeys(terms(text[:LONGEST_QUERY])):
            for near, like in self._index.near.of(term, self._known, MOST_NEAR):
                for number, weight in self._posting(near)[0].items():
                    found[number] = found.get(number, 0.0) + like * weight
        return self._best(found, most)

    def _look(self) -> None:
        """See to it that what is kept is of the index as it is now."""
        if self._edition == self._index.edition:
            return
        self._edition = self._index.edition
        self._kept.clear()
        self._meant.clear()
        self._named.clear()
        self._held = 0
        self._servers = None
        documents = self._index.documents
        seen = [documents[number].server for number in self.numbers if number in documents]
        self._size, self._sizes = len(seen), Counter(seen)
        self._whole = self._size == len(documents)

    def _posting(self, term: str) -> tuple[Posting, float]:
        """The documents of a term that may be seen, and how rare it is among them."""
        kept = self._kept.get(term)
        if kept is not None:
            return kept
        posting = self._index.postings.get(term, _NOTHING)
        if posting and not self._whole:
            numbers = self.numbers
            posting = {number: one for number, one in posting.items() if number in numbers}
            self._held += len(posting)
        rarity = log(1 + (self._size - len(posting) + 0.5) / (len(posting) + 0.5))
        if len(self._kept) >= MOST_KEPT or self._held > MOST_HELD:
            self._kept.clear()
            self._held = 0 if self._whole else len(posting)
        kept = self._kept[term] = posting, rarity
        return kept

    def _known(self, term: str) -> bool:
        return bool(self._posting(term)[0])

    def _wanted(self, text: str) -> list[Wanted]:
        """The terms to look for, in the order of the query."""
        weights = self._index.weights
        found = asked(text, weights)
        if len(found) > MOST_TERMS:
            rarest = sorted(found, key=lambda term: -self._posting(term)[1])[:MOST_TERMS]
            found = {term: found[term] for term in found if term in set(rarest)}
        # What is two words here may be one in a name, as in `pull request` and `pullrequest`.
        one_word = [one for one in joined(text) if one not in found and self._known(one)]
        wanted: list[Wanted] = []
        unknown = 0
        for term, weight in found.items():
            posting, rarity = self._posting(term)
            others = [part for part in self._meanings(term) if part.term not in found]
            if posting:
                others.insert(0, Part(term, 1.0, rarity))
            elif unknown < MOST_UNKNOWN:
                unknown += 1
                others += self._similar(term)
            if others:
                wanted.append(Wanted(weight, others))
        return wanted + [
            Wanted(1.0, [Part(term, 1.0, self._posting(term)[1])])
            for term in dict.fromkeys(one_word)
        ]

    def _meanings(self, term: str) -> list[Part]:
        """The terms that may stand for one: the share of it each counts, and what it adds at most.

        None is worth more for being rarer.
        """
        kept = self._meant.get(term)
        if kept is None:
            weights = self._index.weights
            posting, rarity = self._posting(term)
            share = weights.synonym if posting else weights.unknown
            most = max(FEWEST_COMMON, COMMON * self._size)
            kept = list[Part]()
            for other in synonyms().get(term, ()):
                found, own = self._posting(other)
                if 0 < len(found) <= most:
                    kept.append(Part(other, share, share * (min(own, rarity) if posting else own)))
            if len(self._meant) >= MOST_KEPT:
                self._meant.clear()
            self._meant[term] = kept
        return kept

    def _similar(self, term: str) -> list[Part]:
        """The terms that are written like one that nobody has."""
        near = self._index.near.of(term, self._known, MOST_NEAR)
        weight = self._index.weights.near
        return [
            Part(other, weight * like, weight * like * self._posting(other)[1])
            for other, like in near
        ]

    def _ranked(self, wanted: list[Wanted]) -> tuple[dict[int, float], Favours]:
        scores = scored(wanted, lambda term: self._posting(term)[0])
        best = self._best(scores, CANDIDATES)
        weights = self._index.weights
        return scores, favoured(scores, best, wanted, weights, self._name)

    def _name(self, number: int) -> Named:
        """The terms of a document's name and how rare each of them is."""
        named = self._named.get(number)
        if named is not None:
            return named
        words = [(term, self._posting(term)[1]) for term in self._index.called[number]]
        if len(self._named) >= MOST_KEPT:
            self._named.clear()
        server = self._index.documents[number].server
        every = sum(rarity for _, rarity in words) or 1.0
        named = self._named[number] = Named(every, words, server, self._sizes[server])
        return named

    def _best(self, scores: Mapping[int, float], most: int) -> list[int]:
        if len(scores) > most:
            if len(scores) < _FEW:
                least = sorted(scores.values(), reverse=True)[most - 1]
            else:
                least = nlargest(most, scores.values())[-1]
            numbers: Iterable[int] = [n for n, score in scores.items() if score >= least]
        else:
            numbers = scores
        documents = self._index.documents
        return sorted(numbers, key=lambda n: (-scores[n], documents[n].key))[:most]

    def _exact(self, text: str) -> list[int]:
        """The documents that are asked for by name: the whole text is one, or a word of it."""
        found: dict[int, None] = {}
        words = [word for word in _identifier.findall(text) if _like_a_name.search(word)]
        for name in (text, *words[:16]):
            called = self._index.names.get(folded(name), ())
            seen = [number for number in called if number in self.numbers]
            found.update(dict.fromkeys(sorted(seen, key=lambda n: self._index.documents[n].key)))
        return list(found)

    def _boost(self, scores: dict[int, float], hint: str) -> None:
        likely = self._likely(hint)
        if likely:
            documents = self._index.documents
            for number in scores:
                share = likely.get(documents[number].server)
                if share:
                    scores[number] *= 1 + HINT * share

    def _likely(self, hint: str) -> dict[str, float]:
        """The servers that a hint may mean, and how likely it does, up to 1."""
        if self._servers is None:
            self._servers = {name: frozenset(terms(name)) for name in sorted(self._sizes)}
        asked = frozenset(terms(hint[:LONGEST_QUERY]))
        same = folded(hint)
        found: dict[str, float] = {}
        for name, words in self._servers.items():
            if folded(name) == same:
                found[name] = 1.0
            elif words & asked:
                found[name] = len(words & asked) / len(asked)
        return found
