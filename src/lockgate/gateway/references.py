"""References to kept results in the arguments of a call, replaced by what they stand for.

Must not know: who keeps results, or what becomes of the call.

    {"$result": ID}                     all of it: its JSON, or its text as a string
    {"$result": ID, "path": "/a/0"}     what is there
    "$result:ID"  "$result:ID/a/0"      the same, where a schema wants a string

Nothing else is a reference, and a text that merely looks like one stays a text: an id has a form of
its own. What is put in place is not looked through again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import msgspec

from lockgate.context.paging import BadPage, whole
from lockgate.core.message import Failure
from lockgate.core.store import StoreGone
from lockgate.kit.deposits import HANDLE, Deposit, Gone, formed
from lockgate.kit.pages import gone, text_of
from lockgate.wire.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS

MARK: Final = b'"$result'
MOST: Final = 16
MOST_ORIGINS: Final = 64
AGAIN: Final = 5
"""Seconds after which a store that was away may be back."""
_KEY: Final = "$result"
_TEXT: Final = "$result:"
_DEEPEST: Final = 64
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode

Take = Callable[[str], Awaitable[Deposit | Failure]]
"""What a handle stands for, for this caller; raises Gone and StoreGone."""


Origins = tuple[tuple[str, ...], ...]
"""The calls that something came from: server, tool, and the arguments where they were short."""


class Resolved(msgspec.Struct, frozen=True):
    """Arguments without references, as JSON, and where what was put into them came from."""

    arguments: bytes
    origins: Origins


class _Reference(msgspec.Struct, frozen=True):
    handle: str
    path: str | None


async def resolved(arguments: bytes, take: Take, most: int) -> Resolved | Failure | None:
    """The arguments with what their references stand for, at most `most` bytes; None: has none."""
    try:
        value: Any = _decode(arguments)
        found: list[_Reference] = []
        _collect(value, found, 0)
    except (msgspec.MsgspecError, RecursionError):
        return None  # whoever has to read them says what is wrong
    if not found:
        return None
    if len(found) > MOST:
        return _too_much(f"One call refers to {MOST} results at most.")
    known: dict[_Reference, bytes] = {}
    origins: dict[tuple[str, ...], None] = {}
    size = len(arguments)
    for one in found:
        taken = await _taken(one, take)
        if isinstance(taken, Failure):
            return taken
        known[one], came_from = taken
        size += len(known[one])
        if size > most:
            return _too_much(f"With what it refers to, a call has {most} bytes at most.")
        origins.update(dict.fromkeys(came_from))
    if len(origins) > MOST_ORIGINS:
        return _too_much("What it refers to came from too many tools.")
    return Resolved(_encode(_put(value, known)), tuple(origins))


async def _taken(one: _Reference, take: Take) -> tuple[bytes, Origins] | Failure:
    """What a reference stands for, as JSON, and where that came from."""
    try:
        deposit = await take(one.handle)
        if isinstance(deposit, Failure):
            return deposit
        data = whole(text_of(deposit), one.path, json=deposit.about.json)
    except Gone:
        return _gone(one.handle)
    except BadPage as error:
        return _nowhere(error)
    except StoreGone:
        return _AWAY
    return data, deposit.about.origins


def _of(value: object) -> _Reference | None:
    """The reference that a value is, if it is one."""
    if isinstance(value, str):
        if not value.startswith(_TEXT):
            return None
        handle, rest = value[len(_TEXT) :][:HANDLE], value[len(_TEXT) + HANDLE :]
        if not formed(handle) or (rest and not rest.startswith("/")):
            return None
        return _Reference(handle, rest or None)
    if not isinstance(value, dict):
        return None
    said = cast("dict[str, object]", value)
    handle, path = said.get(_KEY), said.get("path")
    if not isinstance(handle, str) or not formed(handle) or not said.keys() <= {_KEY, "path"}:
        return None
    return _Reference(handle, path) if path is None or isinstance(path, str) else None


def _collect(value: object, found: list[_Reference], depth: int) -> None:
    one = _of(value)
    if one is not None:
        found.append(one)
    elif depth < _DEEPEST and isinstance(value, dict | list):
        for inner in _inside(cast("dict[str, object] | list[object]", value)):
            _collect(inner, found, depth + 1)


def _inside(value: dict[str, object] | list[object]) -> list[object]:
    return list(value.values()) if isinstance(value, dict) else value


def _put(value: Any, known: dict[_Reference, bytes], depth: int = 0) -> Any:
    one = _of(value)
    if one is not None:
        return msgspec.Raw(known[one])
    if depth < _DEEPEST and isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {key: _put(item, known, depth + 1) for key, item in members.items()}
    if depth < _DEEPEST and isinstance(value, list):
        return [_put(item, known, depth + 1) for item in cast("list[Any]", value)]
    return value


def _gone(handle: str) -> Failure:
    return Failure(
        code=INVALID_PARAMS,
        message=gone(handle),
        origin="client",
        reason="reference-gone",
        remedy="Refer to its new result.",
    )


def _nowhere(error: BadPage) -> Failure:
    return Failure(
        code=INVALID_PARAMS,
        message=f"A reference to a result leads nowhere. {error}",
        origin="client",
        reason="reference-path",
        remedy="Correct the path.",
    )


def _too_much(message: str) -> Failure:
    return Failure(
        code=INVALID_PARAMS,
        message=message,
        origin="client",
        reason="reference-size",
        remedy="Refer to less, by a path to what is needed.",
    )


_AWAY: Final = Failure(
    code=INTERNAL_ERROR,
    message="The store that keeps results cannot be asked now.",
    origin="gateway",
    reason="reference-store",
    data={"retry_after": AGAIN},
    remedy="Try again; the log says what ails the store.",
)
