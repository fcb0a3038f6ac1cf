"""One list of one server, read from its first page to its last.

Must not know: when lists are read, how long they count, or who sees them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from lockgate.core.message import Call, Failure, Reply
from lockgate.core.raw import Raw
from lockgate.gateway.absent import broken, problem, too_long
from lockgate.gateway.face import extras_of
from lockgate.gateway.listing import BadList, Item, ListMethod, Section, read_page


class Source(Protocol):
    """A server, as far as its lists are concerned."""

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        ...

    async def send(self, call: Call, /) -> Reply:
        """Ask it."""
        ...


async def read_pages(
    server: str,
    send: Callable[[Call], Awaitable[Reply]],
    entry: ListMethod,
    asker: Call,
    *,
    most: tuple[int, int],
    most_bytes: int,
) -> tuple[Section, int]:
    """The list, or why there is none; and of how many pages it was.

    Args:
        server: whose list it is.
        send: asks that server.
        entry: which list.
        asker: a call with the client, principal and affinity it is asked for with.
        most: the most entries and pages that are taken.
        most_bytes: the most bytes of all pages together.
    """
    items: list[Item] = []
    ttls: list[int] = []
    scopes: set[object] = set()
    extras: dict[str, bytes] = {}
    params: dict[str, Any] = {}
    size = 0
    most_items, most_pages = most
    for number in range(1, most_pages + 1):
        reply = await send(asker.replace(params=Raw.of(params)))
        if isinstance(reply, Failure):
            return problem(server, reply), number
        size += len(reply.raw.encode())
        if size > most_bytes:
            return too_long(server, entry.method, f"{most_bytes} bytes", None), number
        try:
            page, cursor = read_page(entry, reply.raw)
        except BadList as error:
            return broken(server, entry.method, str(error)), number
        items += page
        extras |= extras_of(entry, reply.raw)
        ttls.append(_ttl(reply.raw.get("ttlMs")))
        scopes.add(reply.raw.get("cacheScope"))
        if len(items) > most_items:
            return too_long(server, entry.method, f"{most_items} entries", "list_items"), number
        if cursor is None:
            scope = "public" if scopes == {"public"} else "private"
            section = Section(
                server=server, items=tuple(items), ttl_ms=min(ttls), scope=scope, extras=extras
            )
            return section, number
        params = {"cursor": cursor}
    return too_long(server, entry.method, f"{most_pages} pages", "list_pages"), most_pages


def _ttl(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
