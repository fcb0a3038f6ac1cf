"""One session with a server of the handshake era: calls out, answers and questions in.

Must not know: HTTP or processes; those are the `Channel`. Nor which sessions exist.

Every message that arrives comes through `receive`, with the request on whose own stream it came
when the transport has such streams. What a server asks during a call ends that call's wait with
`input_required`; the request itself stays open at the server until the answers come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from itertools import count
from typing import Any, Final, Literal, Protocol

from lockgate.core.lifecycle import Step, Table
from lockgate.core.message import Call, ClientFacts, Failure, Reply, Result
from lockgate.core.raw import EMPTY, Raw, encode
from lockgate.upstreams.flights import Asked, Flight, Listener, text
from lockgate.upstreams.identity import gateway_call
from lockgate.upstreams.parking import Parked, Parking
from lockgate.upstreams.questions import Questions
from lockgate.upstreams.refusals import busy, from_error, invalid, session_lost, unknown_state
from lockgate.upstreams.subscribed import Subscribed
from lockgate.wire.handshake_out import (
    LEVELS,
    PROGRESS,
    Opening,
    answer,
    canonical,
    request_params,
)
from lockgate.wire.jsonrpc import (
    INTERNAL_ERROR,
    Malformed,
    Notice,
    Request,
    Response,
    decode,
    encode_error,
    encode_notice,
    encode_request,
    encode_result,
)
from lockgate.wire.modern_out import MESSAGE, progress_token, request_of

CHANGES: Final = {
    "notifications/tools/list_changed": "tools",
    "notifications/prompts/list_changed": "prompts",
    "notifications/resources/list_changed": "resources",
}
UPDATED: Final = "notifications/resources/updated"
CANCELLED: Final = "notifications/cancelled"
SET_LEVEL: Final = "logging/setLevel"

Key = tuple[str, str, str | None]
"""Principal, capabilities, affinity: callers with equal keys may share a session."""

SETTLE: Final = 0.03
"""Seconds without a further question after which those that have come are passed on: enough for a
server that asks several at once, and nothing to a person who answers."""

Phase = Literal["open", "forgotten", "closed"]
Event = Literal["forget", "drain", "lose", "close"]
Action = Literal["end the listening", "fail the calls", "close the channel"]

TABLE: Final[Table[Phase, Event, Action]] = {
    ("open", "forget"): Step("forgotten", "end the listening"),
    ("open", "lose"): Step("closed", "fail the calls"),
    ("open", "close"): Step("closed", "close the channel"),
    ("forgotten", "drain"): Step("closed", "close the channel"),
    ("forgotten", "lose"): Step("closed", "fail the calls"),
    ("forgotten", "close"): Step("closed", "close the channel"),
}
"""forget: the server knows the session no more, but what runs in it may still end by itself.
drain: now it has. lose: the transport is gone."""


class Channel(Protocol):
    """What carries one session's messages."""

    one_stream: bool
    """All messages arrive on one stream, so that nothing says which request one belongs to."""

    def run(self, flight: Flight, body: bytes) -> Awaitable[None]:
        """Send a request, when awaited, and return once its flight has landed."""
        ...

    def park(self, flight: Flight) -> None:
        """Nobody waits for this flight for now; keep taking in what comes for it."""
        ...

    def abandon(self, flight: Flight) -> None:
        """Nobody will wait for this flight again."""
        ...

    def post(self, body: bytes) -> None:
        """Send a notification or a response; if it fails, nobody needs to know."""
        ...

    def answer(self, flight: Flight, body: bytes) -> None:
        """Send the answer to a question of the flight's; if it fails, so does the flight."""
        ...

    async def listen(self) -> None:
        """Take in what the server says outside of calls, from now on."""
        ...

    def unlisten(self) -> None:
        """No longer."""
        ...

    def close(self) -> None:
        """End the session."""
        ...


