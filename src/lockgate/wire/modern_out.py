"""The stateless era (2026-07-28) toward servers: requests as bytes out, results as values in.

Must not know: transports, sessions, or what a method does. Sources: revision 2026-07-28, basic
(`_meta`, results), basic/patterns/progress and subscriptions.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from lockgate.core.message import Call, ClientFacts, Notification, Result
from lockgate.core.raw import Raw
from lockgate.wire.modern_shapes import (
    Cancelled,
    Discovery,
    Head,
    Progress,
    Tagged,
    Unsupported,
)
from lockgate.wire.revisions import (
    LATEST_MODERN,
    META_CLIENT_CAPABILITIES,
    META_CLIENT_INFO,
    META_LOG_LEVEL,
    META_SUBSCRIPTION_ID,
    META_VERSION,
    RESERVED_REQUEST_META,
)

PROGRESS: Final = "notifications/progress"
MESSAGE: Final = "notifications/message"
ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"

_ENVELOPE_META: Final = frozenset({*RESERVED_REQUEST_META, "progressToken"})
_encode: Final = msgspec.json.Encoder().encode


class InvalidResult(Exception):
    """A result that this revision does not allow; the text says why."""


_read_head: Final = msgspec.json.Decoder(Head).decode
_read_progress: Final = msgspec.json.Decoder(Progress).decode
_read_cancelled: Final = msgspec.json.Decoder(Cancelled).decode
_read_tag: Final = msgspec.json.Decoder(Tagged).decode
_read_discovery: Final = msgspec.json.Decoder(Discovery).decode

_KINDS: Final[dict[str, Literal["complete", "input_required", "task"]]] = {
    "complete": "complete",
    "input_required": "input_required",
    "task": "task",
}


def request_params(call: Call, progress_token: int) -> bytes:
    """The params of `call` for the wire: its own, and the envelope's `_meta` written by us.

    `progress_token` is what progress shall be reported under, if the caller wants any.
    """
    params = call.params
    known = _client_meta(call.client) + _per_call(call, progress_token)
    rest = _rest_of_meta(params.object("_meta")) if "_meta" in params else b""
    return params.encode_with("_meta", b"".join((known, rest, b"}")))


def _client_meta(client: ClientFacts) -> bytes:
    """What is said of the client, up to the brace that closes `_meta`."""
    kept = _metas.get(id(client))
    if kept is not None and kept[0] is client:
        return kept[1]
    if len(_metas) >= MOST_CLIENTS:
        _metas.clear()
    written = _written_meta(client)
    if len(written) <= _LONGEST_META:
        # The client is kept too, so that its identity is nobody else's meanwhile.
        _metas[id(client)] = client, written
    return written


_metas: dict[int, tuple[ClientFacts, bytes]] = {}
MOST_CLIENTS: Final = 256
_LONGEST_META: Final = 8192


def _written_meta(client: ClientFacts) -> bytes:
    info = client.info.encode()
    named = b'"' + META_CLIENT_INFO.encode() + b'":' + info + b"," if len(info) > 2 else b""
    return b"".join((_META_OPEN, named, _META_CAPABILITIES, client.capabilities.encode()))


_META_OPEN: Final = f'{{"{META_VERSION}":"{LATEST_MODERN}",'.encode()
_META_CAPABILITIES: Final = f'"{META_CLIENT_CAPABILITIES}":'.encode()
_META_LEVEL: Final = f',"{META_LOG_LEVEL}":'.encode()


def _per_call(call: Call, progress_token: int) -> bytes:
    level = call.client.log_level
    if level is None and not call.wants_progress:
        return b""
    written = b"" if level is None else _META_LEVEL + _encode(level)
    return written + b',"progressToken":%d' % progress_token if call.wants_progress else written


def _rest_of_meta(meta: Raw) -> bytes:
    rest = meta.without(*_ENVELOPE_META)
    return b"," + rest.encode().strip()[1:-1] if len(rest) else b""


def read_result(data: bytes) -> Result:
    """The result object `data` with its kind.

    The bytes are kept as they are. Raises `InvalidResult` for a `resultType` nobody knows, and for
    a result that is no object.
    """
    if data[:1] != b"{":
        raise InvalidResult("its result is not an object")
    if data.endswith(_LAST):
        return Result(Raw(data))
    try:
        head = _read_head(data)
    except msgspec.MsgspecError:
        raise InvalidResult("its resultType is not a string") from None
    kind = _KINDS.get(head.resultType)
    if kind is None:
        raise InvalidResult(f"the resultType {head.resultType[:40]!r} is unknown")
    return Result(Raw(data), kind)


_LAST: Final = b',"resultType":"complete"}'
"""An object that ends so says in its last member, which counts, that it is complete: no quote in
there is escaped, so each begins or ends a string, and the brace closes the object. A large one has
not to be read again for that."""


def progress_token(params: Raw) -> int | str | None:
    """The `progressToken` of a progress notification; None when it has none."""
    try:
        return _read_progress(params.encode()).progressToken
    except msgspec.MsgspecError:
        return None


def request_of(params: Raw) -> int | str | None:
    """The request a `notifications/cancelled` is about; None when it names none."""
    try:
        return _read_cancelled(params.encode()).requestId
    except msgspec.MsgspecError:
        return None


def subscription_id(params: Raw) -> int | str | None:
    """The subscription a notification is tagged with; None when it is not tagged."""
    try:
        tagged = _read_tag(params.encode())
    except msgspec.MsgspecError:
        return None
    return tagged.meta.subscription if tagged.meta is not None else None


def canonical(method: str, params: Raw) -> Notification:
    """A server's notification without what ties it to our own requests."""
    raw = params
    if method == PROGRESS:
        return Notification(method, raw.without("progressToken"))
    if "_meta" in raw:
        meta = raw.object("_meta")
        if META_SUBSCRIPTION_ID in meta:
            rest = meta.without(META_SUBSCRIPTION_ID)
            raw = raw.with_members({"_meta": rest.encode()}) if len(rest) else raw.without("_meta")
    return Notification(method, raw)


def discovery(data: bytes) -> Discovery | None:
    """The answer to `server/discover`, or None when it is none."""
    try:
        return _read_discovery(data)
    except msgspec.MsgspecError:
        return None


def supported_versions(data: Any) -> tuple[str, ...]:
    """The versions named in the data of an unsupported protocol version error."""
    try:
        return msgspec.convert(data, Unsupported).supported
    except msgspec.MsgspecError:
        return ()
