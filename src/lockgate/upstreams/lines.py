"""Bytes in, lines out, whatever pieces the bytes come in.

Must not know: what a line means, or where the bytes come from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

HEAD: Final = 512
"""Bytes kept of a line that is dropped."""


class Lines:
    """Splits at line feeds. No more than `longest` bytes of an unfinished line are held.

    take      gets each line that is not blank, without its end.
    too_long  gets the first bytes of a line over the bound, once; the next line is whole again.
    """

    def __init__(
        self, longest: int, take: Callable[[bytes], None], too_long: Callable[[bytes], None]
    ) -> None:
        self._longest = longest
        self._take = take
        self._too_long = too_long
        self._begun = bytearray()
        self._dropping = False

    def feed(self, data: bytes) -> None:
        """Bytes have arrived."""
        *whole, rest = data.split(b"\n")
        for part in whole:
            self._finish(part)
        if rest:
            self._begin(rest)

    def end(self) -> None:
        """The bytes are over: what has no line feed is a line too."""
        self._finish(b"")

    def _finish(self, part: bytes) -> None:
        if self._dropping:
            self._dropping = False
            return
        if self._begun:
            self._begin(part)
            line, self._begun = bytes(self._begun), bytearray()
            if self._dropping:
                self._dropping = False
                return
        elif len(part) > self._longest:
            self._too_long(part[:HEAD])
            return
        else:
            line = part
        if line and not line.isspace():
            self._take(line)

    def _begin(self, part: bytes) -> None:
        if self._dropping:
            return
        if len(self._begun) + len(part) <= self._longest:
            self._begun += part
            return
        head = bytes(self._begun[:HEAD]) + part[:HEAD]
        self._begun = bytearray()
        self._dropping = True
        self._too_long(head[:HEAD])
