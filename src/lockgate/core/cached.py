"""What a cache needs to know of a call and of its result: the key, the hints, the entry.

Must not know: where entries are kept, or when one is used.

Source: specification 2026-07-28, server/utilities/caching (cache key, ttlMs, cacheScope).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, Literal

import msgspec

from lockgate.core.message import Call, Failure, Result
from lockgate.core.raw import Raw
from lockgate.core.store import Blobs

Scope = Literal["public", "private"]

NEVER: Final = ("inputResponses", "requestState", "task")
"""Params of calls whose result depends on more than the params."""
TRACE: Final = frozenset({"traceparent", "tracestate", "baggage"})
"""What differs from call to call and changes no result (W3C Trace Context)."""

_encode: Final = msgspec.json.Encoder(order="sorted").encode


def base_of(call: Call, told: str = "", shown: str = "") -> bytes | None:
    """A digest of what decides the result, whoever asks; None when no result may be kept.

    `told` stands for what the server itself was told: under the same name it may be another one;
    `shown` for whose credentials it is shown.

    Everything read is decoded, so that what was compared is what is forwarded: a key that appears
    twice means to the server what it meant here.
    """
    params = call.params
    target = call.target
    try:
        if target is None or any(name in params for name in NEVER):
            return None
        said: dict[str, Any] = {name: params[name] for name in params}
        meta = said.pop("_meta", None)
        if isinstance(meta, Mapping):
            meta = {name: meta[name] for name in meta if name not in TRACE}  # pyright: ignore[reportUnknownVariableType] - any JSON object
        if meta:
            said["_meta"] = meta
        client = call.client
        return blake2b(
            _encode(
                [
                    target.server,
                    told,
                    shown,
                    call.method,
                    client.era,
                    client.protocol_version,
                    client.capabilities_key,
                    said,
                ]
            ),
            digest_size=24,
        ).digest()
    except msgspec.MsgspecError:
        # Not for this one to judge; whoever needs the params says what is wrong with them.
        return None


def key_of(base: bytes, call: Call, scope: Scope) -> str:
    """The key of an entry: for everybody, or for one authorization context and its session."""
    if scope == "public":
        return base.hex()
    whose = _encode([call.principal.id, call.affinity])
    return blake2b(whose, key=base, digest_size=24).hexdigest()


class _Hints(msgspec.Struct, gc=False):
    ttlMs: Any = None  # noqa: N815 - the wire's spelling
    cacheScope: Any = None  # noqa: N815 - the wire's spelling
    isError: Any = None  # noqa: N815 - the wire's spelling


_hints: Final = msgspec.json.Decoder(_Hints).decode


class Hints(msgspec.Struct, frozen=True):
    """What a result says of itself: seconds it is fresh for, and for whom. None: not said."""

    ttl: float | None
    scope: Scope | None


NO_HINTS: Final = Hints(None, None)


def hints_of(result: Result, data: bytes) -> Hints | None:
    """The caching hints of a result with these bytes; None when it must not be kept at all."""
    if result.kind != "complete":
        return None
    if b'"ttlMs"' not in data and b'"cacheScope"' not in data and b'"isError"' not in data:
        return NO_HINTS
    try:
        said = _hints(data)
    except msgspec.MsgspecError:
        return None
    if said.isError not in (None, False):
        return None
    ttl: object = said.ttlMs
    seconds: float | None = None
    if isinstance(ttl, int | float) and not isinstance(ttl, bool):
        seconds = max(float(ttl), 0.0) / 1000
    scope: Scope | None = "public" if said.cacheScope == "public" else None
    if said.cacheScope is not None and scope is None:
        scope = "private"
    return Hints(seconds, scope)


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """An entry. Times in seconds since the epoch.

    key      the key it was kept under, so that no store can hand out somebody else's.
    fresh    until when it may be served without asking.
    hinted   the result carries `ttlMs`, which has to say what is left of it.
    """

    key: str
    fresh: float
    hinted: bool
    data: bytes


_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(Kept).decode


def packed(kept: Kept) -> bytes:
    """An entry as bytes."""
    return _pack(kept)


def unpacked(data: bytes, key: str) -> Kept | None:
    """The entry, if these bytes are the one of this key."""
    try:
        kept = _unpack(data)
    except msgspec.MsgspecError:
        return None
    return kept if kept.key == key else None


class ToolRule(msgspec.Struct, frozen=True):
    """How long results of a tool are kept, in seconds, and for whom if they do not say."""

    ttl: float
    scope: Scope = "private"


class Counts(msgspec.Struct):
    """What came of the calls that were looked up.

    hits     answered from here.
    misses   asked of the server.
    joined   answered with what somebody else was asking at that moment.
    stale    asked of the server, which could not, and answered with what it had said before.
    kept     answers that were kept.
    dropped  times the server said that something has changed.
    """

    hits: int = 0
    misses: int = 0
    joined: int = 0
    stale: int = 0
    kept: int = 0
    dropped: int = 0

    @property
    def hit_rate(self) -> float | None:
        """The share of calls the server was not asked for; None when there was no call."""
        spared = self.hits + self.joined
        looked_up = spared + self.misses
        return round(spared / looked_up, 3) if looked_up else None


ANSWERED: Final = frozenset({"upstream-error", "error"})
TURNED_AWAY: Final = frozenset({"breaker-open", "server-busy"})


def cannot(failure: Failure) -> bool:
    """Whether a failure says that the server cannot answer now, and is no answer of its own."""
    if failure.origin == "policy":
        return failure.reason in TURNED_AWAY
    return failure.origin in ("upstream", "gateway") and failure.reason not in ANSWERED


def judged(hints: Hints, rule: ToolRule | None, longest: float) -> tuple[float, Scope]:
    """For how long and for whom: what the result says, within what was configured."""
    if rule is None:
        return min(hints.ttl or 0.0, longest), hints.scope or "private"
    ttl = rule.ttl if hints.ttl is None else min(hints.ttl, rule.ttl)
    return min(ttl, longest), hints.scope or rule.scope


def group(server: str, method: str) -> str:
    """All entries of one server and method."""
    return f"{server}\0{method}"


def uri_group(server: str, uri: object) -> str:
    """All entries of one resource, whoever they are for."""
    return f"{server}\0uri\0{uri}"


def groups_of(call: Call) -> list[str]:
    """The groups an entry belongs to, by which it is dropped."""
    if call.target is None:
        return []
    groups = [group(call.target.server, call.method)]
    if call.method == "resources/read":
        groups.append(uri_group(call.target.server, call.target.name))
    return groups


async def find(blobs: Blobs, keys: Sequence[str], now: float) -> Kept | None:
    """The entry under these keys: a fresh one, else an old one that may still help out."""
    old: Kept | None = None
    for key in keys:
        data = await blobs.get(key)
        kept = None if data is None else unpacked(data, key)
        if kept is not None and kept.fresh > now:
            return kept
        old = old or kept
    return old


def served(kept: Kept, now: float) -> Result:
    """The result as it may be given out now: `ttlMs` is what is left of it."""
    raw = Raw(kept.data)
    if kept.hinted:
        left = max(0, int((kept.fresh - now) * 1000))
        raw = raw.with_members({"ttlMs": b"%d" % left})
    return Result(raw)
