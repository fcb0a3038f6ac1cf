"""Every list the server has, page by page and item by item.

Must not know: transports.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Final, cast

import msgspec

from lockgate.core.legible import shortened, visible
from lockgate.core.message import Era
from lockgate.doctor.heard import Heard
from lockgate.doctor.visit import ERAS, Visit, Voice
from lockgate.guard.schemas.schema import compiled
from lockgate.guard.schemas.shape import Unusable
from lockgate.wire.headers import InvalidAnnotation, param_headers

PAGES: Final = 100
ITEMS: Final = 20_000
"""A list that has more of either is taken for one that does not end."""
_REFUSED: Final = -32601
_name: Final = re.compile(r"[A-Za-z0-9_.\-/]{1,128}")

LISTS: Final = {
    "tools/list": ("tools", "tools", ("name", "inputSchema"), "name"),
    "prompts/list": ("prompts", "prompts", ("name",), "name"),
    "resources/list": ("resources", "resources", ("uri", "name"), "uri"),
    "resources/templates/list": (
        "resources",
        "resourceTemplates",
        ("uriTemplate", "name"),
        "uriTemplate",
    ),
}
"""Method → capability, member with the items, members of each item, and what names an item."""


async def lists(visit: Visit) -> None:
    """All of them, in each era."""
    for era, voice in visit.voices.items():
        counted: list[str] = []
        for method, (capability, member, _, _) in LISTS.items():
            declared = capability in visit.capabilities(era)
            items = await _list(visit, voice, method, declared=declared)
            if items is None:
                continue
            visit.lists.setdefault(era, {})[method] = items
            counted.append(f"{len(items)} {_WORDS[member]}")
            _items(visit, method, items)
        _empty(visit, era)
        visit.saw(f"{ERAS[era]}: {', '.join(counted) or 'nothing listed'}")
    _compare(visit)


_WORDS: Final = {
    "tools": "tools",
    "prompts": "prompts",
    "resources": "resources",
    "resourceTemplates": "templates",
}


async def _list(
    visit: Visit, voice: Voice, method: str, *, declared: bool
) -> list[dict[str, Any]] | None:
    """The items of all pages; None when there is no such list."""
    first = await voice.ask(method)
    if first.result is None:
        # A server with resources need not have templates.
        if declared and not (method.endswith("templates/list") and first.code == _REFUSED):
            visit.find("list-failed", f"{method}: {first}", times=4)
        return None
    if not declared:
        if _raw(first, method):
            visit.find("capability-undeclared", f"{method} has items", times=4)
        return None
    items = _page(visit, first, method, voice.era)
    rest = await _rest(visit, voice, method, first)
    if not rest and len(items) > 1 and method == "tools/list":
        await _again(visit, voice, method, items)
    return items + rest


def _raw(heard: Heard, method: str) -> list[Any]:
    found = (heard.result or {}).get(LISTS[method][1])
    return cast("list[Any]", found) if isinstance(found, list) else []


def _page(visit: Visit, heard: Heard, method: str, era: Era) -> list[dict[str, Any]]:
    """The items of one page that are any."""
    result = heard.result or {}
    _, member, needed, _ = LISTS[method]
    if not isinstance(result.get(member), list):
        visit.find("list-invalid", f"{method}: there is no list {member!r}", times=4)
    if era == "modern":
        lacks = [one for one in ("resultType", "ttlMs", "cacheScope") if one not in result]
        if lacks:
            visit.find("list-undressed", f"{method}: without {', '.join(lacks)}", times=4)
    items: list[dict[str, Any]] = []
    for one in _raw(heard, method):
        item = cast("dict[str, Any]", one) if isinstance(one, dict) else {}
        missing = [name for name in needed if name not in item]
        if missing:
            shown = shortened(visible(str(item.get("name", one))), 60)
            visit.find("list-invalid", f"{method}: {shown} has no {', '.join(missing)}", times=4)
        else:
            items.append(item)
    return items


async def _rest(visit: Visit, voice: Voice, method: str, first: Heard) -> list[dict[str, Any]]:
    """What the pages after the first hold."""
    cursor = (first.result or {}).get("nextCursor")
    seen: set[str] = set()
    items: list[dict[str, Any]] = []
    while isinstance(cursor, str):
        if cursor in seen or len(seen) >= PAGES or len(items) > ITEMS:
            visit.find("list-endless", f"{method}: page {len(seen) + 1}")
            break
        seen.add(cursor)
        heard = await voice.ask(method, {"cursor": cursor})
        if heard.result is None:
            visit.find("list-cursor", f"{method}: {heard}")
            break
        items += _page(visit, heard, method, voice.era)
        cursor = heard.result.get("nextCursor")
    return items


async def _again(visit: Visit, voice: Voice, method: str, items: list[dict[str, Any]]) -> None:
    """The same list once more: it should come as it came before."""
    again = await voice.ask(method)
    key = LISTS[method][3]
    before = [one[key] for one in items]
    raw = [cast("dict[str, Any]", one) for one in _raw(again, method) if isinstance(one, dict)]
    after = [one.get(key) for one in raw]
    if before != after and Counter(map(str, before)) == Counter(map(str, after)):
        visit.find("list-unsteady", method)


def _items(visit: Visit, method: str, items: list[dict[str, Any]]) -> None:
    key = LISTS[method][3]
    for name, number in Counter(str(one[key]) for one in items).items():
        if number > 1:
            visit.find("list-twice", f"{method}: {shortened(visible(name), 60)}", times=4)
    if method == "tools/list":
        for one in items:
            _tool(visit, one)


def _tool(visit: Visit, tool: dict[str, Any]) -> None:
    name = str(tool["name"])
    shown = shortened(visible(name), 60)
    if not _name.fullmatch(name):
        visit.find("tool-name", repr(shown), times=4)
    if not str(tool.get("description") or "").strip():
        visit.find("tool-undescribed", shown, times=4)
    schema: object = tool["inputSchema"]
    if why := _unfit(schema):
        visit.find("tool-schema", f"{shown}: {why}", times=4)
        return
    try:
        param_headers(cast("dict[str, Any]", schema))
    except InvalidAnnotation as error:
        visit.find("tool-header", f"{shown}: {error}", times=4)


def _unfit(schema: object) -> str:
    """Why a schema is none of an object's; nothing if it is one."""
    if not isinstance(schema, dict) or cast("dict[str, Any]", schema).get("type") != "object":
        return "its type is not object"
    try:
        compiled(msgspec.json.encode(schema))
    except Unusable as error:
        return str(error)
    return ""


def _empty(visit: Visit, era: Era) -> None:
    """Of a capability whose every list is empty."""
    declared = visit.capabilities(era)
    found = visit.lists.get(era, {})
    for capability in ("tools", "prompts", "resources"):
        methods = [method for method, one in LISTS.items() if one[0] == capability]
        had = [method for method in methods if method in found]
        if capability in declared and had and not any(found[one] for one in had):
            visit.find(
                "list-empty" if capability == "tools" else "capability-idle", capability, times=3
            )


def _compare(visit: Visit) -> None:
    if len(visit.lists) < 2:
        return
    modern, handshake = visit.lists["modern"], visit.lists["handshake"]
    for method, (_, member, _, key) in LISTS.items():
        ones = {str(one[key]) for one in modern.get(method, [])}
        others = {str(one[key]) for one in handshake.get(method, [])}
        if ones != others:
            odd = ", ".join(sorted(shortened(visible(one), 40) for one in ones ^ others)[:5])
            visit.find("eras-differ", f"{_WORDS[member]}: only in one of them: {odd}", times=4)
