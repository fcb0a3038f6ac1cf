"""Everything a server defines, as it writes it, before anything of ours looks at it.

Must not know: what is made of the answers. A server may define other things in each era, so it is
asked in both; what it says alike in both is told once.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from lockgate.core.message import Call, Era, Failure, Reply
from lockgate.gateway.facts import OWN_CLIENT
from lockgate.gateway.kept import CatalogSettings
from lockgate.gateway.listing import LISTS
from lockgate.gateway.reading import read_pages

_ERAS: Final[tuple[Era, ...]] = ("modern", "handshake")
_MOST: Final = (10_000, 200)
_UNKNOWN: Final = (-32601, -32602)


class Defined(msgspec.Struct, frozen=True):
    """One definition.

    kind  `tool`, `prompt`, `resource`, `template`, or `server` for what it says of itself.
    data  as JSON.
    """

    kind: str
    name: str
    data: bytes


class Asked(Protocol):
    """A server that can be asked."""

    @property
    def name(self) -> str: ...  # noqa: D102 - see Upstream
    async def send(self, call: Call, /) -> Reply: ...  # noqa: D102 - see Upstream


async def definitions(server: Asked) -> tuple[list[Defined], Failure | None]:
    """What a server defines, and why that is not all of it."""
    found: dict[tuple[str, bytes], Defined] = {}
    problem: Failure | None = None
    for era in _ERAS:
        problem = await _in_era(server, era, found) or problem
    return list(found.values()), problem


async def _in_era(
    server: Asked, era: Era, found: dict[tuple[str, bytes], Defined]
) -> Failure | None:
    client = OWN_CLIENT[era]
    reply = await server.send(Call(method="server/discover", client=client))
    if isinstance(reply, Failure):
        return reply
    _take(found, Defined("server", server.name, _lasting(reply.raw.encode())))
    for method, entry in LISTS.items():
        section, _ = await read_pages(
            server.name,
            server.send,
            entry,
            Call(method=method, client=client),
            most=_MOST,
            most_bytes=CatalogSettings().most_bytes,
        )
        if section.problem is not None and section.problem.code not in _UNKNOWN:
            return section.problem
        for item in section.items:
            _take(found, Defined(entry.kind, item.key, item.raw.encode()))
    return None


def _take(found: dict[tuple[str, bytes], Defined], one: Defined) -> None:
    found.setdefault((one.kind, one.data), one)


def _lasting(data: bytes) -> bytes:
    """What a server says of itself, without what differs from one era to the other."""
    said = msgspec.json.decode(data, type=dict[str, object])
    kept = {key: said[key] for key in ("serverInfo", "instructions") if key in said}
    return msgspec.json.encode(kept, order="sorted")
