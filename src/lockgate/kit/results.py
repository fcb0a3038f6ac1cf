"""Results as resources: what is too long for a model is kept, and shown by its beginning and end.

Must not know: any SDK at import (`attach` and `Fitted.blocks` are for those).

    results = Results()

    @server.tool()
    async def report(month: str) -> list:
        return (await results.fit(rows(month))).blocks()

    results.attach(server)

A result within the budget goes out as it is. Of a longer one the model gets a preview, a
`resource_link`, and a tool that reads any part of it: `read_result`. Nothing is lost: all pages
together are the result. What is kept belongs to its owner, expires, and is bounded in bytes
(`lockgate.kit.deposits`). Where the store cannot be asked, a result goes out whole.

Docs: docs/kit/results.md. Source of the block: specification 2026-07-28, server/tools, "Resource
Links".
"""

from __future__ import annotations

import inspect
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlencode

import msgspec

from lockgate.context.body import is_json
from lockgate.context.paging import BadPage, Page, Wanted, whole
from lockgate.context.preview import Seen, preview
from lockgate.context.tokens import Count, counter
from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.store import MEMORY, SQLITE, Blobs, StoreGone
from lockgate.kit.deposits import MIB, About, Deposit, Deposits, Gone, TooLarge, formed
from lockgate.kit.errors import InvalidInput, NotFound, Unavailable
from lockgate.kit.pages import (
    BUDGET,
    PREVIEW,
    content,
    decoded,
    gone,
    link,
    over,
    paged,
    parse_uri,
    room,
    said,
    text_of,
)
from lockgate.kit.request import caller
from lockgate.stores.memory import MemoryStore
from lockgate.stores.opening import open_store
from lockgate.stores.sqlite import SqliteStore
from lockgate.wire.seal import KeyRing

__all__ = ["BadPage", "Deposit", "Fitted", "Gone", "Page", "Results", "TooLarge"]

TOOL: Final = "read_result"
RANGES: Final = "{?offset,limit,grep,path}"
DESCRIPTION: Final = (
    "Reads more of a result that was too long to show whole, by the id given with its preview. "
    "offset and limit page through it (characters; items where path leads to an array); path "
    "(/items/0/name, * for every) selects in JSON; grep (literal text, a|b for either) finds "
    "lines or values."
)


class Fitted(msgspec.Struct, frozen=True):
    """What a tool answers: plain content blocks, as the protocol writes them.

    id   the handle of what is kept; None: all of it is in the blocks.
    uri  where it is read as a resource.
    """

    content: tuple[dict[str, Any], ...]
    id: str | None = None
    uri: str | None = None

    def blocks(self) -> list[Any]:
        """The blocks as the official SDK and FastMCP take them from a tool.

        Raises:
            ImportError: neither is installed.
        """
        from mcp_types import ResourceLink, TextContent  # noqa: PLC0415 - for those who have it

        kinds: dict[str, Any] = {"text": TextContent, "resource_link": ResourceLink}
        return [kinds[one["type"]].model_validate(one) for one in self.content]


