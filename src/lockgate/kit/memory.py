"""Session memory: what was said in a session, within a budget of tokens, for a time.

Must not know: models. Whoever wants summaries gives a function that makes them; without one it is
bookkeeping alone, and says how much was left out.

    memory = Memory(budget=8000, summarise=summary_by_my_model)
    await memory.add("session-17", "user", "…")
    for turn in await memory.turns("session-17"): ...

What stays and what makes room: `lockgate.context.transcript`. A session is bound to its owner,
expires when nothing is said in it for `ttl`, and is sealed wherever it leaves this process. Over a
shared store two processes that add to one session at the same moment may lose one of the two turns.

Docs: docs/kit/memory.md.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Final
from weakref import WeakValueDictionary

import msgspec

from lockgate.context.tokens import counter
from lockgate.context.transcript import SUMMARY, Transcript, Turn
from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.store import MEMORY, Blobs
from lockgate.kit.request import caller
from lockgate.stores.memory import MemoryStore
from lockgate.stores.opening import open_store
from lockgate.wire.seal import BadSeal, KeyRing

__all__ = ["SUMMARY", "Memory", "Summarise", "Transcript", "Turn"]

Summarise = Callable[[Sequence[Turn], int], str | Awaitable[str]]
"""What stands for these turns, in so many tokens at most; longer is cut."""

_PURPOSE: Final = "memory"
_log: Final = logging.getLogger("lockgate.kit")


class Memory:
    """The sessions of one server."""

    def __init__(
        self,
        store: Blobs | str = MEMORY,
        *,
        budget: int = 8000,
        first: int = 1,
        last: int = 6,
        ttl: float = 3600.0,
        summarise: Summarise | None = None,
        count: Callable[[str], int] | None = None,
        keys: KeyRing | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        """Nothing is remembered yet.

        Args:
            store: `memory:`, `sqlite:PATH`, `redis://HOST`, or a store that is open already.
            budget: tokens of one session.
            first: turns at the beginning that stay, where there is room.
            last: turns at the end that stay, where there is room.
            ttl: seconds after which a session in which nothing is said is over.
            summarise: makes one text of turns that make room; None, and where it fails: what
                stands for them says how many they were.
            count: counts tokens; None: `lockgate.context.tokens`.
            keys: seal what leaves the process; None: new ones, which end with the process.
            clock: what ages are measured by.

        Raises:
            ValueError: the budget is too small for anything.
            StoreMisnamed: the store is none, or wants an extra that is not installed.
        """
        Transcript(budget, len, first=first, last=last)
        self._store = open_store(store, clock) if isinstance(store, str) else store
        self._sealed = not isinstance(self._store, MemoryStore)
        self._budget, self._first, self._last = budget, first, last
        self._ttl = ttl
        self._summarise = summarise
        self._count = count
        self._keys = keys or KeyRing.generate()
        self._clock = clock
        self._turn: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def add(
        self, session: str, role: str, text: str, *, owner: str | None = None, pinned: bool = False
    ) -> None:
        """Something was said.

        Args:
            session: in which session; any text.
            role: who said it.
            text: what.
            owner: whose session it is; the same name of another owner is another session. None:
                who is calling (`lockgate.kit.request`).
            pinned: it stays, whatever else goes.

        Raises:
            ValueError: what is pinned would fill more than half of the budget.
            StoreGone: the store cannot be asked now.
        """
        place = _place(owner, session)
        lock = self._turn.setdefault(place, asyncio.Lock())
        async with lock:
            said = self._transcript(await self._read(place))
            said.add(role, text, pinned=pinned)
            going = said.excess()
            if going:
                said.fold(going, await self._summary(going, said.room))
            else:
                said.fold(())
            await self._write(place, said.turns)

    async def turns(self, session: str, *, owner: str | None = None) -> tuple[Turn, ...]:
        """What is remembered of a session, oldest first; nothing of one that is over.

        Raises:
            StoreGone: the store cannot be asked now.
        """
        return await self._read(_place(owner, session))

    async def tokens(self, session: str, *, owner: str | None = None) -> int:
        """What all of it costs; never more than the budget. Raises as `turns`."""
        return self._transcript(await self.turns(session, owner=owner)).tokens

    async def forget(self, session: str, *, owner: str | None = None) -> None:
        """Let go of a session. Raises as `turns`."""
        await self._store.delete(_place(owner, session))

    def _transcript(self, turns: tuple[Turn, ...]) -> Transcript:
        if self._count is None:
            self._count = counter()
        return Transcript(
            self._budget, self._count, first=self._first, last=self._last, turns=turns
        )

    async def _summary(self, going: Sequence[Turn], room: int) -> str | None:
        if self._summarise is None:
            return None
        try:
            made = self._summarise(going, room)
            return await made if inspect.isawaitable(made) else made
        except Exception:
            # It is the caller's own function: what it says may hold what was said.
            _log.warning("turns could not be summarised, and are left out")
            return None

    async def _read(self, place: str) -> tuple[Turn, ...]:
        data = await self._store.get(place)
        if data is None:
            return ()
        try:
            if self._sealed:
                now = self._clock.wall()
                data = self._keys.open(_PURPOSE, data.decode("ascii"), now=now, bind=place)
            return msgspec.json.decode(data, type=tuple[Turn, ...])
        except (BadSeal, UnicodeDecodeError, msgspec.MsgspecError):
            return ()

    async def _write(self, place: str, turns: tuple[Turn, ...]) -> None:
        data = msgspec.json.encode(turns)
        if self._sealed:
            now = self._clock.wall()
            data = self._keys.seal(_PURPOSE, data, now=now, ttl=self._ttl, bind=place).encode()
        await self._store.put(place, data, self._ttl)


def _place(owner: str | None, session: str) -> str:
    owner = caller() if owner is None else owner
    whose = f"{len(owner)}:{owner}{session}".encode(errors="surrogatepass")
    return f"memory:{sha256(whose).hexdigest()}"
