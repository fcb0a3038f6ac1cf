"""The parts of messages of the handshake era that are read, as data.

Must not know: how they are read, or what is done with them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lockgate.wire.shapes import NO_DATA

PRIVATE_ERROR: Final = "_lockgate/error"
"""The member of `inputResponses` under which a front passes on that its client answered with an
error, or could not be asked. Only fronts of the handshake era write it."""


class Opening(msgspec.Struct, rename="camel"):
    """A server's answer to `initialize`, as far as the gateway itself reads it."""

    protocol_version: str
    capabilities: dict[str, Any] = {}
    server_info: dict[str, Any] = {}

    def offers(self, capability: str, detail: str | None = None) -> bool:
        """Whether the server declared `capability`, and within it `detail`."""
        declared = self.capabilities.get(capability)
        if not isinstance(declared, dict):
            return False
        return detail is None or declared.get(detail) is True  # pyright: ignore[reportUnknownMemberType] - a server's own JSON


class PrivateError(msgspec.Struct):
    """An error that a client answered with."""

    code: int
    message: str = ""
    data: Any = NO_DATA


class Refused(msgspec.Struct):
    """What a front passes on in place of an answer."""

    error: PrivateError | None = msgspec.field(default=None, name=PRIVATE_ERROR)
