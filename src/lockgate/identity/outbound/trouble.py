"""What can go wrong on the way to a credential, as one exception that becomes a Failure.

Must not know: who asked. No text here holds a token, a secret, a query or what another party wrote
as free text; an OAuth error code is shown, for it is one of a few words.
"""

from __future__ import annotations

from typing import Any, Final

from lockgate.core.message import Failure, Origin
from lockgate.wire.jsonrpc import INTERNAL_ERROR

_CODE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
_LONGEST_CODE: Final = 64


class Trouble(Exception):
    """There is no credential, and why.

    reason   what `lockgate.core.codes` calls it.
    remedy   what to do about it.
    origin   whose fault it is.
    error    the OAuth error code the other side gave, if it gave one.
    retry_after  seconds after which it may be different.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        remedy: str,
        *,
        origin: Origin = "upstream",
        error: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason: Final = reason
        self.remedy: Final = remedy
        self.origin: Final[Origin] = origin
        self.error: Final = error
        self.retry_after: Final = retry_after

    def failure(self, server: str, **data: Any) -> Failure:
        """The same as what a caller gets who wanted something of `server`."""
        if self.error is not None:
            data["error"] = self.error
        if self.retry_after is not None:
            data["retry_after"] = self.retry_after
        return Failure(
            code=INTERNAL_ERROR,
            message=f"No credential for the server '{server}': {self}",
            origin=self.origin,
            reason=self.reason,
            data={"server": server, **data},
            remedy=self.remedy,
        )


def error_code(value: object) -> str | None:
    """An OAuth error code that may be shown (RFC 6749 section 5.2); None for anything else."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_CODE:
        return None
    return value if all(letter in _CODE for letter in value) else None
