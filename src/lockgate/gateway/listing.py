"""One list of one server, and the table of lists MCP has. Pure data.

Must not know: how lists are fetched, merged or shown.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lockgate.core.message import Failure, Kind
from lockgate.core.raw import Raw


class ListMethod(msgspec.Struct, frozen=True):
    """Where a list keeps its items, and which member of an item identifies it."""

    method: str
    member: str
    key: str
    kind: Kind
    capability: str
    changed: str


LISTS: Final = {
    entry.method: entry
    for entry in (
        ListMethod(
            "tools/list", "tools", "name", "tool", "tools", "notifications/tools/list_changed"
        ),
        ListMethod(
            "prompts/list",
            "prompts",
            "name",
            "prompt",
            "prompts",
            "notifications/prompts/list_changed",
        ),
        ListMethod(
            "resources/list",
            "resources",
            "uri",
            "resource",
            "resources",
            "notifications/resources/list_changed",
        ),
        ListMethod(
            "resources/templates/list",
            "resourceTemplates",
            "uriTemplate",
            "template",
            "resources",
            "notifications/resources/list_changed",
        ),
    )
}
ENVELOPE: Final = frozenset({"nextCursor", "ttlMs", "cacheScope", "resultType"})


class Item(msgspec.Struct, frozen=True):
    """One listed thing: what identifies it, and its definition as the server wrote it."""

    key: str
    raw: Raw


class Section(msgspec.Struct, frozen=True, kw_only=True, weakref=True):
    """One list of one server, whole.

    ttl_ms, scope  the server's caching hints, the strictest of all pages; None: it gave none.
    extras         members of the list result nobody here knows, as JSON bytes.
    problem        why there is no list; then `items` is empty.
    withheld       what the guard keeps from everybody: the key of each item, and why.
    """

    server: str
    items: tuple[Item, ...] = ()
    ttl_ms: int | None = None
    scope: str | None = None
    extras: dict[str, bytes] = {}
    problem: Failure | None = None
    withheld: dict[str, Failure] = {}


class BadList(Exception):
    """A server's list result has not the shape of a list; the message says what is wrong."""


def read_page(entry: ListMethod, raw: Raw) -> tuple[list[Item], str | None]:
    """The items of one page and the cursor of the next.

    Raises:
        BadList: a member is missing or has the wrong type.
    """
    try:
        members = msgspec.json.decode(raw.member(entry.member) or b"null", type=list[msgspec.Raw])
        items: list[Item] = []
        for data in members:
            item = Raw(bytes(data)).check()
            key: object = msgspec.json.decode(item.member(entry.key) or b"null")
            if not isinstance(key, str):
                raise BadList(f"an entry of {entry.member!r} has no string {entry.key!r}")
            items.append(Item(key, item))
        cursor: object = raw.get("nextCursor")
    except msgspec.MsgspecError as error:
        raise BadList(f"{entry.member!r} is no list of objects ({error})") from error
    if cursor is not None and not isinstance(cursor, str):
        raise BadList("'nextCursor' is no string")
    return items, cursor


class _Hints(msgspec.Struct):
    readOnlyHint: object = None  # noqa: N815 - spelled as in the specification
    idempotentHint: object = None  # noqa: N815 - spelled as in the specification


def safe_to_repeat(tool: Raw) -> bool:
    """Whether a tool's own annotations say that calling it twice is as good as once."""
    try:
        hints = msgspec.json.decode(tool.member("annotations") or b"{}", type=_Hints)
    except msgspec.MsgspecError:
        return False
    return hints.readOnlyHint is True or hints.idempotentHint is True
