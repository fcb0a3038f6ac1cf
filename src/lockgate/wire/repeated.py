"""HTTP heads that repeat: what a peer sends again and again need not be parsed again and again.

Must not know: what a header means, but for `Content-Length`. Pure.

On a connection that is kept open, one head after the other differs in the length of the body alone.
A head whose other bytes are all equal to one a strict parser has accepted parses to the same thing,
so only the digits are looked at. Anything else, however slightly different, goes to the parser.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)[ \t]*(?=\r\n)", re.IGNORECASE)
_DIGITS: Final = 9
_LONGEST: Final = 4096


class Head(msgspec.Struct, frozen=True):
    """One accepted head: its bytes before and behind the digits of its content length."""

    before: bytes
    behind: bytes

    def body(self, data: bytes) -> tuple[bytes, int] | None:
        """The digits, and where the body starts, if `data` is one whole message with this head."""
        before = self.before
        if not data.startswith(before):
            return None
        start = len(before)
        end = data.find(b"\r", start, start + _DIGITS + 1)
        digits = data[start:end] if end > 0 else b""
        if not digits.isdigit() or not data.startswith(self.behind, end):
            return None
        body = end + len(self.behind)
        return (digits, body) if len(data) == body + int(digits) else None


def remember(data: bytes) -> Head | None:
    """The head of `data`, one whole accepted message; None when it cannot serve as a pattern."""
    end = data.find(_END)
    if not 0 < end < _LONGEST:
        return None
    found = list(_LENGTH.finditer(data, 0, end + 2))
    if len(found) != 1:
        return None
    (length,) = found
    return Head(data[: length.start(1)], data[length.end(1) : end + len(_END)])
