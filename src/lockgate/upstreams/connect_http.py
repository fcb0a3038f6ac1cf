"""Finding out what an HTTP server speaks, and the links to it in each era.

Must not know: supervision, when to connect.
"""

from __future__ import annotations

from typing import Literal

from lockgate.core.message import Call, ClientFacts, Era, Failure, Principal
from lockgate.upstreams.authorized import Parties
from lockgate.upstreams.eras import HANDSHAKE, MODERN, eras_of, verdict
from lockgate.upstreams.failures import ConnectFailed, HttpFailure, TimedOut
from lockgate.upstreams.handshake import Handshake
from lockgate.upstreams.http_modern import ModernHttp
from lockgate.upstreams.http_sse import SseConnection
from lockgate.upstreams.identity import GATEWAY, gateway_call
from lockgate.upstreams.opening import (
    Learned,
    NotStreamable,
    Surroundings,
    introduction,
    open_http,
    open_stdio,
)
from lockgate.upstreams.parties import ModernForEach
from lockgate.upstreams.refusals import from_http, from_status, invalid
from lockgate.upstreams.remote import TOO_LONG, Down, Refused, Remote, Stale, unreachable
from lockgate.upstreams.sessions import Session
from lockgate.upstreams.stdio import Child, OnExit, OnLine, OnTooLong, StdioProcess

Wanted = Literal["auto", "handshake", "modern"]
Kind = Literal["auto", "streamable", "sse"]


class HttpConnector:
    """The way to one HTTP server. Its links stay the same for as long as it lives."""

    def __init__(
        self, around: Surroundings, remote: Remote | Parties, wanted: Wanted, kind: Kind = "auto"
    ) -> None:
        """`handshake` is set by the owner before anything is sent.

        remote  the one place to send to, or one for each party.
        kind  the transport; with `auto`, a server that does not know Streamable HTTP is tried
              with that of 2024-11-05, which has the handshake era only.
        """
        self._modern = ModernForEach(remote) if isinstance(remote, Parties) else ModernHttp(remote)
        self.modern: ModernHttp | ModernForEach | None = None if kind == "sse" else self._modern
        self.handshake: Handshake | None = None
        self.pid: int | None = None
        self.last_words = ""
        self._kind: Kind = kind
        self._sse = kind == "sse"
        self._streamable = kind == "streamable"
        self._around = around
        self._remote = remote
        self._wanted: Wanted = wanted

    def _place(self, principal: Principal) -> Remote:
        return self._remote.of(principal) if isinstance(self._remote, Parties) else self._remote

    async def open(self, facts: ClientFacts, principal: Principal = GATEWAY) -> Session | Failure:
        """Open one session of the handshake era, over the transport that has worked before."""
        place = self._place(principal)
        if self._sse:
            try:
                return await self._open_sse(facts, place)
            except Stale:
                self._sse = self._kind == "sse"
                raise
        try:
            return await open_http(self._around, place, facts)
        except NotStreamable as refusal:
            if self._streamable:
                raise
            return await self._try_sse(facts, place, refusal)

    async def _try_sse(
        self, facts: ClientFacts, place: Remote, refusal: Stale
    ) -> Session | Failure:
        try:
            session = await self._open_sse(facts, place)
        except Stale:
            raise refusal from None
        self._sse = isinstance(session, Session)
        return session

    async def _open_sse(self, facts: ClientFacts, place: Remote) -> Session | Failure:
        """A session with a stream of its own.

        Raises:
            Down: the server cannot be reached.
            Stale: it has no such stream.
        """

        def connection(on_line: OnLine, on_exit: OnExit, on_too_long: OnTooLong) -> Child:
            return SseConnection(place, on_line, on_exit, on_too_long)

        stream = StdioProcess(self._around.server, connection, self._around.chores)
        try:
            await stream.start()
        except Refused as error:
            return error.failure
        return await open_stdio(self._around, stream, facts)

    async def connect(self, call: Call | None, known: Era | None) -> Learned:
        """Find out how the server is to be spoken to; `known` is what it spoke before.

        Raises:
            Down: it cannot be reached, or is in no state to tell.
            Refused: it answers, and there is nothing to be done with the answer.
        """
        only = self._wanted == "handshake" or self._kind == "sse"
        if only or (self._wanted == "auto" and known == "handshake"):
            try:
                return await self._open_first(call)
            except Stale:
                if only:
                    raise
        return await self._probe(call)

    async def _probe(self, call: Call | None) -> Learned:
        server = self._around.server
        principal = GATEWAY if call is None else call.principal
        most = self._place(principal).max_message
        try:
            probe, result = await self._modern.probe(principal)
        except ConnectFailed as error:
            raise unreachable(error) from None
        except TimedOut as error:
            if error.phase == "connect":
                raise Down(str(error), TOO_LONG, reason="connect-timeout") from None
            raise Refused(from_http(server, error, most)) from None
        except HttpFailure as error:
            raise Refused(from_http(server, error, most)) from None
        found = verdict("http", probe)
        if found == "modern":
            self._streamable = True
            name, version = introduction(result, "discover")
            eras = eras_of(probe.supported) | MODERN
            return Learned("modern", eras, name, version, final=self._wanted == "modern")
        if found == "none":
            raise Refused(from_status(server, probe.status or 0))
        if found == "unsupported":
            raise Refused(invalid(server, "it speaks no revision this gateway knows"))
        if self._wanted == "modern":
            raise Refused(invalid(server, "it does not speak 2026-07-28, as configured"))
        return await self._open_first(call)

    async def _open_first(self, call: Call | None) -> Learned:
        """Prove the handshake era by opening a session, the one the waiting call needs."""
        if self.handshake is None:
            raise RuntimeError("the owner sets the link before connecting")
        if call is None or call.client.era != "handshake":
            principal = GATEWAY if call is None else call.principal
            call = gateway_call("ping", era="handshake").replace(principal=principal)
        session = await self.handshake.prove(call)
        if isinstance(session, Failure):
            raise Refused(session)
        name, version = introduction(session.greeting, "initialize")
        return Learned("handshake", HANDSHAKE, name, version, final=True)

    def rest(self) -> None:
        """Nothing to end: connections have their own clock."""

    def close(self) -> None:
        """End everything."""
        self._modern.close()
        if self.handshake is not None:
            self.handshake.close()
