"""Sessions of the handshake era: whether they are given out, needed, told apart, and ended.

Must not know: 2026-07-28, which has none.
"""

from __future__ import annotations

import asyncio
from typing import Final

from lockgate.doctor.checks.era import initialize
from lockgate.doctor.heard import Heard
from lockgate.doctor.http import HttpLine
from lockgate.doctor.http_voices import POSTED, SESSION, HandshakeHttp, initialize_params
from lockgate.doctor.visit import Visit

UNKNOWN: Final = "lockgate-check-no-such-session"
_TRIES: Final = 6
_NOT_FOUND: Final = 404
_NO_METHOD: Final = -32601
_ENDED: Final = (200, 202, 204)
_PROBE: Final = "tools/list"


async def open_session(visit: Visit, line: HttpLine) -> HandshakeHttp:
    """The handshake over HTTP; the session's id is kept secret from here on."""
    voice = HandshakeHttp(line)
    heard = await initialize(visit, voice)
    _opened(visit, voice, heard)
    return voice


def _opened(visit: Visit, voice: HandshakeHttp, heard: Heard) -> None:
    voice.session = heard.headers.get(SESSION)
    if voice.session:
        visit.black.learn(voice.session)
    agreed = (heard.result or {}).get("protocolVersion")
    voice.version = agreed if isinstance(agreed, str) and agreed.isascii() else None


async def sessions(visit: Visit, line: HttpLine) -> None:
    """All of it; the session of the other steps stays as it is."""
    voice = visit.voices.get("handshake")
    if not isinstance(voice, HandshakeHttp):
        visit.skip("2026-07-28 has no sessions")
        return
    if voice.session is None:
        visit.saw("none are given out: each request stands alone")
        return
    if not all("!" <= one <= "~" for one in voice.session):
        visit.find("session-id", "it is not visible ASCII")
    if not await _kept(visit, voice):
        return
    await _needed(visit, voice)
    await _ended(visit, line, voice)


async def _kept(visit: Visit, voice: HandshakeHttp) -> bool:
    """Whether the session is there for every request, whichever process it comes to."""
    # At once, so over several connections, which a balancer may send to several processes.
    asked = (voice.post(_PROBE, None, voice.headers()) for _ in range(_TRIES))
    answers = await asyncio.gather(*asked)
    lost = [one for one in answers if one.status in (400, _NOT_FOUND) and one.code != _NO_METHOD]
    if lost:
        visit.find("session-lost", f"{len(lost)} of {_TRIES} requests: {lost[0]}")
        return False
    visit.saw("an id is given out and kept")
    return True


async def _needed(visit: Visit, voice: HandshakeHttp) -> None:
    version = [("mcp-protocol-version", voice.version)] if voice.version else []
    bare = await voice.post(_PROBE, None, [*POSTED, *version])
    if bare.result is not None:
        visit.find("session-unneeded", str(bare))
    unknown = await voice.post(_PROBE, None, [*POSTED, *version, (SESSION, UNKNOWN)])
    if unknown.result is not None:
        visit.find("session-any", str(unknown))
    elif unknown.status != _NOT_FOUND:
        visit.find("session-code", str(unknown))
    else:
        visit.saw("unknown ids get 404")


async def _ended(visit: Visit, line: HttpLine, first: HandshakeHttp) -> None:
    second = HandshakeHttp(line)
    _opened(visit, second, await second.ask("initialize", initialize_params()))
    if second.session is None:
        return
    if second.session == first.session:
        visit.find("session-same")
        return
    await second.tell("notifications/initialized")
    ended = await second.end()
    if ended.status == 405:
        visit.find("session-end", str(ended))
        return
    if ended.status not in _ENDED:
        visit.find("session-end-fails", str(ended))
        return
    after = await second.ask(_PROBE)
    if after.result is not None:
        visit.find("session-undead", str(after))
    else:
        visit.saw("DELETE ends them")
        if after.status != _NOT_FOUND:
            visit.find("session-code", f"after DELETE: {after}")
