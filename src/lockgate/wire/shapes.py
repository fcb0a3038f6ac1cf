"""The parts of a JSON-RPC 2.0 message that are read, as data.

Must not know: how they are read, or what is done with them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

NO_DATA: Final[Any] = msgspec.UNSET
"""The `data` of an error that has none; null is a value."""


class ErrorObject(msgspec.Struct, frozen=True, gc=False):
    """The error member of a response. `data` is UNSET when the sender gave none."""

    code: int
    message: str
    data: Any = NO_DATA


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
