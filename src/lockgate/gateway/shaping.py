"""How tools are written on the lists of each endpoint: shorter, and remembered.

Must not know: what is made shorter, and why; nor how lists are read or merged. Only what is listed
is written so: what is pinned, judged, and held against calls is what the server wrote.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Final, Literal, NamedTuple

import msgspec

from lockgate.context.compact.levels import Level, shaped
from lockgate.core.message import ClientFacts
from lockgate.gateway.listing import ListMethod, Section

_AT_ONCE: Final = 32 * 1024
"""So many bytes of definitions are written again where it is, in two milliseconds."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""Of definitions that are remembered, as they came and as they are shown."""
MOST_NAMES: Final = 1024

Write = Callable[[bytes], bytes]


class ToolShape(msgspec.Struct, frozen=True):
    """How one endpoint lists tools.

    level    see `lockgate.context.compact.levels`.
    lists    which clients take lists of types.
    clients  patterns of their names, in lower case, for `auto`.
    """

    level: Level = "lossless"
    lists: Literal["auto", "always", "never"] = "auto"
    clients: tuple[str, ...] = ()


class Dialect(NamedTuple):
    """What a definition is written in. Equal dialects write equal bytes."""

    level: Level
    type_lists: bool


class Shaping:
    """Every definition is written once for each dialect. Bounded: what came first goes first."""

    def __init__(self, shapes: Mapping[str, ToolShape]) -> None:
        """`shapes` by endpoint; what is missing is listed as servers wrote it."""
        self._shapes = shapes
        self._written: OrderedDict[tuple[bytes, Dialect], bytes] = OrderedDict()
        self._bytes = 0
        self._takes: dict[tuple[str, str], bool] = {}
        self._plain = {
            Dialect(one.level, one.lists == "always")
            for one in shapes.values()
            if one.level != "off"
        }

    def inherit(self, before: Shaping) -> None:
        """Take over what `before` has written."""
        self._written, self._bytes = before._written.copy(), before._bytes

    def plain(self, endpoint: str) -> Dialect:
        """What every client of an endpoint can read."""
        shape = self._shapes.get(endpoint, _AS_WRITTEN)
        return Dialect(shape.level, shape.lists == "always")

    def richer(self, endpoint: str, client: ClientFacts) -> bool:
        """Whether a client reads more than `plain`."""
        shape = self._shapes.get(endpoint, _AS_WRITTEN)
        if shape.lists != "auto" or shape.level == "off":
            return False
        key = endpoint, client.name
        found = self._takes.get(key)
        if found is None:
            if len(self._takes) >= MOST_NAMES:
                self._takes.clear()
            name = client.name[:200].lower()
            found = any(fnmatchcase(name, pattern) for pattern in shape.clients)
            self._takes[key] = found
        return found

    def writes(self, entry: ListMethod, dialect: Dialect) -> Write | None:
        """What writes the entries of a list; None: they stay as they are."""
        if entry.kind != "tool" or dialect.level == "off":
            return None
        return lambda data: self._of(data, dialect)

    def whole(self, endpoint: str, client: ClientFacts) -> Write:
        """What writes a definition for who asks for all of it: in short, and with nothing lost."""
        shape = self._shapes.get(endpoint, _AS_WRITTEN)
        if shape.level == "off":
            return _as_it_is
        lists = shape.lists == "always" or self.richer(endpoint, client)
        dialect = Dialect("lossless", lists)
        return lambda data: self._of(data, dialect)

    def _of(self, data: bytes, dialect: Dialect) -> bytes:
        found = self._written.get((data, dialect))
        if found is None:
            found = shaped(data, dialect.level, type_lists=dialect.type_lists)
            self._keep(data, dialect, found)
        return found

    def _keep(self, data: bytes, dialect: Dialect, found: bytes) -> None:
        if (data, dialect) in self._written:
            return
        self._written[data, dialect] = found
        self._bytes += len(data) + len(found)
        while self._bytes > MOST_BYTES and self._written:
            (gone, _), made = self._written.popitem(last=False)
            self._bytes -= len(gone) + len(made)

    async def study(self, section: Section) -> None:
        """Write a long list beside the event loop, before anybody waits for it."""
        wanted = [
            (data, dialect)
            for data in (item.raw.encode() for item in section.items)
            if b'"inputSchema"' in data
            for dialect in self._plain
            if (data, dialect) not in self._written
        ]
        if sum(len(data) for data, _ in wanted) <= _AT_ONCE:
            return
        for (data, dialect), found in zip(
            wanted, await asyncio.to_thread(_all, wanted), strict=True
        ):
            self._keep(data, dialect, found)


def _as_it_is(data: bytes) -> bytes:
    return data


def _all(wanted: list[tuple[bytes, Dialect]]) -> list[bytes]:
    return [shaped(data, one.level, type_lists=one.type_lists) for data, one in wanted]


_AS_WRITTEN: Final = ToolShape("off")
