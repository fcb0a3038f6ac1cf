"""What both eras share toward clients: failures as JSON-RPC errors, and `_meta` taken apart.

Must not know: transports, sessions, HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, cast

import msgspec

from lockgate.core.codes import CODES
from lockgate.core.message import Failure, RequestId
from lockgate.core.raw import EMPTY, Raw
from lockgate.wire.jsonrpc import INVALID_PARAMS, NO_DATA, encode_error

LOG_LEVELS: Final = {
    name: rank
    for rank, name in enumerate(
        ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
    )
}
"""RFC 5424 section 6.2.1, least severe first."""

PROGRESS: Final = "notifications/progress"
LOG_MESSAGE: Final = "notifications/message"

_split: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode: Final = msgspec.json.Decoder().decode
_sorted: Final = msgspec.json.Encoder(order="sorted").encode


def failure_error(request_id: RequestId | None, failure: Failure) -> bytes:
    """A Failure as a JSON-RPC error response.

    What a server said goes out word for word. What the gateway or a policy says carries
    `data.code` (see `lockgate.core.codes`), `data.reason`, `data.remedy` and, where they apply,
    `data.policy` and what the failure adds.
    """
    return encode_error(request_id, failure.code, failure.message, failure_data(failure))


def failure_data(failure: Failure) -> Any:
    """The `data` of the error for `failure`; UNSET when there is none."""
    if failure.origin == "upstream" and failure.reason in _SERVERS_OWN:
        return NO_DATA if failure.data is None else failure.data
    code = CODES.get(failure.reason)
    data: dict[str, Any] = {"reason": failure.reason}
    if code is not None:
        data = {"code": code, "reason": failure.reason}
    if failure.remedy is not None:
        data["remedy"] = failure.remedy
    if failure.policy is not None:
        data["policy"] = failure.policy
    added: object = failure.data
    if isinstance(added, Mapping):
        data.update(cast("Mapping[str, Any]", added))
    elif added is not None:
        data["data"] = added
    return data


_SERVERS_OWN: Final = frozenset({"error", "upstream-error"})


def retry_after(failure: Failure) -> float | None:
    """The seconds a failure says to wait; None when it says nothing of it."""
    data: object = failure.data
    if not isinstance(data, Mapping):
        return None
    seconds = cast("Mapping[str, object]", data).get("retry_after")
    return seconds if isinstance(seconds, int | float) else None


def unreadable() -> Failure:
    """Params that are JSON and still hold something without a value, such as 1e999."""
    return Failure(
        INVALID_PARAMS,
        "The params hold a value that cannot be read, such as a number out of range.",
        "client",
        "invalid-params",
        remedy="Send numbers that fit into 64 bits.",
    )


def capabilities_key(capabilities: Raw) -> str:
    """A short digest, equal for equal capability sets however they are spelled."""
    if not len(capabilities):
        return ""
    return sha256(_sorted(_decode(capabilities.encode()))).hexdigest()[:16]


def split_object(data: bytes | None) -> dict[str, msgspec.Raw] | None:
    """The members of a JSON object as bytes; None when `data` is no object."""
    if data is None or data[:1] != b"{":
        return None
    try:
        return _split(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def joined(members: Mapping[str, msgspec.Raw]) -> bytes:
    """The inverse of `split_object`."""
    return Raw(members={key: bytes(value) for key, value in members.items()}).encode()


def progress_token(data: msgspec.Raw | None) -> bytes | None:
    """A progress token as JSON bytes; None when there is none or it is no string or integer."""
    if data is None:
        return None
    try:
        value = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    known = isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
    return bytes(data) if known else None


def without_meta(params: Raw, rest: Mapping[str, msgspec.Raw]) -> Raw:
    """`params` with what is left of its `_meta`; without the member when nothing is left."""
    if not rest:
        return params.without("_meta")
    return params.with_members({"_meta": joined(rest)})


def with_token(params: Raw, token: bytes) -> Raw:
    """The params of a progress notification for the client that asked under `token`."""
    return params.with_members({"progressToken": token})


def is_heard(params: Raw, level: str | None) -> bool:
    """Whether a log message reaches a client that asked for `level` and above; None asks for all.

    A message whose own level nobody knows is passed on.
    """
    if level is None:
        return True
    try:
        rank = LOG_LEVELS.get(str(params.get("level")))
    except msgspec.MsgspecError:
        return True
    return rank is None or rank >= LOG_LEVELS.get(level, 0)


def object_or_empty(data: msgspec.Raw | None) -> Raw:
    """A member that should be an object, as one; empty when it is absent or something else."""
    return Raw(bytes(data)) if data is not None and bytes(data)[:1] == b"{" else EMPTY
