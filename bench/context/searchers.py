"""Who searches: Lockgate, FastMCP's own transform, SQLite's full text search.

Must not know: what is measured.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from bench.context.corpora import Tool
from lockgate.context.search.documents import Document, document
from lockgate.context.search.index import Index, Scope
from lockgate.context.search.postings import FIELDS, Field
from lockgate.context.search.weights import WEIGHTS, Weights
from lockgate.context.search.words import STOP_WORDS

MOST: Final = 10


class Searcher(Protocol):
    """Finds the ids of tools, best first."""

    def find(self, text: str, hint: str = "") -> list[str]:
        """At most `MOST` of them."""
        ...


class Lockgate:
    """What `find_tools` ranks by."""

    def __init__(
        self,
        tools: Sequence[Tool],
        fields: Mapping[str, Field] = FIELDS,
        weights: Weights = WEIGHTS,
    ) -> None:
        self.index = Index(fields, weights)
        self._ids = {self.index.add(described(tool)): str(tool["id"]) for tool in tools}
        self._scope = Scope(self.index, self._ids.keys())

    def find(self, text: str, hint: str = "") -> list[str]:
        """See `Searcher`."""
        return [self._ids[hit.number] for hit in self._scope.search(text, MOST, server=hint)]


class FastMcp:
    """The installed code of FastMCP's BM25 transform, names spelled as where servers are mounted.

    `hashed`: by way of its `_search`, which hashes the whole catalogue each time; else its index
    is asked directly, which ranks the same.
    """

    def __init__(self, tools: Sequence[Tool], *, hashed: bool = False) -> None:
        from fastmcp.server.transforms.search import BM25SearchTransform  # noqa: PLC0415 - it is optional
        from fastmcp.tools.base import Tool as Listed  # noqa: PLC0415 - as above

        for name in ("mcp", "fastmcp"):
            # It warns of every name that a specification of names advises against.
            logging.getLogger(name).setLevel(logging.ERROR)
        self._transform: Any = BM25SearchTransform(max_results=MOST)
        self._ids: dict[str, str] = {}
        self._listed: list[Any] = []
        for tool in tools:
            name = f"{tool.get('server', '')}_{tool['name']}"
            if name in self._ids:
                name = f"{name}_{len(self._ids)}"
            self._ids[name] = str(tool["id"])
            schema = tool.get("inputSchema")
            self._listed.append(
                Listed(
                    name=name,
                    description=tool.get("description") or "",
                    parameters=schema if isinstance(schema, dict) else {},
                )
            )
        self._hashed = hashed
        self._ask("begin")

    def _ask(self, text: str) -> list[Any]:
        found: list[Any] = asyncio.run(self._transform._search(self._listed, text))  # noqa: SLF001 - what is measured is inside
        return found

    def _index(self) -> Any:
        return self._transform._index  # noqa: SLF001 - as above

    def find(self, text: str, hint: str = "") -> list[str]:
        """See `Searcher`; it knows no hint."""
        del hint
        if self._hashed:
            return [self._ids[tool.name] for tool in self._ask(text)]
        names = self._transform._indexed_names  # noqa: SLF001 - as above
        return [self._ids[names[one]] for one in self._index().query(text, MOST)]


class Fts5:
    """SQLite's FTS5 with the porter stemmer and the weights of ours; names are split for it."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._base = sqlite3.connect(":memory:")
        fields = ", ".join(FIELDS)
        self._base.execute(
            f"create virtual table t using fts5({fields}, tokenize='porter unicode61')"
        )
        marks = ", ".join("?" for _ in FIELDS)
        self._ids = [str(tool["id"]) for tool in tools]
        rows = [[_split(getattr(one, field)) for field in FIELDS] for one in map(described, tools)]
        self._base.executemany(f"insert into t values ({marks})", rows)  # noqa: S608 - our own names
        weights = ", ".join(str(field.weight) for field in FIELDS.values())
        self._query = (
            f"select rowid from t where t match ? order by bm25(t, {weights}), rowid limit {MOST}"  # noqa: S608 - as above
        )

    def find(self, text: str, hint: str = "") -> list[str]:
        """See `Searcher`; it knows no hint."""
        del hint
        words = [word for word in _split(text).lower().split() if word not in STOP_WORDS]
        if not words:
            return []
        asked = " OR ".join(f'"{word}"' for word in dict.fromkeys(words))
        return [self._ids[row - 1] for (row,) in self._base.execute(self._query, [asked])]


def described(tool: Tool) -> Document:
    """A tool as what is indexed."""
    return document(str(tool["id"]), str(tool.get("server") or ""), tool["name"], tool)


def _split(text: str) -> str:
    parts = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    return " ".join(re.findall(r"[^\W_]+", parts))
