"""The stateless era (2026-07-28) toward clients: results and notifications in its dress.

Must not know: requests, connections, streams.

Source: specification 2026-07-28, basic (results), basic/patterns/subscriptions,
server/utilities/caching.
"""

from __future__ import annotations

import secrets
from typing import Final

import msgspec

from lockgate.core.message import LISTEN, ClientFacts, Notification, RequestId, Result
from lockgate.core.raw import Raw, encode
from lockgate.wire.envelope import LOG_MESSAGE, PROGRESS, is_heard, with_token
from lockgate.wire.jsonrpc import encode_notice
from lockgate.wire.modern_shapes import Dress
from lockgate.wire.revisions import META_SERVER_INFO, META_SUBSCRIPTION_ID

CACHEABLE: Final = frozenset(
    {
        "server/discover",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
    }
)
"""Methods whose complete results carry caching hints."""

_LISTEN_ONLY: Final = frozenset(
    {
        "notifications/tools/list_changed",
        "notifications/prompts/list_changed",
        "notifications/resources/list_changed",
        "notifications/resources/updated",
        "notifications/elicitation/complete",
    }
)
_UNSET: Final = msgspec.UNSET


_read_head: Final = msgspec.json.Decoder(Dress).decode
_TYPE: Final = b'"resultType"'
_FIRST: Final = b'{"resultType":"complete"'
_TYPED: Final = _FIRST + b","
_MEMBER: Final = b'{"'
_LAST: Final = b',"resultType":"complete"}'
_BEGINNING: Final = 1024
_HINTS: Final = b',"resultType":"complete","ttlMs":'
_SCOPES: Final = (b'"cacheScope":"public"}', b'"cacheScope":"private"}')
_END: Final = 128


def dress(method: str, result: Result, server_info: bytes = b"") -> bytes:
    """A result for a client of this revision: with resultType, and with caching hints where due.

    A result that has them goes out as the bytes it is; what is missing is spliced in front.
    `server_info` is the gateway's own identity as JSON, for results that carry nobody's.
    """
    data = result.raw.encode()
    cacheable = method in CACHEABLE and result.kind == "complete"
    if not cacheable:
        if data.startswith(_FIRST) or data.endswith(_LAST) or _begins_typed(data):
            return data
        if _TYPE not in data:
            # Nowhere in the text, so certainly not a member of the object itself.
            if result.kind == "complete" and data.startswith(_MEMBER):
                return _TYPED + data[1:]
            return _splice(data, [b'"resultType":"%b"' % result.kind.encode()])
    elif _ends_dressed(data):
        return data
    head = _read_head(data)
    missing: list[bytes] = []
    if head.resultType is _UNSET:
        missing.append(b'"resultType":"%b"' % result.kind.encode())
    if cacheable and head.ttlMs is _UNSET:
        missing.append(b'"ttlMs":0')
    if cacheable and head.cacheScope is _UNSET:
        missing.append(b'"cacheScope":"private"')
    if missing and head.meta is _UNSET and server_info:
        missing.append(b'"_meta":{"%b":%b}' % (META_SERVER_INFO.encode(), server_info))
    return _splice(data, missing) if missing else data


def _splice(data: bytes, members: list[bytes]) -> bytes:
    inner = data.strip()[1:].lstrip()
    comma = b"" if inner == b"}" else b","
    return b"".join((b"{", b",".join(members), comma, inner))


def _ends_dressed(data: bytes) -> bool:
    """Whether an object certainly ends with its type and caching hints, as prebuilt lists do."""
    end = data[-_END:]
    at = end.rfind(_HINTS)
    if at < 0:
        return False
    ttl, _, scope = end[at + len(_HINTS) :].partition(b",")
    return ttl.isdigit() and scope in _SCOPES


def _begins_typed(data: bytes) -> bool:
    """Whether resultType is certainly a member of the object itself, judged by its beginning."""
    at = data.find(_TYPE, 0, _BEGINNING)
    if at < 0:
        return False
    before = data[:at]
    if b"\\" in before:
        return False
    pieces = before.split(b'"')
    outside = b"".join(pieces[::2])
    opened = outside.count(b"{") + outside.count(b"[")
    # An odd number of pieces: as many quotes have closed as opened, so this is no string's inside.
    return len(pieces) % 2 == 1 and opened - outside.count(b"}") - outside.count(b"]") == 1


def notice(notification: Notification, client: ClientFacts, token: bytes | None) -> bytes | None:
    """A notification that belongs to a running request, for its stream; None: not for this client.

    Log messages reach only who asked for them, progress only who gave a token, and what belongs to
    listen streams reaches nobody here.
    """
    method, params = notification.method, notification.params
    if method == PROGRESS:
        return None if token is None else encode_notice(method, with_token(params, token).encode())
    if method == LOG_MESSAGE and (
        client.log_level is None or not is_heard(params, client.log_level)
    ):
        return None
    return None if method in _LISTEN_ONLY else encode_notice(method, params.encode())


def listen_notice(notification: Notification, listen_id: RequestId) -> bytes:
    """A notification of a listen stream, tagged with the stream it is on."""
    return encode_notice(notification.method, tagged(notification.params, listen_id).encode())


class ListenNotices:
    """The same as `listen_notice`, for a notification that goes to one stream after another.

    It is written once, with a slot for the id of the stream.
    """

    __slots__ = ("_after", "_before", "_notification", "_slot")

    def __init__(self) -> None:
        # Nobody can have put it into a notification, because nobody is ever told it.
        self._slot = secrets.token_hex(16)
        self._notification: Notification | None = None
        self._before = self._after = b""

    def notice(self, notification: Notification, listen_id: RequestId) -> bytes:
        """See `listen_notice`."""
        if notification is not self._notification:
            whole = listen_notice(notification, self._slot)
            self._before, _, self._after = whole.partition(encode(self._slot))
            self._notification = notification
        return b"%b%b%b" % (self._before, encode(listen_id), self._after)


def listen_result(result: Result | None, listen_id: RequestId) -> bytes:
    """The answer that ends a listen stream gracefully."""
    raw = Raw(b'{"resultType":"complete"}') if result is None else result.raw
    return dress(LISTEN, Result(tagged(raw, listen_id)))


def tagged(raw: Raw, listen_id: RequestId) -> Raw:
    """`raw` with the subscription's id in its `_meta`."""
    meta = raw.object("_meta").with_members({META_SUBSCRIPTION_ID: encode(listen_id)})
    return raw.with_members({"_meta": meta.encode()})
