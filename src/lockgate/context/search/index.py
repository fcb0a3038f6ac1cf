"""What can be found, indexed; and the part of it that somebody may see, searched.

Must not know: principals, endpoints, servers' catalogs, how answers are written.

Who may see what is settled before anything is ranked: a `Scope` is made of the documents of one
list, and neither the scores nor the order of what is found there depend on any other document.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from math import log
from typing import Final, NamedTuple

from lockgate.context.search.documents import Document
from lockgate.context.search.near import Near
from lockgate.context.search.postings import FIELDS, Field, Posting, impacts
from lockgate.context.search.synonyms import synonyms
from lockgate.context.search.words import folded, joined, terms

LONGEST_QUERY: Final = 1000
MOST_TERMS: Final = 32
"""Different terms of a query; the rarest are searched."""
MOST_KEPT: Final = 4096
"""Terms whose documents a scope keeps at hand."""
MOST_HELD: Final = 50_000
"""Documents of such terms, counted for each, where a scope has to pick them out of others."""

SYNONYM: Final = 0.25
NEAR: Final = 0.6
MOST_NEAR: Final = 3
MOST_UNKNOWN: Final = 8
"""Words of a query that nobody has, for which similar ones are looked for."""
HINT: Final = 0.5
"""What being of the server that was hinted at adds, as a share of the score."""

_identifier: Final = re.compile(r"[\w.\-/:]+")
_like_a_name: Final = re.compile(r"[_\-./:]|[a-z][A-Z]")
_NOTHING: Final[Posting] = {}


class Index:
    """Documents by number. Numbers are never used again."""

    def __init__(self, fields: Mapping[str, Field] = FIELDS) -> None:
        """`fields` say what a term counts where."""
        self._fields = fields
        self.documents: dict[int, Document] = {}
        self.postings: dict[str, Posting] = {}
        self.names: dict[str, set[int]] = {}
        """Folded names, alone and behind their server's, and the documents called so."""
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
        for name in _called(document):
            self.names.setdefault(name, set()).add(number)
        return number

    def remove(self, number: int) -> None:
        """Have a document found no more; nothing if it is not there."""
        document = self.documents.pop(number, None)
        if document is None:
            return
        self.edition += 1
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
    """A document that was found, and how good it is; `exact`: it was asked for by its name."""

    number: int
    score: float
    exact: bool = False


class Part(NamedTuple):
    """One term of a score.

    weight  what the term counts: 1 if it was asked for, less if it stands for another one.
    """

    term: str
    weight: float
    adds: float


class Scope:
    """The documents that somebody may see."""

    def __init__(self, index: Index, numbers: Collection[int]) -> None:
        """`numbers` of `index` may be seen, and nothing else."""
        self._index = index
        self.numbers = frozenset(numbers)
        self._edition = -1
        self._whole = False
        self._size = 0
        self._held = 0
        self._kept: dict[str, tuple[Posting, float]] = {}
        self._servers: dict[str, frozenset[str]] | None = None

    def search(self, text: str, most: int, *, server: str = "") -> list[Hit]:
        """What fits best, best first; equally good ones by their key.

        Args:
            text: what somebody wants to do, or a name.
            most: how many.
            server: where it may be: what is there counts more, and what is not is found all the
                same.
        """
        self._look()
        text = text[:LONGEST_QUERY]
        scores = self._scores(self._wanted(text))
        if server:
            self._boost(scores, server)
        exact = self._exact(text)
        hits = [Hit(number, scores.pop(number, 0.0), exact=True) for number in exact]
        hits += [Hit(number, scores[number]) for number in self._best(scores, most)]
        return hits[:most]

    def explain(self, text: str, number: int) -> list[Part]:
        """What the score of a document is made of, before any hint; what adds most comes first."""
        self._look()
        found: list[Part] = []
        for term, weight in self._wanted(text[:LONGEST_QUERY]).items():
            posting, rarity = self._posting(term)
            if number in posting:
                found.append(Part(term, weight, weight * rarity * posting[number]))
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
        self._held = 0
        self._servers = None
        documents = self._index.documents
        self._size = sum(number in documents for number in self.numbers)
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

    def _wanted(self, text: str) -> dict[str, float]:
        """The terms to look for, and what each counts."""
        asked = list(dict.fromkeys(terms(text)))
        if len(asked) > MOST_TERMS:
            rarest = sorted(asked, key=lambda term: -self._posting(term)[1])[:MOST_TERMS]
            asked = [term for term in asked if term in set(rarest)]
        wanted = dict.fromkeys(asked, 1.0)
        # What is two words here may be one in a name, as in `pull request` and `pullrequest`.
        wanted |= {one: 1.0 for one in joined(text) if self._known(one)}
        others, unknown = synonyms(), 0
        for term in asked:
            for other in others.get(term, ()):
                wanted.setdefault(other, SYNONYM)
            if not self._known(term) and unknown < MOST_UNKNOWN:
                unknown += 1
                for near, like in self._index.near.of(term, self._known, MOST_NEAR):
                    wanted[near] = max(wanted.get(near, 0.0), NEAR * like)
        return wanted

    def _scores(self, wanted: Mapping[str, float]) -> dict[int, float]:
        scores: dict[int, float] = {}
        get = scores.get
        for term, weight in wanted.items():
            posting, rarity = self._posting(term)
            factor = weight * rarity
            for number, impact in posting.items():
                scores[number] = get(number, 0.0) + factor * impact
        return scores

    def _best(self, scores: Mapping[int, float], most: int) -> list[int]:
        if len(scores) > most:
            least = sorted(scores.values(), reverse=True)[most - 1]
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
            documents = self._index.documents
            names = {documents[n].server for n in self.numbers if n in documents}
            self._servers = {name: frozenset(terms(name)) for name in sorted(names)}
        asked = frozenset(terms(hint[:LONGEST_QUERY]))
        same = folded(hint)
        found: dict[str, float] = {}
        for name, words in self._servers.items():
            if folded(name) == same:
                found[name] = 1.0
            elif words & asked:
                found[name] = len(words & asked) / len(asked)
        return found
