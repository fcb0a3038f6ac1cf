"""A server at a WebSocket: the upgrade, the eras, and what comes on it beside messages.

Must not know: what is asked over it in between. No revision of the protocol describes this
transport; the subprotocol is `mcp`, as official SDKs have it.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.legible import shortened, visible
from lockgate.doctor.checks import era
from lockgate.doctor.heard import Heard
from lockgate.doctor.http_voices import initialize_params, modern_params
from lockgate.doctor.stdio import LIMITS, Process, StdioVoice
from lockgate.doctor.visit import SocketSubject, Visit
from lockgate.upstreams.pool import HttpPool
from lockgate.upstreams.remote import Down, Refused
from lockgate.upstreams.spec import WebSocketSpec
from lockgate.upstreams.stdio import OnExit, OnLine, OnTooLong
from lockgate.upstreams.websocket import SUBPROTOCOL, WebSocketConnection

_SHOWN: Final = 3
_KINDS: Final = {
    "websocket-library": "socket-library",
    "upstream-unauthorized": "socket-guarded",
    "upstream-forbidden": "socket-guarded",
}


class Sockets:
    """The connections to one server: one for each era, so that none disturbs another."""

    def __init__(self, visit: Visit, subject: SocketSubject, pool: HttpPool) -> None:
        """Nothing is opened yet."""
        self.opened: list[Process] = []
        self._visit = visit
        self._subject = subject
        self._pool = pool
        self._first: Process | None = None

    async def upgrade(self) -> None:
        """The first connection."""
        visit = self._visit
        try:
            process, connection = await self._open()
        except Refused as refused:
            kind = _KINDS.get(refused.failure.reason or "", "socket-refused")
            visit.guarded = kind == "socket-guarded"
            visit.find(kind, refused.failure.message)
            visit.bar("the upgrade is refused")
            return
        except Down as down:
            visit.find("socket-broken", str(down))
            visit.bar("there is no WebSocket")
            return
        self._first = process
        visit.saw(f"the upgrade is taken; subprotocol: {connection.subprotocol or 'none'}")
        if connection.subprotocol != SUBPROTOCOL:
            visit.find("socket-subprotocol", f"asked for {SUBPROTOCOL}")

    async def _open(self) -> tuple[Process, WebSocketConnection]:
        made: list[WebSocketConnection] = []
        subject = self._subject
        spec = WebSocketSpec(
            url=subject.url,
            headers=dict(subject.headers),
            connect_timeout=self._visit.patience.connect,
        )

        def spawn(line: OnLine, gone: OnExit, long: OnTooLong) -> WebSocketConnection:
            most = LIMITS.message_bytes
            one = WebSocketConnection(subject.name, spec, most, self._pool.tls, line, gone, long)
            made.append(one)
            return one

        process = Process(self._visit, spawn)
        await process.start()
        self.opened.append(process)
        return process, made[0]

    async def eras(self) -> None:
        """What it speaks."""
        visit, first = self._visit, self._first
        if first is None:
            return
        voice = StdioVoice(visit, first, "modern")
        heard = await voice.ask("server/discover", within=visit.patience.start)
        visit.reached = heard.response is not None
        modern = era.discovered(visit, heard, voice)
        # Some servers close the connection at a request before initialize.
        fresh = modern or first.ended is not None
        older = await self._another() if fresh else first
        if older is not None:
            other = StdioVoice(visit, older, "handshake")
            answer = await era.initialize(visit, other)
            if answer.result is not None:
                await era.initialized(visit, other)
            visit.reached = visit.reached or answer.response is not None
        era.eras(visit)

    async def _another(self) -> Process | None:
        try:
            return (await self._open())[0]
        except (Down, Refused):
            return None

    async def unknown(self) -> tuple[Heard | None, Heard | None]:
        """What becomes of a revision that never was, in each era."""
        visit = self._visit
        modern: Heard | None = None
        voice = visit.voices.get("modern")
        if isinstance(voice, StdioVoice):
            params = modern_params({}, era.NEVER)
            modern = await voice.process.ask("server/discover", params, visit.patience.answer)
        other = await self._another() if "handshake" in visit.voices else None
        if other is None:
            return modern, None
        asked = initialize_params(era.NEVER)
        return modern, await other.ask("initialize", asked, visit.patience.answer)

    def frames(self) -> None:
        """What came that is no message, and whether connections stayed open."""
        visit = self._visit
        noise = [line for one in self.opened for line in one.noise]
        lines = sum(one.lines for one in self.opened)
        if noise:
            shown = (repr(shortened(visible(one.decode("utf-8", "replace")), 80)) for one in noise)
            visit.find("socket-noise", "; ".join([*shown][:_SHOWN]))
        for one in self.opened:
            if one.ended is not None:
                visit.find("socket-closed", one.ended)
        visit.saw(f"{lines - len(noise)} messages" if lines else "nothing came")

    def close(self) -> None:
        """End them all."""
        for one in self.opened:
            one.child.abort()
