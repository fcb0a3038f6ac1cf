"""What outlives a call, as three small protocols: Counters, Blobs, Journal.

Must not know: any particular store. Whoever keeps something asks for the protocol it needs, so that
memory, a file and a server shared by many replicas can stand in for each other.

Every method may raise `StoreGone`, and nothing else. Each use says in its own documentation what it
does then; none waits for the store to come back, and every store comes back by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from lockgate.core.rate import Rate, Taken

SQLITE: Final = "sqlite:"
MEMORY: Final = "memory:"
SCHEMES: Final = ("redis://", "rediss://", "valkey://", "valkeys://", "unix://")


def spelled(url: str) -> bool:
    """Whether `url` names a store of some kind."""
    return url == MEMORY or url.startswith(SCHEMES) or (url.startswith(SQLITE) and url != SQLITE)


class StoreGone(Exception):
    """The store cannot be asked now; the message says why, without credentials."""


class StoreMisnamed(ValueError):
    """A store cannot be made as it is configured; `remedy` says what to do. Raised once, early."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


class Demand(NamedTuple):
    """One caller's wish to be admitted: its key, and the rates it is held to."""

    key: str
    rates: tuple[Rate, ...]


class Counters(Protocol):
    """How often something happened, counted for everybody who shares the store."""

    async def take(self, demands: Sequence[Demand], /) -> Taken:
        """Admit one by every rate of every demand, or by none; atomic among all who share it."""
        ...


class Blobs(Protocol):
    """Bytes under a key, for a time. May forget anything at any moment."""

    async def get(self, key: str, /) -> bytes | None:
        """What was put, while its time is not over; None otherwise."""
        ...

    async def put(self, key: str, value: bytes, ttl: float, groups: Sequence[str] = (), /) -> None:
        """Keep `value` for `ttl` seconds as a member of these groups, in place of what was there.

        What is larger than the store takes is not kept, and what was there is gone as well.
        """
        ...

    async def delete(self, key: str, /) -> None:
        """Forget one."""
        ...

    async def drop(self, group: str, /) -> None:
        """Forget every blob that was put as a member of this group."""
        ...


class Entry(NamedTuple):
    """One entry of a journal; numbers grow, and need not be without gaps."""

    number: int
    data: bytes


class Journal(Protocol):
    """Entries in order, the oldest forgotten when there are too many.

    Meant for the record of what was decided about calls; nothing is written to it yet.
    """

    async def append(self, stream: str, data: bytes, /) -> int:
        """Add an entry; returns its number."""
        ...

    async def read(self, stream: str, after: int = 0, most: int = 100, /) -> list[Entry]:
        """The first entries with a number above `after`, at most `most` of them."""
        ...


class Store(Counters, Blobs, Journal, Protocol):
    """All three, as every store that is shipped has them."""

    async def sweep(self) -> int:
        """Let go of what is over; returns how much that was, or 0 where the store does it."""
        ...

    async def close(self) -> None:
        """Let go of files and connections."""
        ...
