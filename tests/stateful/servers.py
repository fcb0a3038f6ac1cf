"""A server of the handshake era behind real sessions, at the seam where transports begin.

Knows the wire of a session, nothing of who may do what: the tests' models know that.
"""

from __future__ import annotations

from typing import Any

from lockgate.core.message import ClientFacts
from lockgate.core.raw import Raw
from lockgate.upstreams.flights import Flight
from lockgate.upstreams.http_handshake import Expired
from lockgate.upstreams.parking import Parking
from lockgate.upstreams.refusals import lost
from lockgate.upstreams.sessions import Session
from lockgate.wire.handshake_out import Opening
from lockgate.wire.jsonrpc import (
    Malformed,
    Notice,
    Request,
    Response,
    decode,
    encode_notice,
    encode_request,
    encode_result,
)

SERVER = "it"
CAPABILITIES: dict[str, Any] = {
    "tools": {"listChanged": True},
    "resources": {"subscribe": True, "listChanged": True},
}


class Wire:
    """The `Channel` of one session: what the server got, and what it says."""

    def __init__(self, number: int, facts: ClientFacts, parking: Parking, *, one: bool) -> None:
        self.number = number
        self.one_stream = one
        self.requests: dict[int, Request] = {}
        self.flights: dict[int, Flight] = {}
        self.answers: list[Response] = []
        self.cancelled: list[int] = []
        self.abandoned: list[int] = []
        self.closed = 0
        self.forgotten = False
        self.dead = False
        self.listening = False
        self.changed: list[str] = []
        self.subscribed: set[str] = set()
        self._asked = 0
        opening = Opening(protocol_version="2025-11-25", capabilities=CAPABILITIES)
        self.session = Session(
            SERVER,
            self,
            facts=facts,
            opening=opening,
            greeting=b"{}",
            parking=parking,
            changed=self.changed.append,
        )

    # What the session does.

    async def run(self, flight: Flight, body: bytes) -> None:
        if self.forgotten:
            raise Expired
        request = decode(body)
        assert isinstance(request, Request)
        assert isinstance(request.id, int)
        assert request.id not in self.requests, "an id was used twice"
        self.requests[request.id] = request
        self.flights[request.id] = flight
        if request.method in {"resources/subscribe", "resources/unsubscribe"}:
            self._subscription(request)
            return
        await flight.wait()

    def _subscription(self, request: Request) -> None:
        uri = request.params["uri"]
        if request.method == "resources/subscribe":
            assert uri not in self.subscribed, "subscribed twice"
            self.subscribed.add(uri)
        else:
            self.subscribed.remove(uri)
        assert isinstance(request.id, int)
        self.session.receive(encode_result(request.id, b"{}"))

    def park(self, flight: Flight) -> None:
        assert flight.id not in self.abandoned

    def abandon(self, flight: Flight) -> None:
        self.abandoned.append(flight.id)

    def post(self, body: bytes) -> None:
        message = _read(body)
        if isinstance(message, Notice):
            assert message.method == "notifications/cancelled"
            self.cancelled.append(message.params["requestId"])
        elif isinstance(message, Response):
            self.answers.append(message)
        else:
            assert message.method == "resources/unsubscribe"
            self._subscription(message)

    def answer(self, flight: Flight, body: bytes) -> None:
        message = _read(body)
        assert isinstance(message, Response)
        assert flight.id in self.flights
        self.answers.append(message)

    async def listen(self) -> None:
        self.listening = True

    def unlisten(self) -> None:
        self.listening = False

    def close(self) -> None:
        self.closed += 1

    # What the server does.

    def ask(self, flight: int, method: str = "elicitation/create") -> str:
        """Ask something during a request; the question's id."""
        self._asked += 1
        name = f"{self.number}.{flight}.{self._asked}"
        params = Raw.of({"message": name}).encode()
        self.session.receive(encode_request(name, method, params), self.flights[flight])
        return name

    def withdraw(self, question: str) -> None:
        """No longer want an answer."""
        params = Raw.of({"requestId": question}).encode()
        self.session.receive(encode_notice("notifications/cancelled", params))

    def finish(self, flight: int, said: str) -> None:
        """Answer a request."""
        result = encode_result(flight, Raw.of({"said": said}).encode())
        self.session.receive(result, self.flights[flight])

    def die(self) -> None:
        """The transport is gone, if it has not been closed."""
        self.dead = self.dead or not self.closed
        self.forgotten = True
        self.session.ended(lost(SERVER, "it died"))


def _read(body: bytes) -> Request | Notice | Response:
    try:
        return decode(body)
    except Malformed as error:
        raise AssertionError(error) from error
