"""What the gateway itself lists and answers for results it keeps: a tool, and a resource template.

Must not know: how results come to be kept, budgets of servers, fronts.

The tool is for models whose host reads no resources, which are most; the resource is for hosts and
programs. Both are the same for everybody at an endpoint, whatever was called before, so lists stay
as they are (2026-07-28, server/tools: lists do not vary by connection or by earlier requests).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from lockgate.context.paging import BadPage, Wanted
from lockgate.context.tokens import counter
from lockgate.core.message import Call, Failure, Reply, Result, Target
from lockgate.core.raw import Raw
from lockgate.core.store import StoreGone
from lockgate.gateway.catalog import Catalog
from lockgate.gateway.face import Face
from lockgate.gateway.handles import Handles
from lockgate.gateway.lending import SCHEME, Lending, Loan, Surroundings
from lockgate.gateway.listing import Item, ListMethod
from lockgate.gateway.own_tools import answer
from lockgate.gateway.recalling import NOBODY, NONE, PAGE
from lockgate.kit.deposits import Gone, formed
from lockgate.kit.pages import content, gone, paged, parse_uri
from lockgate.kit.results import RANGES
from lockgate.wire.jsonrpc import INVALID_PARAMS

NAME: Final = "read_result"
TEMPLATE: Final = f"{SCHEME}://{{id}}{RANGES}"
_READS: Final = (
    "Read more of a result that was too long to show whole, by its id. offset and limit page "
    "(characters; items where path leads to an array), path selects in JSON (/items/0/name, * for "
    "every), grep finds literal text (a|b: either). Without id: lists what is kept for you."
)
_REFERS: Final = (
    ' To hand a result on unread, give another tool {"$result": id, "path": …} or '
    '"$result:ID/path" as an argument.'
)
_TOOLS: Final = "tools/list"
_MILLISECONDS: Final = 60_000


def _tool(loan: Loan) -> Raw:
    number = {"type": "integer", "minimum": 0}
    text = {"type": "string"}
    return Raw.of(
        {
            "name": NAME,
            "description": _READS + (_REFERS if loan.references else ""),
            "inputSchema": {
                "type": "object",
                "properties": {
                    "id": text,
                    "offset": number,
                    "limit": {"type": "integer", "minimum": 1},
                    "grep": text,
                    "path": text,
                },
            },
            "annotations": {"readOnlyHint": True},
        }
    )


def _template() -> Raw:
    return Raw.of(
        {
            "uriTemplate": TEMPLATE,
            "name": NAME,
            "description": "A result that was too long to show whole, or a part of it.",
        }
    )


def look_around(
    lending: Lending, handles: Handles, catalog: Catalog, masked: Callable[[str], str] = str
) -> None:
    """Have `lending` know what an engine knows."""

    def listed(call: Call) -> Face | None:
        return catalog.at_hand(_TOOLS, call.replace(method=_TOOLS, target=None))

    def tool(call: Call) -> str:
        face = listed(call)
        found = [] if face is None else [name for name in face.items if owned(face, name)]
        return found[0] if found else NAME

    def names(call: Call) -> Mapping[Target, str]:
        face = listed(call)
        return {} if face is None else {target: name for name, target in face.routes.items()}

    lending.look_into(
        Surroundings(
            handles.whose,
            catalog.sights.of,
            catalog.definition,
            tool,
            names,
            catalog.unshown,
            masked,
        )
    )


def owned(face: Face, name: str) -> bool:
    """Whether a name is that of the tool, as this face lists it."""
    return name.endswith(NAME) and name in face.items and name not in face.routes


class _Asked(msgspec.Struct):
    """The arguments of the tool; of numbers as models write them."""

    id: str | None = None
    offset: int | None = 0
    limit: int | None = None
    grep: str | None = None
    path: str | None = None


class ResultReader:
    """Lists and answers, for one engine."""

    def __init__(self, lending: Lending) -> None:
        """`lending` knows what is kept, and where anything is."""
        self._lending = lending

    def listed(self, entry: ListMethod, endpoint: str) -> Sequence[Item]:
        """What stands at the end of a list, at endpoints where anything is kept."""
        loan = self._lending.at(endpoint)
        if loan is None:
            return ()
        if entry.method == _TOOLS:
            return (Item(NAME, _tool(loan)),)
        if entry.method == "resources/templates/list":
            return (Item(TEMPLATE, _template()),)
        return ()

    def introduced(self, call: Call, facts: Raw) -> Raw:
        """A discover result that says what the gateway itself offers as well."""
        if self._lending.at(call.facts.get("endpoint", "")) is None:
            return facts
        able: dict[str, Any] = dict(facts.get("capabilities") or {})
        for name in ("tools", "resources"):
            if not isinstance(able.get(name), dict):
                able[name] = {"listChanged": True}
        return facts.replace(capabilities=able)

    async def call(self, call: Call) -> Reply:
        """What the tool answers."""
        try:
            asked = msgspec.convert(call.params.get("arguments") or {}, _Asked, strict=False)
        except msgspec.MsgspecError as error:
            return answer(f"The arguments do not fit: {error}.", error=True)
        if not asked.id:
            return await self._list(call, asked)
        return await self._page(call, asked, asked.id)

    async def _list(self, call: Call, asked: _Asked) -> Reply:
        offset = max(asked.offset or 0, 0)
        try:
            found = await self._lending.listed(call, offset, min(max(asked.limit or PAGE, 1), PAGE))
        except StoreGone as error:
            return answer(str(error), error=True)
        if found is None:
            return answer(NOBODY, error=True)
        lines, total, following = found
        more = "" if following is None else f"; next: offset={following}"
        if not lines:
            return answer(NONE if following is None else f"[none of these is there now{more}]")
        head = f"[{len(lines)} results, of at most {total}, newest first{more}]"
        return answer("\n".join((head, *lines)))

    async def _page(self, call: Call, asked: _Asked, which: str) -> Reply:
        loan = self._lending.at(call.facts.get("endpoint", "")) or Loan()
        try:
            handle, wanted = _parsed(asked, which)
            found = await self._lending.take(call, handle)
            if isinstance(found, Failure):
                return found
            page = await paged(found, wanted, loan.budget, counter())
        except Gone:
            return answer(gone(which), error=True)
        except (BadPage, StoreGone) as error:
            return answer(str(error), error=True)
        return answer(f"{page.headline()}\n{page.text}")

    async def read(self, call: Call, uri: str) -> Reply | None:
        """What `resources/read` answers for the URI of a result; None: there is none."""
        if self._lending.at(call.facts.get("endpoint", "")) is None:
            return None
        try:
            handle, wanted = parse_uri(uri, SCHEME)
            found = await self._lending.take(call, handle)
            if isinstance(found, Failure):
                return found
            contents = await content(uri, found, wanted)
        except (Gone, StoreGone):
            return None
        except BadPage as error:
            return Failure(
                code=INVALID_PARAMS,
                message=f"The range of a result cannot be read. {error}",
                origin="client",
                reason="invalid-params",
                remedy="Correct offset, limit, grep or path in the URI.",
            )
        return Result(_read(contents))


def _parsed(asked: _Asked, which: str) -> tuple[str, Wanted]:
    """The handle and the range of a call; the id may be the URI."""
    wanted = Wanted(asked.offset or 0, asked.limit, asked.grep, asked.path)
    if formed(which):
        return which, wanted
    handle, ranged = parse_uri(which, SCHEME)
    return handle, wanted if ranged is None else ranged


def _read(contents: Mapping[str, Any]) -> Raw:
    # It never changes; for how long it is kept, whoever has it need not know to the second.
    return Raw.of(
        {
            "contents": [contents],
            "resultType": "complete",
            "ttlMs": _MILLISECONDS,
            "cacheScope": "private",
        }
    )
