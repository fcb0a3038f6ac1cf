"""One token, kept fresh: renewed ahead of its end, by one at a time, and not again at once.

Must not know: where the token comes from, who uses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from typing import Final

from lockgate.core.clock import SYSTEM, Clock
from lockgate.identity.outbound.tokens import Token
from lockgate.identity.outbound.trouble import Trouble

AHEAD: Final = 60.0
"""Seconds before its end from which a token is renewed while it is still used."""
SHARE: Final = 0.2
"""The same for a token that does not live long, as a share of its life."""
MARGIN: Final = 5.0
"""Seconds before its end from which it is no longer sent: clocks differ, and calls travel."""
PAUSE: Final = 5.0
"""Seconds in which a failed renewal is not tried again."""

Obtain = Callable[[], Awaitable[Token]]


class Renewal:
    """Holds a token and gets the next."""

    def __init__(self, obtain: Obtain, clock: Clock = SYSTEM, token: Token | None = None) -> None:
        """`obtain` gets a new token, and raises `Trouble` when there is none."""
        self._obtain = obtain
        self._clock = clock
        self._task: asyncio.Task[Token] | None = None
        self._trouble: Trouble | None = None
        self._again = 0.0
        self._begun = 0.0
        self._came: float | None = None
        self.token: Token | None = None
        if token is not None:
            self.put(token)

    def put(self, token: Token) -> None:
        """This is the token from now on."""
        self.token = token
        self._begun = self._clock.wall()
        self._came = None
        self._trouble = None

    @property
    def age(self) -> float:
        """Seconds since this token was got here; endless for one that was there before."""
        return inf if self._came is None else self._clock.monotonic() - self._came

    def at_hand(self) -> Token | None:
        """The token, if it can be used now; one that is nearly over is renewed meanwhile."""
        token = self.token
        if token is None or token.expires is None:
            return token
        left = token.expires - self._clock.wall()
        life = token.expires - self._begun
        if left > min(AHEAD, life * SHARE):
            return token
        if left > min(MARGIN, life * SHARE / 2):
            if self._task is None and not self._pausing():
                self._start()
            return token
        return None

    def drop(self, token: Token | None) -> None:
        """This token is worth nothing; one that has come since stays."""
        if self.token is token:
            self.token = None

    async def get(self) -> Token:
        """A token that can be used: the one at hand, or a new one, which all who ask wait for.

        Raises:
            Trouble: there is none.
        """
        token = self.at_hand()
        if token is not None:
            return token
        if self._trouble is not None and self._pausing():
            raise self._trouble
        return await asyncio.shield(self._task or self._start())

    def _pausing(self) -> bool:
        return self._clock.monotonic() < self._again

    def _start(self) -> asyncio.Task[Token]:
        task = asyncio.get_running_loop().create_task(self._renew())
        self._task = task
        task.add_done_callback(self._done)
        return task

    async def _renew(self) -> Token:
        try:
            token = await self._obtain()
        except Trouble as trouble:
            self._trouble = trouble
            self._again = self._clock.monotonic() + PAUSE
            raise
        self.put(token)
        self._came = self._clock.monotonic()
        return token

    def _done(self, task: asyncio.Task[Token]) -> None:
        self._task = None
        if not task.cancelled():
            task.exception()  # whoever waited has it
