"""Credentials that were accepted a moment ago, bounded by number and by size.

Must not know: what they are; the key is a digest.
"""

from __future__ import annotations

from typing import Final

from lockgate.identity.verdicts import Accepted

MOST: Final = 50_000
MOST_BYTES: Final = 16 * 1024 * 1024
"""Of the credentials themselves; what is known of one takes some times as much."""


class Recent:
    """The oldest go first.

    table  what is known, by digest; for looking up, and not for changing.
    """

    __slots__ = ("_bytes", "_most", "_most_bytes", "_sizes", "table")

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self.table: dict[bytes, Accepted] = {}
        self._sizes: dict[bytes, int] = {}
        self._bytes = 0
        self._most = most
        self._most_bytes = most_bytes

    def __len__(self) -> int:
        return len(self.table)

    def add(self, digest: bytes, found: Accepted, size: int) -> None:
        """Keep one of `size` bytes, in place of what was known of it."""
        self._drop(digest)
        while self.table and (
            len(self.table) >= self._most or self._bytes + size > self._most_bytes
        ):
            self._drop(next(iter(self.table)))
        self.table[digest] = found
        self._sizes[digest] = size
        self._bytes += size

    def _drop(self, digest: bytes) -> None:
        if self.table.pop(digest, None) is not None:
            self._bytes -= self._sizes.pop(digest)
