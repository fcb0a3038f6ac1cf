"""Servers that speak HTTP+SSE of 2024-11-05: one stream for what comes, POST for the rest.

Must not know: what is asked over it.
"""

from __future__ import annotations

from typing import Final

from lockgate.doctor.checks import era
from lockgate.doctor.heard import Heard
from lockgate.doctor.http import LARGEST, HttpLine
from lockgate.doctor.http_voices import initialize_params
from lockgate.doctor.stdio import Process, StdioVoice
from lockgate.doctor.visit import Visit
from lockgate.upstreams.http_sse import SseConnection
from lockgate.upstreams.remote import Down, Refused, Remote, Stale
from lockgate.upstreams.stdio import OnExit, OnLine, OnTooLong

OTHER: Final = "it belongs to Streamable HTTP"


def _connection(visit: Visit, remote: Remote) -> Process:
    def spawn(on_line: OnLine, on_exit: OnExit, on_too_long: OnTooLong) -> SseConnection:
        return SseConnection(remote, on_line, on_exit, on_too_long)

    return Process(visit, spawn)


async def introduce(visit: Visit, line: HttpLine) -> list[Process]:
    """The handshake, over a connection that stays open; the connections, to be ended."""
    process = _connection(visit, line.remote(LARGEST))
    try:
        await process.start()
    except (Down, Refused, Stale) as error:
        visit.find("sse-endpoint", str(error))
        visit.bar("there is nowhere to post to")
        return []
    voice = StdioVoice(visit, process, "handshake")
    heard = await era.initialize(visit, voice)
    if heard.result is not None:
        await era.initialized(visit, voice)
    era.eras(visit)
    return [process]


async def unknown(visit: Visit, line: HttpLine, opened: list[Process]) -> Heard:
    """What becomes of a revision that never was, over a connection of its own."""
    process = _connection(visit, line.remote(LARGEST))
    await process.start()
    opened.append(process)
    return await process.ask("initialize", initialize_params(era.NEVER), visit.patience.answer)
