"""The gateway's own tools by which models find, look at and call all others.

Must not know: how anything is searched, what is listed where.

They are the same for everybody and always, so that what a host keeps of them stays true. Their
texts are what they cost: together at most 300 tokens, which a test holds them to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, Literal

import msgspec

from lockgate.core.message import Result
from lockgate.core.names import confusable
from lockgate.core.raw import Raw

Role = Literal["find_tools", "describe_tools", "call_tool"]
ROLES: Final[tuple[Role, ...]] = ("find_tools", "describe_tools", "call_tool")

KINDS: Final = ("tool", "prompt", "resource")
DETAILS: Final = ("name", "signature", "schema")
MOST_FOUND: Final = 50
MOST_DESCRIBED: Final = 20
_READS: Final = {"readOnlyHint": True}

_DEFINITIONS: Final[dict[Role, dict[str, Any]]] = {
    "find_tools": {
        "description": (
            "Search the tools available here by what you want to do, or by name. Call what you "
            "find by its name, or with call_tool. Signatures ending in ~ leave something out."
        ),
        "inputSchema": {
            "type": "object",
            "properties": {
                "query": {"type": "string"},
                "server": {"type": "string", "description": "Where it likely is"},
                "kind": {"enum": list(KINDS)},
                "detail": {"enum": list(DETAILS)},
                "limit": {"type": "integer", "maximum": MOST_FOUND},
            },
            "required": ["query"],
        },
        "annotations": _READS,
    },
    "describe_tools": {
        "description": "Full definitions of tools, by their names.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "names": {
                    "type": "array",
                    "items": {"type": "string"},
                    "maxItems": MOST_DESCRIBED,
                }
            },
            "required": ["names"],
        },
        "annotations": _READS,
    },
    "call_tool": {
        "description": "Call any tool by its name.",
        "inputSchema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "arguments": {"type": "object"}},
            "required": ["name"],
        },
    },
}


def named(taken: Collection[str]) -> dict[str, Role]:
    """What each of them is called where these names are taken: by its name, what it does."""
    there = {confusable(name) for name in taken} if taken else frozenset[str]()
    found: dict[str, Role] = {}
    for role in ROLES:
        name: str = role
        while confusable(name) in there:
            name = f"lockgate_{name}"
        found[name] = role
    return found


def definition(name: str, role: Role) -> Raw:
    """One of them as it is listed."""
    return Raw.of({"name": name, **_DEFINITIONS[role]})


class _Asked(msgspec.Struct):
    name: str
    arguments: msgspec.Raw = msgspec.Raw(b"null")


def inside(params: Raw) -> Raw | None:
    """The params of the call that a `call_tool` with these params is about; None: about none.

    Everything beside name and arguments is that call's as well. Arguments may be written as a
    string that holds JSON: some models do, and mean the object.
    """
    try:
        asked = msgspec.json.decode(params.member("arguments") or b"null", type=_Asked)
        given = bytes(asked.arguments).strip()
        if given.startswith(b'"'):
            given = msgspec.json.decode(given, type=str).encode().strip()
            msgspec.json.decode(given, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return None
    if given == b"null":
        return params.without("arguments").replace(name=asked.name)
    if not given.startswith(b"{"):
        return None
    return params.with_members({"name": msgspec.json.encode(asked.name), "arguments": given})


def answer(text: str, *, error: bool = False) -> Result:
    """A tool's result that is this text."""
    members: Mapping[str, Any] = {"content": [{"type": "text", "text": text}]}
    wrong = {"isError": True} if error else {}
    return Result(Raw.of({**members, **wrong, "resultType": "complete"}))
