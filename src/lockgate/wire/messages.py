"""JSON-RPC 2.0 messages as data.

Must not know: how they are read and written, MCP methods, HTTP, eras.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lockgate.core.message import RequestId
from lockgate.core.raw import EMPTY, Raw

NO_DATA: Final[Any] = msgspec.UNSET
"""The `data` of an error that has none; null is a value."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """A message that wants an answer."""

    id: RequestId
    method: str
    params: Raw = EMPTY


class Notice(msgspec.Struct, frozen=True, gc=False):
    """A message that wants none; JSON-RPC calls it a notification."""

    method: str
    params: Raw = EMPTY


class ErrorObject(msgspec.Struct, frozen=True, gc=False):
    """The error member of a response. `data` is UNSET when the sender gave none."""

    code: int
    message: str
    data: Any = NO_DATA


class Response(msgspec.Struct, frozen=True, gc=False):
    """An answer: exactly one of `result` (JSON bytes) and `error` is set.

    `id` is null only in an error whose request could not be read.
    """

    id: RequestId | None
    result: bytes | None = None
    error: ErrorObject | None = None


Message = Request | Notice | Response


class Malformed(Exception):
    """The bytes are not one JSON-RPC message.

    code     -32700 when they are not JSON, -32600 when they are JSON but no message.
    message  what is wrong, without the bytes themselves.
    id       the request's id when it could still be read.
    """

    def __init__(self, code: int, message: str, request_id: RequestId | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.id = request_id


class Envelope(msgspec.Struct, gc=False):
    """A message as it is found, before anybody has judged whether it is one."""

    jsonrpc: str | msgspec.UnsetType = msgspec.UNSET
    id: int | str | msgspec.UnsetType | None = msgspec.UNSET
    method: str | msgspec.UnsetType = msgspec.UNSET
    params: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class OnlyId(msgspec.Struct, gc=False):
    """What is left of a message that is none."""

    id: Any = None
