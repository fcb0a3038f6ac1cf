"""What is raised about bytes that are no JSON-RPC message.

Must not know: how messages are read, what is answered.
"""

from __future__ import annotations

from lockgate.core.message import RequestId


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
