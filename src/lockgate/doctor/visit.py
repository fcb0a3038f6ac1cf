"""One diagnosis under way: what is known so far, what was seen, and how much time is left.

Must not know: steps, transports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, cast

from lockgate.core.message import Era
from lockgate.doctor.blacken import Blackener
from lockgate.doctor.heard import Heard
from lockgate.doctor.kinds import KINDS
from lockgate.doctor.report import Exchange, Found
from lockgate.upstreams.spec import StdioSpec

ERAS: Final[dict[Era, str]] = {"modern": "2026-07-28", "handshake": "handshake"}
"""What the eras are called in a report."""
_EXCHANGES: Final = 200
"""Exchanges kept for one step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long things may take, in seconds.

    total    the whole diagnosis.
    answer   one answer.
    stream   until a stream has begun, and until its first message.
    start    until a process answers for the first time.
    connect  until an address takes the connection.
    leave    until a process ends after its input was closed; half of it by itself.
    """

    total: float = 60.0
    answer: float = 10.0
    stream: float = 3.0
    start: float = 30.0
    connect: float = 5.0
    leave: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSubject:
    """A server at a URL.

    headers  go with every request; their values are secrets.
    origin   of the page in a browser that CORS is looked at for.
    server   what a configuration calls it.
    without  why there is no credential, where a configuration should have one.
    """

    name: str
    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    origin: str = "http://localhost:6274"
    server: str | None = None
    without: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StdioSubject:
    """A server that is started. `lacks`: why its sandbox cannot be held here."""

    name: str
    spec: StdioSpec
    lacks: tuple[str, ...] = ()
    sandbox: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketSubject:
    """A server at a WebSocket. `headers` go with the upgrade; their values are secrets."""

    name: str
    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    server: str | None = None


Subject = HttpSubject | SocketSubject | StdioSubject


class Voice(Protocol):
    """Speaks one era to the server, over whatever transport."""

    @property
    def era(self) -> Era:
        """The era."""
        ...

    async def ask(
        self, method: str, params: dict[str, Any] | None = None, *, within: float | None = None
    ) -> Heard:
        """Send a request and wait for its answer."""
        ...

    async def tell(self, method: str, params: dict[str, Any] | None = None) -> Heard:
        """Send a notification."""
        ...


class Visit:
    """See the module. Steps read and write what is known.

    voices        an open voice for each era that is spoken; the newest first.
    introduced    what the server said of itself in each era.
    lists         era → method → items, as far as they could be had.
    refused       what came in the place of an answer to initialize.
    reached       the server answers.
    older         it speaks HTTP+SSE of 2024-11-05.
    guarded       it wants a credential that was not given.
    barred        why no further step can be done; None while they can.
    """

    def __init__(self, subject: Subject, patience: Patience, black: Blackener) -> None:
        """Nothing is known yet."""
        self.subject = subject
        self.patience = patience
        self.black = black
        self.voices: dict[Era, Voice] = {}
        self.introduced: dict[Era, dict[str, Any]] = {}
        self.lists: dict[Era, dict[str, list[dict[str, Any]]]] = {}
        self.refused: Heard | None = None
        self.barred: str | None = None
        self.reached = False
        self.guarded = False
        self.older = False
        self._until = asyncio.get_running_loop().time() + patience.total
        self._seen: list[str] = []
        self._found: list[Found] = []
        self._kept: list[Exchange] = []
        self._skipped: str | None = None

    @property
    def left(self) -> float:
        """Seconds until the time is up."""
        return max(0.0, self._until - asyncio.get_running_loop().time())

    def capabilities(self, era: Era) -> dict[str, Any]:
        """What the server declares in an era."""
        found = self.introduced.get(era, {}).get("capabilities")
        return cast("dict[str, Any]", found) if isinstance(found, dict) else {}

    # What a step says.

    def saw(self, text: str) -> None:
        """What was seen; all of it makes one line."""
        self._seen.append(self.black.text(text))

    def find(self, kind: str, saw: str = "", *, times: int = 1) -> None:
        """Something is wrong. A kind is told of once in a step, or `times`."""
        found = Found(kind, KINDS[kind].severity, self.black.text(saw))
        # What both eras have in common is told once.
        if found not in self._found and sum(one.id == kind for one in self._found) < times:
            self._found.append(found)

    def bar(self, why: str) -> None:
        """No step after this one can be done."""
        self.barred = self.black.text(why)

    def skip(self, why: str) -> None:
        """This step has nothing to look at."""
        self._skipped = self.black.text(why)

    def keep(self, exchange: Exchange) -> None:
        """An exchange, for those who want to see it."""
        if len(self._kept) < _EXCHANGES:
            self._kept.append(exchange)

    def taken(self) -> tuple[str | None, str, Sequence[Found], Sequence[Exchange]]:
        """What the step has said, for the report; the next one begins with nothing."""
        told = (self._skipped, "; ".join(self._seen), self._found, self._kept)
        self._skipped, self._seen, self._found, self._kept = None, [], [], []
        return told
