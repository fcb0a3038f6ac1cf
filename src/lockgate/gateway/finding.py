"""What `find_tools` and `describe_tools` answer.

Must not know: endpoints, what lists show, how anything is ranked.

What is wrong with what a model asked is told as a result, so that it can ask better.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

import msgspec

from lockgate.context.search.index import Hit
from lockgate.context.signature import LOST, line, signature
from lockgate.core.message import Call, Failure, Reply, Result
from lockgate.core.names import nearest
from lockgate.core.raw import Raw
from lockgate.gateway.catalog import Catalog
from lockgate.gateway.face import Face
from lockgate.gateway.own_tools import (
    DETAILS,
    KINDS,
    MOST_DESCRIBED,
    MOST_FOUND,
    Role,
    answer,
)
from lockgate.gateway.searching import Library, View
from lockgate.gateway.shaping import Write

FOUND: Final = 10
"""How many are found where nobody says how many."""
LONGEST_SIGNATURE: Final = 240
"""Characters; what one tool takes is missing for others."""
LONGEST: Final = 64 * 1024
"""Characters of one answer."""
_MOST_SERVERS: Final = 50
_LISTS: Final = {
    "tool": ("tools/list",),
    "prompt": ("prompts/list",),
    "resource": ("resources/list", "resources/templates/list"),
}
_SCHEMA: Final = ("name", "description", "inputSchema", "outputSchema")


class _Search(msgspec.Struct):
    """What may be asked; what is not there counts as not said."""

    query: str = ""
    server: str | None = None
    kind: str | None = None
    detail: str | None = None
    limit: int | float | None = None


class _Names(msgspec.Struct):
    names: list[str] | str


class _Form(NamedTuple):
    """How what is found is written: how much of it, and by what all of it is."""

    detail: str
    write: Write


class Finder:
    """Answers for one engine."""

    def __init__(self, catalog: Catalog, library: Library) -> None:
        """What `catalog` shows a caller is searched by way of `library`."""
        self._catalog = catalog
        self._library = library

    async def answer(self, role: Role, face: Face, call: Call) -> Reply:
        """The answer of one of the tools; `face` is the caller's list of tools."""
        arguments = call.params.member("arguments") or b"{}"
        try:
            if role == "find_tools":
                return await self._find(call, msgspec.json.decode(arguments, type=_Search))
            if role == "describe_tools":
                names = msgspec.json.decode(arguments, type=_Names).names
                return _described(face, names, self._write(call))
        except msgspec.MsgspecError as error:
            return answer(f"{role}: {error}", error=True)
        return answer(
            "call_tool needs `name`, the name of another tool, and `arguments`, an object.",
            error=True,
        )

    def _write(self, call: Call) -> Write:
        """What definitions are written in for a caller who asks for all of them."""
        return self._catalog.shaping.whole(self._catalog.sights.of(call).endpoint, call.client)

    async def _find(self, call: Call, asked: _Search) -> Reply:
        kind, detail = asked.kind or "tool", asked.detail or "signature"
        if kind not in KINDS or detail not in DETAILS:
            known = f"`kind` is one of {', '.join(KINDS)}; `detail` one of {', '.join(DETAILS)}."
            return answer(known, error=True)
        most = int(max(1, min(MOST_FOUND, asked.limit or FOUND)))
        views: list[View] = []
        for method in _LISTS[kind]:
            face = await self._catalog.face(method, call)
            views.append(await self._library.view(self._catalog.outlook(call), face))
        server = (asked.server or "").strip()
        form = _Form(detail, self._write(call))
        if not asked.query.strip():
            return answer(_overview(kind, views, server, most, form))
        found: list[tuple[Hit, View]] = []
        for view in views:
            near = await self._library.near(view, asked.query)
            hits = view.scope.search(asked.query, most, server=server, meaning=near)
            found += [(hit, view) for hit in hits]
        found.sort(key=lambda one: _order(one[0]))
        if not found:
            return answer(_nothing(kind, asked.query, views))
        lines = [_written(view, hit.number, form) for hit, view in found[:most]]
        return answer(_joined(lines))


def _order(hit: Hit) -> tuple[bool, float]:
    return not hit.exact, -hit.score


def _written(view: View, number: int, form: _Form) -> str:
    name = view.names[number]
    return _LINES[view.face.entry.kind](name, view.face.items[name], form)


def _tool(name: str, item: Raw, form: _Form) -> str:
    said = item.get("description") or item.get("title") or ""
    if form.detail == "schema":
        return _definition(item, form.write)
    if form.detail == "name":
        # Of what is not called, there is no signature.
        return line(name, said, {}).replace("()", "", 1)
    return called(name, said, item.get("inputSchema"))


