"""JSON-RPC 2.0 messages, one at a time: bytes to a message, and a message to bytes.

Must not know: MCP methods, HTTP, eras.

One scan finds the envelope; params and results stay the bytes they came in. What has more than one
reading gets one here, for both directions: a member that is repeated counts the last time it
stands; numbers that are no JSON, bytes that are no UTF-8, and arrays of messages are refused;
members of the envelope nobody knows are ignored. Envelopes are only ever written by this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from lockgate.core.message import RequestId
from lockgate.core.raw import EMPTY, Raw
from lockgate.wire.malformed import Malformed
from lockgate.wire.messages import Message, Notice, Request, Response
from lockgate.wire.shapes import NO_DATA, Envelope, ErrorObject, OnlyId

__all__ = [
    "DEPTH_LIMIT",
    "INTERNAL_ERROR",
    "INVALID_PARAMS",
    "INVALID_REQUEST",
    "METHOD_NOT_FOUND",
    "NO_DATA",
    "OVERLOADED",
    "PARSE_ERROR",
    "ErrorObject",
    "Malformed",
    "Message",
    "Notice",
    "Request",
    "Response",
    "decode",
    "decode_batch",
    "encode_error",
    "encode_notice",
    "encode_request",
    "encode_result",
    "too_deep",
]

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
OVERLOADED: Final = -32000
FORBIDDEN: Final = -32000
DEPTH_LIMIT: Final = 64
_UNSET: Final = msgspec.UNSET
_HEAD: Final = b'{"jsonrpc":"2.0","id":'


_scan: Final = msgspec.json.Decoder(Envelope).decode
_scan_array: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_scan_id: Final = msgspec.json.Decoder(OnlyId).decode
_scan_error: Final = msgspec.json.Decoder(ErrorObject).decode
_encode: Final = msgspec.json.Encoder().encode
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode(data: bytes) -> Message:
    """Read one message.

    Raises:
        Malformed: the bytes are not JSON, or not exactly one request, notification or response.
    """
    try:
        envelope = _scan(data)
        if not data.isascii():
            str(data, "utf-8")
    except msgspec.ValidationError:
        raise _no_message(data) from None
    except _NOT_JSON:
        raise Malformed(PARSE_ERROR, "The message is not valid JSON in UTF-8.") from None
    if envelope.jsonrpc != "2.0":
        raise Malformed(INVALID_REQUEST, 'jsonrpc must be "2.0".', _id_of(envelope))
    method, result, error, message_id = (
        envelope.method,
        envelope.result,
        envelope.error,
        envelope.id,
    )
    if method is _UNSET:
        if result is not _UNSET and error is _UNSET and isinstance(message_id, (int, str)):
            return Response(message_id, bytes(result))  # pyright: ignore[reportArgumentType]  # not UNSET
        return _response(envelope)
    if result is not _UNSET or error is not _UNSET:
        raise Malformed(
            INVALID_REQUEST,
            "A message is a request or a response, not both at once.",
            _id_of(envelope),
        )
    params = EMPTY if envelope.params is _UNSET else _params(envelope)
    if message_id is _UNSET:
        return Notice(method, params)  # pyright: ignore[reportArgumentType]  # UNSET was handled above
    if message_id is None:
        raise Malformed(INVALID_REQUEST, "The id of a request must be a string or an integer.")
    return Request(message_id, method, params)  # pyright: ignore[reportArgumentType]  # as above


def decode_batch(data: bytes, most: int) -> list[Message | Malformed]:
    """Read an array of messages (JSON-RPC 2.0 section 6); items that are none come as Malformed.

    Raises:
        Malformed: the bytes are no JSON array, or it is empty or holds more than `most` items.
    """
    try:
        items = _scan_array(data)
        if not data.isascii():
            str(data, "utf-8")
    except _NOT_JSON:
        raise Malformed(PARSE_ERROR, "The message is not valid JSON in UTF-8.") from None
    if not 0 < len(items) <= most:
        raise Malformed(INVALID_REQUEST, f"A batch holds at least one message and at most {most}.")
    return [_item(bytes(item)) for item in items]


def _item(data: bytes) -> Message | Malformed:
    try:
        return decode(data)
    except Malformed as error:
        return error


def _params(envelope: Envelope) -> Raw:
    data = bytes(envelope.params)  # type: ignore[arg-type]  # called when it is set
    if data[:1] == b"{":
        return Raw(data)
    if data == b"null":
        return EMPTY
    raise Malformed(INVALID_REQUEST, "params must be an object.", _id_of(envelope))


def _response(envelope: Envelope) -> Response:
    answer_id = envelope.id
    result, error = envelope.result, envelope.error
    if answer_id is _UNSET or (result is _UNSET) == (error is _UNSET):
        raise Malformed(
            INVALID_REQUEST,
            "A message needs a method, or an id with either a result or an error.",
            _id_of(envelope),
        )
    if isinstance(error, msgspec.Raw):
        try:
            return Response(_id_of(envelope), None, _scan_error(error))
        except msgspec.MsgspecError:
            raise Malformed(
                INVALID_REQUEST,
                "An error needs an integer code and a string message.",
                _id_of(envelope),
            ) from None
    raise Malformed(INVALID_REQUEST, "A result needs the id of its request.")


def _id_of(envelope: Envelope) -> RequestId | None:
    return None if envelope.id is _UNSET else envelope.id  # pyright: ignore[reportReturnType]  # not UNSET


def _no_message(data: bytes) -> Malformed:
    if data.lstrip()[:1] == b"[":
        return Malformed(INVALID_REQUEST, "One message at a time: arrays of messages are refused.")
    try:
        found = _scan_id(data).id
    except _NOT_JSON:
        found = None
    known = isinstance(found, str) or (isinstance(found, int) and not isinstance(found, bool))
    return Malformed(
        INVALID_REQUEST,
        "A member of the JSON-RPC envelope has the wrong type.",
        found if known else None,
    )


def encode_request(request_id: RequestId, method: str, params: bytes) -> bytes:
    """A request; `params` is JSON bytes."""
    return b"".join(
        (_HEAD, _id(request_id), b',"method":', _name(method), b',"params":', params, b"}")
    )


def encode_notice(method: str, params: bytes) -> bytes:
    """A notification; `params` is JSON bytes."""
    return b"".join((b'{"jsonrpc":"2.0","method":', _name(method), b',"params":', params, b"}"))


def encode_result(request_id: RequestId, result: bytes) -> bytes:
    """A response with a result; `result` is JSON bytes."""
    # Joined, not formatted: formatting copies a large result several times.
    return b"".join((_HEAD, _id(request_id), b',"result":', result, b"}"))


def encode_error(
    request_id: RequestId | None, code: int, message: str, data: Any = NO_DATA
) -> bytes:
    """A response with an error. `data` is any plain value; leave it out for an error without."""
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not _UNSET:
        error["data"] = dict(cast("Mapping[str, Any]", data)) if isinstance(data, Mapping) else data
    return b'%b%b,"error":%b}' % (
        _HEAD,
        b"null" if request_id is None else _id(request_id),
        _encode(error),
    )


def _id(request_id: RequestId) -> bytes:
    return b"%d" % request_id if isinstance(request_id, int) else _encode(request_id)


_names: dict[str, bytes] = {}


def _name(method: str) -> bytes:
    written = _names.get(method)
    if written is None:
        written = _encode(method)
        # Methods come from peers: remember a bounded number of ordinary ones.
        if len(_names) < 256 and len(method) <= 64:
            _names[method] = written
    return written


_AS_ROUND: Final = bytes.maketrans(b"[{]}", b"(())")
_NOT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[{]}")


def too_deep(data: bytes, limit: int = DEPTH_LIMIT) -> bool:
    """Whether valid JSON nests arrays and objects deeper than `limit`.

    Almost every message has no more brackets than `limit` and is settled by counting them. Bytes
    that are not valid JSON get some answer without harm.
    """
    # Splitting finds what it looks for several times as fast as counting does.
    most = limit + 1
    if len(data.split(b"{", most)) + len(data.split(b"[", most)) <= limit + 2:
        return False
    # Escapes go first, pairs of backslashes before escaped quotes; what then stands between an
    # odd and an even quote is inside a string.
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = b"".join(data.split(b'"')[::2]).translate(_AS_ROUND, _NOT_BRACKETS)
    surely = b"(" * (limit + 1)
    for _ in range(limit):
        if not brackets:
            return False
        if surely in brackets:
            return True
        # Takes exactly the innermost level away, at the speed of a memory copy.
        brackets = brackets.replace(b"()", b"")
    return bool(brackets)
