"""The handshake era (2024-11-05 to 2025-11-25) toward servers: opening, params, asks, answers.

Must not know: transports, or how sessions are kept. Sources: revision 2025-11-25, basic/lifecycle,
basic/utilities/progress and cancellation; the canonical form is described in `core.message`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lockgate.core.message import Call, ClientFacts, Notification, RequestId
from lockgate.core.raw import Raw
from lockgate.wire.handshake_shapes import PRIVATE_ERROR, Opening, Refused
from lockgate.wire.jsonrpc import encode_error, encode_result
from lockgate.wire.revisions import (
    HANDSHAKE_VERSIONS,
    LATEST_HANDSHAKE,
    META_SERVER_INFO,
    RESERVED_REQUEST_META,
)

ABANDON: Final = "_lockgate/abandon"
"""The member of params by which a front says that nobody waits for a parked call any more; it comes
with the call's `requestState` and nothing is sent to the server but the cancellation."""

PROGRESS: Final = "notifications/progress"
_STATE: Final = ("inputResponses", "requestState")
_ENVELOPE_META: Final = (*RESERVED_REQUEST_META, "progressToken")
_encode: Final = msgspec.json.Encoder().encode


class BadOpening(Exception):
    """A server's answer to `initialize` that cannot be worked with; the text says why."""


_read_opening: Final = msgspec.json.Decoder(Opening).decode


def initialize_params(client: ClientFacts) -> bytes:
    """The params of `initialize` on behalf of `client`, offering the latest handshake version."""
    info = client.info
    if "name" not in info or "version" not in info:
        # Both are required in this era; the client gave neither or one.
        info = Raw.of({"name": client.name, "version": "0", **info})
    return b"".join(
        (
            b'{"protocolVersion":',
            _encode(LATEST_HANDSHAKE),
            b',"capabilities":',
            client.capabilities.encode(),
            b',"clientInfo":',
            info.encode(),
            b"}",
        )
    )


def read_opening(data: bytes) -> Opening:
    """The answer to `initialize`; raises `BadOpening` when no session can follow from it."""
    try:
        opening = _read_opening(data)
    except msgspec.MsgspecError:
        raise BadOpening("its answer to initialize is not an InitializeResult") from None
    if opening.protocol_version not in HANDSHAKE_VERSIONS:
        version = opening.protocol_version[:40]
        raise BadOpening(f"it wants protocol version {version!r}, which this era does not have")
    return opening


def discovered(data: bytes) -> Raw:
    """An InitializeResult in canonical form, as an answer to `server/discover`.

    `protocolVersion` becomes `supportedVersions`, `serverInfo` moves to where the newest revision
    keeps it; everything else stays.
    """
    opening = Raw(data)
    meta = opening.object("_meta")
    info = opening.member("serverInfo")
    if info is not None:
        meta = meta.with_members({META_SERVER_INFO: info})
    members = {"supportedVersions": _encode([opening.get("protocolVersion")])}
    if len(meta):
        members["_meta"] = meta.encode()
    return opening.without("protocolVersion", "serverInfo").with_members(members)


def request_params(call: Call, progress_token: int) -> bytes:
    """The params of `call` for the wire: without what other eras add, our token in `_meta`."""
    params = call.params
    if not call.wants_progress and "_meta" not in params:
        if "requestState" in params or "inputResponses" in params:
            params = params.without(*_STATE)
        return params.encode()
    meta = params.object("_meta").without(*_ENVELOPE_META)
    if call.wants_progress:
        meta = meta.with_members({"progressToken": b"%d" % progress_token})
    return params.without(*_STATE).with_members({"_meta": meta.encode()}).encode()


def canonical(method: str, params: Raw) -> Notification:
    """A server's notification without what ties it to our own requests."""
    return Notification(method, params.without("progressToken") if method == PROGRESS else params)


_read_refused: Final = msgspec.json.Decoder(Refused).decode


def answer(request_id: RequestId, value: bytes) -> bytes:
    """One of `inputResponses` as the JSON-RPC response to the server's request `request_id`."""
    if PRIVATE_ERROR.encode() in value:
        try:
            error = _read_refused(value).error
        except msgspec.MsgspecError:
            error = None
        if error is not None:
            return encode_error(request_id, error.code, error.message, error.data)
    return encode_result(request_id, value)


LEVELS: Final = {
    name: rank
    for rank, name in enumerate(
        ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
    )
}
"""Log levels by severity (RFC 5424 section 6.2.1), least severe first."""
