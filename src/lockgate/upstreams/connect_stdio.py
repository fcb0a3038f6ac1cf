"""Finding out what a server with one stream each way speaks, and its processes in each era.

Must not know: supervision, when to connect. In the stateless era one process serves everybody; in
the handshake era each session has a process of its own. A server that speaks both gets separate
processes for each. What is said of processes holds for WebSockets too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Literal

from lockgate.core.message import Call, ClientFacts, Era, Failure
from lockgate.upstreams.eras import HANDSHAKE, MODERN, Probe, eras_of, verdict
from lockgate.upstreams.handshake import Handshake
from lockgate.upstreams.http_modern import probe_of
from lockgate.upstreams.identity import FACTS, gateway_call
from lockgate.upstreams.opening import (
    DISCOVER_ID,
    INITIALIZE_ID,
    Learned,
    Refused,
    Surroundings,
    introduction,
    open_stdio,
    take_over,
)
from lockgate.upstreams.refusals import invalid, lost
from lockgate.upstreams.remote import Down, Stale
from lockgate.upstreams.sessions import Session
from lockgate.upstreams.stdio import ModernStdio, Spawn, StdioProcess
from lockgate.wire.handshake_out import initialize_params
from lockgate.wire.jsonrpc import Response, encode_request
from lockgate.wire.modern_out import request_params

PROBE_TIMEOUT: Final = 5.0
"""Seconds a process has to answer the probe before it is also tried the other way."""

Wanted = Literal["auto", "handshake", "modern"]


class StdioConnector:
    """The way to one stdio server."""

    def __init__(
        self,
        around: Surroundings,
        spawn: Spawn,
        wanted: Wanted,
        lost: Callable[[str], None],
        *,
        grace: float,
        probe_timeout: float = PROBE_TIMEOUT,
        spare: bool = False,
        apart: bool = False,
    ) -> None:
        """`lost` is told when a process ends by itself.

        spare  keep one process started for the next session that needs one.
        apart  the end of one session's connection says nothing about the server.
        """
        self.modern: ModernStdio | None = None
        self.handshake: Handshake | None = None
        self._latest: StdioProcess | None = None
        self._around = around
        self._spawn = spawn
        self._wanted: Wanted = wanted
        self._lost = lost
        self._grace = grace
        self._probe_timeout = probe_timeout
        self._spare: StdioProcess | None = None
        self._refilling: asyncio.Task[None] | None = None
        self._keep_spare = spare
        self._apart = apart
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process started last, while it runs."""
        return None if self._latest is None else self._latest.pid

    @property
    def last_words(self) -> str:
        """What the process started last wrote last to its standard error."""
        return "" if self._latest is None else self._latest.last_words

    async def open(self, facts: ClientFacts) -> Session | Failure:
        """Open one session of the handshake era, in a process of its own."""
        if self._spare is None and self._refilling is not None:
            # It is on its way, and there sooner than another one would be.
            await asyncio.wait((self._refilling,))
        process, self._spare = self._spare, None
        if process is None or not process.alive:
            try:
                process = await self._start()
            except Refused as error:
                return error.failure
        else:
            process.on_exit = self._ended
        if self._keep_spare and self._refilling is None:
            self._refilling = self._around.chores.add(self._refill())
        return await open_stdio(self._around, process, facts)

    async def _refill(self) -> None:
        """Have a process ready before somebody waits for it."""
        try:
            await self._start_spare()
        finally:
            self._refilling = None

    async def _start_spare(self) -> None:
        if self._spare is not None or self._closed:
            return
        process = StdioProcess(
            self._around.server, self._spawn, self._around.chores, grace=self._grace
        )
        await process.start()
        if self._spare is not None or self._closed:
            process.stop()
        else:
            self._spare = process

    async def connect(self, call: Call | None, known: Era | None) -> Learned:
        """Find out how the server is to be spoken to; `known` is what it spoke before.

        Raises:
            Down: it does not run.
            Refused: it answers, and there is nothing to be done with the answer.
            Stale: it does not speak the configured era.
        """
        if self._wanted == "handshake" or (self._wanted == "auto" and known == "handshake"):
            return await self._open_first(call)
        if self.modern is not None:
            self.modern.close()
            self.modern = None
        process = await self._start()
        try:
            return await self._probe(process, call)
        except Down as error:
            if self._wanted == "modern" or error.reason == "start-garbage":
                raise
            # It was there, and ended when it was asked: some servers end at whatever comes
            # before `initialize`.
            return await self._open_first(call)
        except BaseException:
            if self._spare is not process and process.alive and self.modern is None:
                process.stop()
            raise

    async def _start(self) -> StdioProcess:
        process = StdioProcess(
            self._around.server, self._spawn, self._around.chores, grace=self._grace
        )

        process.on_exit = self._ended
        self._latest = process
        await process.start()
        return process

    def _ended(self, why: str) -> None:
        if self.modern is None and not self._apart:
            # Otherwise one session ended, and what serves everybody else still runs.
            self._lost(why)

    async def _probe(self, process: StdioProcess, call: Call | None) -> Learned:
        discover = gateway_call("server/discover")
        asked = process.exchange(
            DISCOVER_ID,
            encode_request(DISCOVER_ID, discover.method, request_params(discover, DISCOVER_ID)),
        )
        done, _ = await asyncio.wait([asked], timeout=self._probe_timeout)
        if done:
            return await self._judge(process, call, asked.result())
        if self._wanted == "modern":
            return await self._judge(process, call, await asked)
        return await self._both_ways(process, call, asked)

    async def _judge(self, process: StdioProcess, call: Call | None, response: Response) -> Learned:
        probe, result = probe_of(None, response)
        found = verdict("stdio", probe)
        if found == "modern":
            return self._serve_modern(process, probe, result)
        if found == "unsupported":
            raise Refused(invalid(self._around.server, "it speaks no revision this gateway knows"))
        if self._wanted == "modern":
            raise Refused(
                invalid(self._around.server, "it does not speak 2026-07-28, as configured")
            )
        # The process has shown that it answers. The first to need a session gets it.
        self._spare = process
        if call is None or call.client.era != "handshake":
            return Learned("handshake", HANDSHAKE, final=True)
        return await self._open_first(call)

    def _serve_modern(self, process: StdioProcess, probe: Probe, result: bytes | None) -> Learned:
        self.modern = modern = ModernStdio(process)

        def exited(why: str) -> None:
            modern.ended(lost(self._around.server, why))
            if self.modern is modern:
                self.modern = None
                self._lost(why)

        process.on_exit = exited
        name, version = introduction(result, "discover")
        eras = eras_of(probe.supported) | MODERN
        return Learned("modern", eras, name, version, final=self._wanted == "modern")

    async def _both_ways(
        self, process: StdioProcess, call: Call | None, asked: asyncio.Future[Response]
    ) -> Learned:
        """Nothing came in time: an older server that stays silent, or a newer one that is slow."""
        facts = FACTS["handshake"] if call is None else call.client
        opened = process.exchange(
            INITIALIZE_ID, encode_request(INITIALIZE_ID, "initialize", initialize_params(facts))
        )
        await asyncio.wait([asked, opened], return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            late = asked.result()
            if verdict("stdio", probe_of(None, late)[0]) != "handshake":
                return await self._judge(process, call, late)
        response = await opened
        if response.error is not None:
            return await self._judge(process, call, await asked)
        session = take_over(self._around, process, facts, response)
        if self.handshake is not None:
            key_of = call if call is not None and call.client is facts else None
            call = key_of or gateway_call("ping", era="handshake")
            self.handshake.pool.adopt(self.handshake.key(call), session)
        return self._learned(session)

    async def _open_first(self, call: Call | None) -> Learned:
        if self.handshake is None:
            raise RuntimeError("the owner sets the link before connecting")
        if call is None or call.client.era != "handshake":
            call = gateway_call("ping", era="handshake")
        session = await self.handshake.session(call)
        if isinstance(session, Failure):
            raise Refused(session)
        return self._learned(session)

    @staticmethod
    def _learned(session: Session) -> Learned:
        name, version = introduction(session.greeting, "initialize")
        return Learned("handshake", HANDSHAKE, name, version, final=True)

    def rest(self) -> None:
        """End the processes nobody uses; sessions end by their own clock."""
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.stop()
        if self.modern is not None:
            self.modern.close()
            self.modern = None

    def close(self) -> None:
        """End every process."""
        self._closed = True
        self.rest()
        if self.handshake is not None:
            self.handshake.close()


__all__ = ["Down", "Stale", "StdioConnector"]
