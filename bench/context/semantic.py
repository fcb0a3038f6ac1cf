"""Who searches by words and by meaning: Lockgate with the model of `lockgate[semantic]`.

Must not know: what is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from time import perf_counter

from bench.context.corpora import Tool
from bench.context.searchers import MOST, described
from lockgate.context.search.fusion import meant
from lockgate.context.search.index import LONGEST_QUERY, Index, Scope
from lockgate.gateway.embedding import small
from lockgate.gateway.minilm import MiniLm
from lockgate.gateway.nearness import Near


@cache
def model() -> MiniLm:
    """The model, once."""
    return MiniLm()


@cache
def _vector(text: str) -> bytes:
    return small(model().embed([text])[0])


class Semantic:
    """What `find_tools` ranks by where it knows what texts mean.

    built      seconds that embedding the tools took.
    megabytes  of their vectors.
    """

    def __init__(self, tools: Sequence[Tool], known: Mapping[str, bytes] | None = None) -> None:
        """`known`: vectors by the ids of tools, which also do for variations of these."""
        index = Index()
        documents = [described(tool) for tool in tools]
        self._ids = {
            index.add(one): str(tool["id"]) for one, tool in zip(documents, tools, strict=True)
        }
        self._scope = Scope(index, self._ids.keys())
        began = perf_counter()
        if known is None:
            made = [_vector(meant(one)) for one in documents]
        else:
            made = [known[one.partition("~")[0]] for one in self._ids.values()]
        self.built = perf_counter() - began
        self.vectors = dict(zip(self._ids.values(), made, strict=True))
        self.megabytes = sum(map(len, made)) / 1e6
        self._near = Near(dict(zip(self._ids, made, strict=True)))

    def find(self, text: str, hint: str = "") -> list[str]:
        """See `Searcher`."""
        near = self._near.to(_vector(text[:LONGEST_QUERY]))
        hits = self._scope.search(text, MOST, server=hint, meaning=near)
        return [self._ids[hit.number] for hit in hits]


def resident() -> float:
    """Megabytes of this process; 0 where nobody says."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return 0.0
    return int(pages) * 4096 / 1e6