class Session:
    """One open session.

    key        what the pool knows it by.
    opening    the server's own answer to `initialize`, `greeting` its bytes.
    used       when it last did something, on the monotonic clock; kept by the pool.
    phase      where in `TABLE` it stands.
    """

    def __init__(
        self,
        server: str,
        channel: Channel,
        *,
        facts: ClientFacts,
        opening: Opening,
        greeting: bytes,
        parking: Parking,
        changed: Callable[[str], None],
    ) -> None:
        self.server = server
        self.channel = channel
        self.facts = facts
        self.opening = opening
        self.greeting = greeting
        self.key: Key = ("", "", None)
        self.used = 0.0
        self.phase: Phase = "open"
        self.flights: dict[int, Flight] = {}
        self.listeners: list[Listener] = []
        self._subscribed = Subscribed(self._subscribe, self._unsubscribe)
        self._parking = parking
        self._changed = changed
        self._ids = count(1)
        self._keys = count(1)
        self._level: str | None = None
        self._waiting: set[Flight] = set()
        self._questions = Questions(self)

    @property
    def alive(self) -> bool:
        """Whether calls can be made in it."""
        return self.phase == "open"

    @property
    def occupied(self) -> bool:
        """A further call would make it impossible to tell which one the server asks something for.

        That is so where all calls share one stream, while one of them waits for answers.
        """
        waiting = self._waiting
        return (
            self.channel.one_stream
            and bool(waiting)
            and any(flight.phase == "parked" for flight in waiting)
        )

    @property
    def idle(self) -> bool:
        """Nothing would be lost by ending it but what the server keeps for it."""
        return not self.flights and not self.listeners

    async def call(self, call: Call) -> Reply:
        """Answer the call. Raises what the channel raises when the call was not executed."""
        level = call.client.log_level
        if level is not None and level != self._level and call.method != SET_LEVEL:
            await self._set_level(level)
        flight = Flight(next(self._ids), call)
        body = encode_request(flight.id, call.method, request_params(call, flight.id))
        self.flights[flight.id] = flight
        if self._questions.open:
            self._questions.look_again()
        try:
            await self.channel.run(flight, body)
            if not flight.over:
                await self._gather(flight)
        except asyncio.CancelledError:
            self.abandon(flight, "The caller cancelled the call.")
            raise
        except BaseException:
            self.flights.pop(flight.id, None)
            flight.report("refuse")
            self._left()
            raise
        if flight.response is not None and call.method == SET_LEVEL:
            self._level = call.params.get("level")
        return self._land(flight, call)

    async def resume(self, parked: Parked, call: Call) -> Reply:
        """Give the server the answers in `call` and wait on."""
        flight = parked.flight
        self._waiting.discard(flight)
        if flight.phase == "gone":
            # Given up meanwhile: the server was told, and works on it no more.
            return unknown_state()
        if not self.alive and not flight.over:
            # The server takes no answers in a session it has forgotten.
            self.abandon(flight, "")
            return session_lost(self.server)
        answers = call.params.object("inputResponses")
        unanswered: list[Asked] = []
        for key, asked in parked.asks.items():
            value = answers.member(key)
            if value is None:
                unanswered.append(asked)
            elif self.alive:
                self.channel.answer(flight, answer(asked.id, value))
        flight.resume(call, unanswered)
        try:
            await self._gather(flight)
        except asyncio.CancelledError:
            self.abandon(flight, "The caller cancelled the call.")
            raise
        return self._land(flight, call)

    async def _gather(self, flight: Flight) -> None:
        """Wait for the answer, or for a question and a moment longer for those asked with it."""
        while not flight.over:
            await flight.wait()
            seen = 0
            while seen < len(flight.asks) and not flight.over:
                seen = len(flight.asks)
                self.channel.park(flight)
                await asyncio.sleep(SETTLE)
            if flight.asks:
                return

    def abandon(self, flight: Flight, why: str) -> None:
        """Forget a request and tell the server that nobody waits for it."""
        self._waiting.discard(flight)
        self._parking.forget(flight)
        if self.flights.pop(flight.id, None) is None:
            return
        self.channel.abandon(flight)
        if flight.abandon(session_lost(self.server)) and self.alive:
            params = encode({"requestId": flight.id, "reason": why})
            self.channel.post(encode_notice(CANCELLED, params))
        self._left()

    def give_up_waiting(self) -> None:
        """Abandon the calls that wait for their clients' answers, for others need the session."""
        for flight in [one for one in self._waiting if one.phase == "parked"]:
            self.abandon(flight, "The client did not answer, and others wait.")

    def _land(self, flight: Flight, call: Call) -> Reply:
        if not flight.over:
            return self._park(flight, call)
        self.flights.pop(flight.id, None)
        flight.report("land")
        if self.phase != "open":
            self._left()
        response = flight.response
        if response is None:
            return flight.failure or session_lost(self.server)
        if response.error is not None:
            return from_error(response.error)
        result = response.result or b"null"
        if result[:1] != b"{":
            return invalid(self.server, "its result is not an object")
        return Result(Raw(result))

    def _park(self, flight: Flight, call: Call) -> Reply:
        asks = {f"{asked.method}-{next(self._keys)}": asked for asked in flight.asks}
        flight.asks.clear()
        handle = self._parking.park(self, flight, asks, call)
        if handle is None:
            for asked in asks.values():
                self.channel.post(
                    encode_error(asked.id, INTERNAL_ERROR, "Too many calls wait for input.")
                )
            self.abandon(flight, "Too many calls wait for input.")
            return busy(self.server, "too many of its calls wait for their clients' input")
        flight.report("park")
        self.channel.park(flight)
        self._waiting.add(flight)
        requests = Raw(members={key: _request(asked) for key, asked in asks.items()})
        asks_for = Raw(members={"inputRequests": requests.encode(), "requestState": encode(handle)})
        return Result(asks_for, "input_required")

    async def _set_level(self, level: str) -> None:
        now = LEVELS.get(self._level or "", -1)
        if self.channel.one_stream and 0 <= now <= LEVELS.get(level, 0):
            # Several callers may share what comes here: the most talkative level serves them all.
            return
        self._level = level
        if self.opening.offers("logging"):
            await self.call(gateway_call(SET_LEVEL, {"level": level}, era="handshake"))

    # What arrives.

    def receive(self, data: bytes, flight: Flight | None = None) -> bool:
        """Take in one message; `flight` is the request on whose own stream it came.

        False: it was none.
        """
        try:
            message = decode(data)
        except Malformed as error:
            if flight is not None:
                flight.fail(invalid(self.server, error.message))
            return False
        if isinstance(message, Response):
            self._response(message, flight)
        elif isinstance(message, Notice):
            self._notice(message, flight)
        else:
            self._request(message, flight)
        return True

    def _response(self, response: Response, flight: Flight | None) -> None:
        found = self.flights.get(response.id) if isinstance(response.id, int) else None
        if found is None and response.error is not None:
            # An error without our id can only mean the request whose stream it came on.
            found = flight
        if found is not None:
            found.settle(response)

    def _request(self, request: Request, flight: Flight | None) -> None:
        if request.method == "ping":
            self.channel.post(encode_result(request.id, b"{}"))
        else:
            self._questions.put(Asked(request.id, request.method, request.params), flight)

    def _notice(self, notice: Notice, flight: Flight | None) -> None:
        method = notice.method
        if method == PROGRESS:
            self._progress(notice)
        elif method == CANCELLED:
            self._questions.withdraw(request_of(notice.params))
        elif method in CHANGES or method == UPDATED:
            self._change(notice, flight)
        else:
            self._said(notice, flight)

    def _progress(self, notice: Notice) -> None:
        token = progress_token(notice.params)
        flight = self.flights.get(token) if isinstance(token, int) else None
        if flight is not None and flight.wants_progress:
            flight.emit(canonical(PROGRESS, notice.params))

    def _change(self, notice: Notice, flight: Flight | None) -> None:
        subject = CHANGES.get(notice.method)
        if subject is not None:
            self._changed(subject)
        if not self._to_listeners(notice) and flight is not None:
            flight.emit(canonical(notice.method, notice.params))

    def _said(self, notice: Notice, flight: Flight | None) -> None:
        """A log message, or something nobody here knows."""
        if flight is None and notice.method == MESSAGE and self.channel.one_stream:
            flight = self.only_flight()
        if flight is None and not self._to_listeners(notice) and self.channel.one_stream:
            flight = self.only_flight()
        if flight is not None and self._audible(notice, flight):
            flight.emit(canonical(notice.method, notice.params))

    def _audible(self, notice: Notice, flight: Flight) -> bool:
        if notice.method != MESSAGE or flight.log_level in {None, self._level}:
            return True
        said = LEVELS.get(text(notice.params, "level") or "", len(LEVELS))
        return said >= LEVELS.get(flight.log_level or "", 0)

    def _to_listeners(self, notice: Notice) -> bool:
        notification = canonical(notice.method, notice.params)
        taken = False
        for listener in tuple(self.listeners):
            if listener.takes(notification):
                listener.emit(notification)
                taken = True
        return taken

    def only_flight(self, methods: frozenset[str] | None = None) -> Flight | None:
        """The one request that something unattributed can only belong to; None when unsure.

        Only requests of `methods` count, if given. Several requests of one client session count
        as one: the newest of them.
        """
        flights = [
            flight
            for flight in self.flights.values()
            if methods is None or flight.method in methods
        ]
        if len(flights) > 1:
            affinity = flights[0].affinity
            if affinity is None or any(flight.affinity != affinity for flight in flights):
                return None
        return flights[-1] if flights else None

    # Listening and ending.

    async def add(self, listener: Listener) -> None:
        """Give this listener what comes outside of calls."""
        self.listeners.append(listener)
        if self._questions.open:
            self._questions.look_again()
        await self.channel.listen()

    def remove(self, listener: Listener) -> None:
        """No longer; the last to go closes the stream."""
        if listener in self.listeners:
            self.listeners.remove(listener)
        for uri in tuple(listener.uris):
            self._subscribed.remove(listener, uri)
        if not self.listeners:
            self.channel.unlisten()

    async def subscribe(self, listener: Listener, uri: str) -> Failure | None:
        """Have the server report changes of `uri`; why not, if it does not."""
        return await self._subscribed.add(listener, uri)

    def _subscribe(self, uri: str) -> Coroutine[Any, Any, Reply]:
        return self.call(gateway_call("resources/subscribe", {"uri": uri}, era="handshake"))

    def _unsubscribe(self, uri: str) -> None:
        if self.alive:
            params = encode({"uri": uri})
            self.channel.post(encode_request(next(self._ids), "resources/unsubscribe", params))

    def notify(self, method: str, params: Raw = EMPTY) -> None:
        """Send the server a notification of the client's."""
        self.channel.post(encode_notice(method, params.encode()))

    def ended(self, failure: Failure) -> None:
        """The transport is gone: whoever waits learns it."""
        self._report("lose", failure)

    def dropped(self, request_id: int | None, failure: Failure) -> None:
        """An answer was dropped: its call fails, if it can be told which it is."""
        if request_id is None and len(self.flights) == 1:
            [request_id] = self.flights
        flight = self.flights.get(request_id) if request_id is not None else None
        if flight is not None:
            flight.fail(failure)

    def expire(self) -> None:
        """The server knows this session no more; what still runs may still end by itself."""
        self._report("forget")
        self._left()

    def close(self) -> None:
        """End the session from this side."""
        self._report("close")

    def _left(self) -> None:
        """A request has left; the last one to leave a forgotten session ends it."""
        if self.phase == "forgotten" and not self.flights:
            self._report("drain")

    def _report(self, event: Event, failure: Failure | None = None) -> None:
        """Take the step that `event` names, if there is one; calls that fail get `failure`."""
        step = TABLE.get((self.phase, event))
        if step is None:
            return
        self.phase = step.phase
        flights = tuple(self.flights.values())
        if step.action != "end the listening":
            self._questions.close()
            for flight in flights:
                flight.fail(failure or session_lost(self.server))
        for listener in tuple(self.listeners):
            listener.end(gracefully=False)
        if step.action == "close the channel":
            for flight in flights:
                self.channel.abandon(flight)
            self.channel.close()


def _request(asked: Asked) -> bytes:
    return Raw(members={"method": encode(asked.method), "params": asked.params.encode()}).encode()
