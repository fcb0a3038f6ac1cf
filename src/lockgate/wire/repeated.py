"""HTTP heads that repeat: what a peer sends again and again need not be parsed again and again.

Must not know: what a header means, but for `Content-Length`. Pure.

On a connection that is kept open, one head after the other differs in the length of the body alone.
A head whose other bytes are all equal to one a strict parser has accepted parses to the same thing,
so only the digits are looked at. Anything else, however slightly different, goes to the parser.
"""

from __future__ import annotations

import re
from typing import Final

_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)[ \t]*(?=\r\n)", re.IGNORECASE)
_DIGITS: Final = 9
_LONGEST: Final = 4096


class Head:
    """One accepted head: its bytes before and behind the digits of its content length."""

    __slots__ = ("_before", "_behind", "_last", "_whole")

    def __init__(self, before: bytes, behind: bytes) -> None:
        self._before = before
        self._behind = behind
        self._last: tuple[bytes, int] | None = None
        self._whole = 0, b""

    def body(self, data: bytes) -> tuple[bytes, int] | None:
        """The digits, and where the body starts, if `data` is one whole message with this head."""
        size, head = self._whole
        if len(data) == size and data.startswith(head):
            # Bodies of one length have one head, to the last byte.
            return self._last
        before = self._before
        if not data.startswith(before):
            return None
        start = len(before)
        end = data.find(b"\r", start, start + _DIGITS + 1)
        digits = data[start:end] if end > 0 else b""
        if not digits.isdigit() or not data.startswith(self._behind, end):
            return None
        body = end + len(self._behind)
        if len(data) != body + int(digits):
            return None
        self._whole = len(data), data[:body]
        self._last = digits, body
        return self._last


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