class Results:
    """Keeps, shows and gives back. See the file; one for a server is enough."""

    def __init__(
        self,
        store: Blobs | str = MEMORY,
        *,
        keys: KeyRing | None = None,
        budget: int = BUDGET,
        preview: int = PREVIEW,
        ttl: float = 3600.0,
        largest: int = 16 * MIB,
        per_owner: int = 32 * MIB,
        most: int = 64 * MIB,
        scheme: str = "result",
        tool: str = TOOL,
        count: Count | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        """Nothing is kept yet.

        Args:
            store: `memory:`, `sqlite:PATH`, `redis://HOST`, or a store that is open already.
            keys: sign ids, and seal what leaves the process; None: new ones, so that what was kept
                cannot be read after a restart, or by another process.
            budget: tokens a result may have and still be shown whole.
            preview: tokens of all that is shown in the place of a longer one.
            ttl: seconds a result is kept.
            largest: bytes of one; a larger one is not kept (`TooLarge`), and `fit` shows it whole.
            per_owner: bytes of one owner's results together; the oldest goes first.
            most: bytes of all together, in memory or in a file; what was read longest ago goes
                first. Redis has a limit of its own.
            scheme: of the URIs of results.
            tool: what the tool that reads them is called.
            count: counts tokens; None: `lockgate.context.tokens`.
            clock: what ages are measured by.

        Raises:
            StoreMisnamed: the store is none, or wants an extra that is not installed.
        """
        kept = _opened(store, most, clock) if isinstance(store, str) else store
        keys = keys or KeyRing.generate()
        self._deposits = Deposits(
            kept, keys, ttl=ttl, largest=largest, per_owner=per_owner, clock=clock
        )
        self._budget = budget
        self._preview = preview
        self._minutes = ttl / 60
        self._scheme = scheme
        self._tool = tool
        self._count = count

    def _counter(self) -> Count:
        # Loading a vocabulary takes a moment, which only long results need to wait for.
        if self._count is None:
            self._count = counter()
        return self._count

    async def fit(
        self, value: Any, *, owner: str | None = None, name: str = "result", mime: str | None = None
    ) -> Fitted:
        """What a tool answers: `value` itself within the budget, else a preview of it.

        Args:
            value: a text, bytes, or whatever can be written as JSON (pydantic models too).
            owner: who alone may read it; "": whoever has its id; None: who is calling
                (`lockgate.kit.request`).
            name: what it is called in the link.
            mime: its media type, where that is not plain text, JSON or octets.
        """
        data, about = _written(value, name, mime)
        if not about.binary and not over(
            len(data), self._budget, lambda: self._counter()(decoded(data))
        ):
            return Fitted(({"type": "text", "text": decoded(data)},))
        try:
            return await self._kept(_whose(owner), data, about)
        except (StoreGone, TooLarge):
            shown = b64encode(data).decode() if about.binary else decoded(data)
            return Fitted(({"type": "text", "text": shown},))

    async def keep(
        self, value: Any, *, owner: str | None = None, name: str = "result", mime: str | None = None
    ) -> Fitted:
        """As `fit`, whatever the length: a preview and a link.

        Raises:
            TooLarge: it is larger than what is kept.
            StoreGone: the store cannot be asked now.
        """
        data, about = _written(value, name, mime)
        return await self._kept(_whose(owner), data, about)

    async def _kept(self, owner: str, data: bytes, about: About) -> Fitted:
        handle = await self._deposits.keep(owner, data, about)
        if about.binary:
            seen = Seen(f"{about.mime}, {len(data)} bytes", "(binary: as base64)")
        else:
            tokens = room(self._preview, self._budget)
            seen = preview(decoded(data), tokens, self._counter(), json=about.json)
        uri = self.uri(handle)
        text = said(seen, handle, self._minutes, self._tool, paths=about.json)
        return Fitted(
            (
                {"type": "text", "text": text},
                link(uri, about, len(data)),
            ),
            handle,
            uri,
        )

    def uri(self, handle: str) -> str:
        """Where a result is read as a resource; ranges go into the query (`RANGES`)."""
        return f"{self._scheme}://{handle}"

    async def read(
        self,
        which: str,
        *,
        owner: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        grep: str | None = None,
        path: str | None = None,
    ) -> Page:
        """One page of a result, by its id or URI; see `lockgate.context.paging`.

        Raises:
            Gone: there is none, it is over, or it is another owner's.
            BadPage: the path leads nowhere, or a number or pattern cannot be used.
            StoreGone: the store cannot be asked now.
        """
        handle, ranged = self._parsed(which)
        wanted = ranged or Wanted(offset, limit, grep, path)
        found = await self._deposits.take(_whose(owner), handle)
        return await paged(found, wanted, self._budget, self._counter())

    async def value(
        self, which: str, path: str | None = None, *, owner: str | None = None
    ) -> bytes:
        """A result, or what is at `path` of it, whole, as JSON; a text is a JSON string.

        Raises: as `read`.
        """
        handle, _ = self._parsed(which)
        found = await self._deposits.take(_whose(owner), handle)
        return whole(text_of(found), path, json=found.about.json)

    async def resource(self, uri: str, *, owner: str | None = None) -> dict[str, Any]:
        """What `resources/read` answers for the URI of a result, with or without ranges.

        Raises: as `read`.
        """
        handle, wanted = self._parsed(uri)
        found = await self._deposits.take(_whose(owner), handle)
        return {"contents": [await content(uri, found, wanted)]}

    async def forget(self, which: str, *, owner: str | None = None) -> None:
        """Let go of a result before its time."""
        await self._deposits.forget(_whose(owner), self._parsed(which)[0])

    def _parsed(self, which: str) -> tuple[str, Wanted | None]:
        if formed(which):
            return which, None
        return parse_uri(which, self._scheme)

    def attach(self, server: Any, owner: Callable[[], str] = caller) -> None:
        """Add the tool and the resource template to a server of the official SDK or FastMCP.

        `owner` says who is calling, inside a call.
        """

        async def read_result(
            id: str,  # noqa: A002 - what models see
            offset: int = 0,
            limit: int | None = None,
            grep: str | None = None,
            path: str | None = None,
        ) -> str:
            try:
                page = await self.read(
                    id, owner=owner(), offset=offset, limit=limit, grep=grep, path=path
                )
            except Gone:
                raise NotFound(gone(id), "") from None
            except BadPage as error:
                raise InvalidInput(str(error)) from error
            except StoreGone as error:
                raise Unavailable("What is kept cannot be read now.") from error
            return f"{page.headline()}\n{page.text}"

        async def result(
            id: str,  # noqa: A002 - what stands in the template
            offset: str = "",
            limit: str = "",
            grep: str = "",
            path: str = "",
        ) -> str | bytes:
            asked = {"offset": offset, "limit": limit, "grep": grep, "path": path}
            query = urlencode({key: value for key, value in asked.items() if value})
            uri = f"{self.uri(id)}{'?' + query if query else ''}"
            try:
                found = (await self.resource(uri, owner=owner()))["contents"][0]
            except Gone:
                raise NotFound(gone(id), "") from None
            if "blob" in found:
                return (await self._deposits.take(owner(), id)).data
            return str(found["text"])

        # A text that is wrapped as structured content would stand there twice.
        takes = inspect.signature(server.tool).parameters
        plain: dict[str, Any] = {}
        if "structured_output" in takes:
            plain = {"structured_output": False}
        elif "output_schema" in takes:
            plain = {"output_schema": None}
        server.tool(name=self._tool, description=DESCRIPTION, **plain)(read_result)
        server.resource(
            f"{self._scheme}://{{id}}{RANGES}",
            name=self._tool,
            description="A result that was too long to show whole, or a part of it.",
            **_allowed(server),
        )(result)


_PATHS: Final = {
    "mcp": "mcp.server.mcpserver.resources.templates",
    "fastmcp": "fastmcp.resources.security",
}
"""Where frameworks have what holds parts of URIs for paths of files."""


def _allowed(server: Any) -> dict[str, Any]:
    """What a server's `resource` is told: paths in results lead to no files."""
    framework = type(server).__module__.partition(".")[0]
    security = getattr(sys.modules.get(_PATHS.get(framework, "")), "ResourceSecurity", None)
    if security is None or "security" not in inspect.signature(server.resource).parameters:
        return {}
    return {"security": security(exempt_params=frozenset({"path", "grep"}))}


def _whose(owner: str | None) -> str:
    return caller() if owner is None else owner


def _written(value: Any, name: str, mime: str | None) -> tuple[bytes, About]:
    """A value as bytes, and what is known of it."""
    if isinstance(value, bytes | bytearray | memoryview):
        mime = mime or "application/octet-stream"
        return bytes(cast("bytes", value)), About(mime, name, binary=True)
    if isinstance(value, str):
        json = is_json(value)
        plain = mime or ("application/json" if json else "text/plain")
        return value.encode(errors="surrogatepass"), About(plain, name, json=json)
    data = msgspec.json.encode(_plain(value))
    return data, About(mime or "application/json", name, json=True)


def _plain(value: Any) -> Any:
    """Models, one or a list of them, as the values they stand for."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        items = cast("Sequence[Any]", value)
        return [one.model_dump(mode="json") if hasattr(one, "model_dump") else one for one in items]
    return value


def _opened(store: str, most: int, clock: Clock) -> Blobs:
    if store == MEMORY:
        return MemoryStore(clock, max_bytes=most)
    if store.startswith(SQLITE):
        path = Path(store.removeprefix(SQLITE)).expanduser()
        return SqliteStore(path, clock, max_bytes=most)
    return open_store(store, clock)
