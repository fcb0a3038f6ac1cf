"""Who answers a request that a server of the handshake era makes.

Must not know: transports, or how a client is reached. In this order: the call on whose own stream
it came; a client that can be asked outside of calls; the only call it can belong to; whichever of
these turns up shortly; nobody, and the server is told so.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from lockgate.core.message import Ask, Failure, Result
from lockgate.upstreams.flights import Asked, Flight
from lockgate.wire.jsonrpc import INTERNAL_ERROR, NO_DATA, encode_error, encode_result

if TYPE_CHECKING:
    from lockgate.upstreams.sessions import Session

_log: Final = logging.getLogger("lockgate.servers")
LIMIT: Final = 32
PATIENCE: Final = 5.0
CAN_WAIT: Final = frozenset({"tools/call", "prompts/get", "resources/read", "completion/complete"})
"""Methods whose callers take a question for an answer; who lists expects a list."""


class Questions:
    """The server's requests of one session that nobody has answered yet."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.open: list[Asked] = []
        self._timer: asyncio.TimerHandle | None = None
        self._asking: dict[asyncio.Task[None], Asked] = {}

    def put(self, asked: Asked, flight: Flight | None) -> None:
        """Find somebody who answers `asked`."""
        if self._placed(asked, flight):
            return
        if len(self.open) + len(self._asking) >= LIMIT:
            self._refuse(asked, "Too many requests of this server wait for an answer.")
            return
        self.open.append(asked)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._give_up)

    def look_again(self) -> None:
        """Somebody new is here who may answer."""
        waiting, self.open = self.open, []
        self.open = [asked for asked in waiting if not self._placed(asked, None)]

    def withdraw(self, request_id: object) -> None:
        """The server no longer wants an answer."""
        self.open = [asked for asked in self.open if asked.id != request_id]
        for flight in self._session.flights.values():
            flight.withdraw(request_id)
        for task, asked in tuple(self._asking.items()):
            if asked.id == request_id:
                task.cancel()

    def close(self) -> None:
        """The session is over."""
        self.open = []
        if self._timer is not None:
            self._timer.cancel()
        for task in tuple(self._asking):
            task.cancel()

    def _placed(self, asked: Asked, flight: Flight | None) -> bool:
        session = self._session
        if flight is None or flight.method not in CAN_WAIT:
            flight = session.only_flight(CAN_WAIT)
            ask = self._listening()
            if ask is not None and (flight is None or not session.channel.one_stream):
                self._ask_listener(ask, asked)
                return True
        if flight is None:
            if not any(one.method in CAN_WAIT for one in session.flights.values()):
                return False
            self._refuse(asked, "It cannot be told which of several calls this request is for.")
        elif not flight.ask(asked):
            self._refuse(asked, "Too many requests wait for the client of this call.")
        return True

    def _listening(self) -> Ask | None:
        """How to ask the one client that listens; None when there is none, or more than one."""
        asking = [one for one in self._session.listeners if one.ask is not None]
        if not asking or len({one.affinity for one in asking}) > 1 or len(self._asking) >= LIMIT:
            return None
        return asking[-1].ask

    def _ask_listener(self, ask: Ask, asked: Asked) -> None:
        task = asyncio.get_running_loop().create_task(self._relay(ask, asked))
        self._asking[task] = asked
        task.add_done_callback(self._asked)

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._asking.pop(task, None)

    async def _relay(self, ask: Ask, asked: Asked) -> None:
        post = self._session.channel.post
        try:
            reply = await ask(asked.method, asked.params)
        except Exception:
            _log.exception("a server's %s could not be put to its client", asked.method[:64])
            reply = Failure(
                INTERNAL_ERROR,
                "The client could not be asked.",
                "gateway",
                "gateway-crashed",
                remedy="The gateway's log has the cause.",
            )
        if isinstance(reply, Result):
            post(encode_result(asked.id, reply.raw.encode()))
        else:
            data = NO_DATA if reply.data is None else reply.data
            post(encode_error(asked.id, reply.code, reply.message, data))

    def _give_up(self) -> None:
        self._timer = None
        waiting, self.open = self.open, []
        for asked in waiting:
            self._refuse(asked, "No client is here to answer this request.")

    def _refuse(self, asked: Asked, why: str) -> None:
        self._session.channel.post(encode_error(asked.id, INTERNAL_ERROR, why))
