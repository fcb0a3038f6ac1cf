"""JSON-RPC 2.0 messages as data.

Must not know: how they are read and written, MCP methods, HTTP, eras.
"""

from __future__ import annotations

from typing import ClassVar, Final

from lockgate.core.message import RequestId
from lockgate.core.raw import EMPTY, Raw
from lockgate.core.value import Value
from lockgate.wire.shapes import ErrorObject

_REQUEST: Final = ("id", "method", "params")
_NOTICE: Final = ("method", "params")
_RESPONSE: Final = ("id", "result", "error")


class Request(Value):
    """A message that wants an answer."""

    __slots__ = _REQUEST
    fields: ClassVar[tuple[str, ...]] = _REQUEST

    def __init__(
        self,
        id: RequestId,  # noqa: A002 - as the wire calls it
        method: str,
        params: Raw = EMPTY,
    ) -> None:
        self.id: Final = id
        self.method: Final = method
        self.params: Final = params


class Notice(Value):
    """A message that wants none; JSON-RPC calls it a notification."""

    __slots__ = _NOTICE
    fields: ClassVar[tuple[str, ...]] = _NOTICE

    def __init__(self, method: str, params: Raw = EMPTY) -> None:
        self.method: Final = method
        self.params: Final = params


class Response(Value):
    """An answer: exactly one of `result` (JSON bytes) and `error` is set.

    `id` is null only in an error whose request could not be read.
    """

    __slots__ = _RESPONSE
    fields: ClassVar[tuple[str, ...]] = _RESPONSE

    def __init__(
        self,
        id: RequestId | None,  # noqa: A002 - as the wire calls it
        result: bytes | None = None,
        error: ErrorObject | None = None,
    ) -> None:
        self.id: Final = id
        self.result: Final = result
        self.error: Final = error


Message = Request | Notice | Response