def called(name: str, said: object, schema: object) -> str:
    """How a tool is called, in one line: a long signature is cut, and marked as not whole."""
    written = line(name, said, schema)
    head = str(signature(name, schema))
    if len(head) <= LONGEST_SIGNATURE:
        return written
    kept = head[:LONGEST_SIGNATURE].rpartition(", ")[0] or head[:LONGEST_SIGNATURE]
    return f"{kept}, …){LOST}{written[len(head) :]}"


def _definition(item: Raw, write: Write) -> str:
    members = {key: item.member(key) for key in _SCHEMA}
    whole = Raw(members={key: data for key, data in members.items() if data}).encode()
    return write(whole).decode()


def _prompt(name: str, item: Raw, form: _Form) -> str:
    said, detail = item.get("description") or item.get("title") or "", form.detail
    if detail == "schema":
        return item.encode().decode()
    schema: dict[str, Any] = {"properties": {}, "required": []}
    given: object = item.get("arguments")
    for one in cast("list[object]", given) if isinstance(given, list) else ():
        if isinstance(one, dict) and detail != "name":
            argument = cast("dict[str, Any]", one)
            schema["properties"][str(argument.get("name"))] = {"type": "string"}
            if argument.get("required") is True:
                schema["required"].append(str(argument.get("name")))
    written = line(name, said, schema)
    return written.replace("()", "", 1) if detail == "name" else written


def _resource(name: str, item: Raw, form: _Form) -> str:
    detail = form.detail
    if detail == "schema":
        return item.encode().decode()
    called = item.get("title") or item.get("name") or ""
    said = item.get("description") if detail == "signature" else ""
    text = ": ".join(one for one in (called, said) if isinstance(one, str) and one)
    return line(name, text, {}).replace("()", "", 1)


_LINES: Final[Mapping[str, Callable[[str, Raw, _Form], str]]] = {
    "tool": _tool,
    "prompt": _prompt,
    "resource": _resource,
    "template": _resource,
}


def _joined(lines: Iterable[str]) -> str:
    """The lines that there is room for."""
    shown: list[str] = []
    room = LONGEST
    every = list(lines)
    for one in every:
        room -= len(one) + 1
        if room < 0 and shown:
            shown.append(f"… {len(every) - len(shown)} more; ask for fewer, or for less detail.")
            break
        shown.append(one)
    return "\n".join(shown)


def _servers(views: Sequence[View]) -> str:
    """The servers there is something of, and how much."""
    counts = Counter(target.server for view in views for target in view.face.routes.values())
    shown = [f"{name} ({count})" for name, count in list(counts.items())[:_MOST_SERVERS]]
    if len(counts) > _MOST_SERVERS:
        shown.append(f"{len(counts) - _MOST_SERVERS} more")
    return f"Servers: {', '.join(shown)}." if shown else "There is none."


def _overview(kind: str, views: Sequence[View], server: str, most: int, form: _Form) -> str:
    """What there is, for those who ask for nothing in particular."""
    if server:
        lines = [
            _LINES[view.face.entry.kind](name, view.face.items[name], form)
            for view in views
            for name, target in view.face.routes.items()
            if target.server == server and name in view.face.items
        ]
        if lines:
            more = len(lines) - most
            said = [f"… {more} more of {server}; say what you want to do."] if more > 0 else []
            return _joined([*lines[:most], *said])
    return f"Say what you want to do with a {kind}. {_servers(views)}{_away(views)}"


def _nothing(kind: str, query: str, views: Sequence[View]) -> str:
    near = [view.names[number] for view in views for number in view.scope.nearest(query, 5)]
    if not near:
        guess = nearest(query.strip(), [name for view in views for name in view.face.routes])
        near = [guess] if guess else []
    said = f" The nearest names: {', '.join(near)}." if near else ""
    return (
        f"No {kind} was found for {query.strip()[:200]!r}.{said} {_servers(views)}{_away(views)} "
        "Try other words; searching for the same again finds the same."
    )


def _away(views: Sequence[View]) -> str:
    """The servers whose lists are not there now: what is sought may be theirs."""
    away = {
        part.server: None for view in views for part in view.face.parts if part.problem is not None
    }
    return f" Not available now: {', '.join(away)}." if away else ""


def _described(face: Face, names: list[str] | str, write: Write) -> Result | Failure:
    asked = [names] if isinstance(names, str) else names
    lines: list[str] = []
    found = 0
    for name in list(dict.fromkeys(asked))[:MOST_DESCRIBED]:
        item = face.items.get(name)
        found += item is not None
        lines.append(_unknown(face, name) if item is None else _definition(item, write))
    if len(asked) > MOST_DESCRIBED:
        lines.append(f"Only {MOST_DESCRIBED} are described at a time.")
    return answer(_joined(lines) or "Name at least one tool.", error=not found)


def _unknown(face: Face, name: str) -> str:
    guess = nearest(name, face.routes)
    hint = f" Did you mean {guess}?" if guess else " Search for it with find_tools."
    return f"There is no tool {name[:128]!r}.{hint}"
