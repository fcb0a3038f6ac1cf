"""Event streams: that they begin at once, are whole, and hold nothing but messages.

Must not know: what is told on them.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.legible import visible
from lockgate.doctor.heard import EVENTS, Heard
from lockgate.doctor.http import HttpLine, Stream
from lockgate.doctor.http_voices import HandshakeHttp
from lockgate.doctor.visit import ERAS, Visit
from lockgate.wire.jsonrpc import Malformed

BUFFERING: Final = "x-accel-buffering"
_NONE: Final = (400, 404, 405, 406, 501)


async def streaming(visit: Visit, line: HttpLine) -> None:
    """How answers come, and the stream for what the server says by itself."""
    for era, voice in visit.voices.items():
        heard = await voice.ask("tools/list")
        judge(visit, heard)
        how = "as event streams" if heard.streamed else "as JSON"
        visit.saw(f"{ERAS[era]}: answers come {how}")
    voice = visit.voices.get("handshake")
    if isinstance(voice, HandshakeHttp):
        visit.saw(await _get(visit, line, voice))


def judge(visit: Visit, heard: Heard) -> None:
    """What came as an event stream."""
    if not heard.streamed:
        return
    if heard.response is None and heard.trouble in (None, "lost"):
        visit.find("stream-cut", f"after {len(heard.events)} events")
    if any(isinstance(one, Malformed) for one in heard.messages()):
        visit.find("stream-noise", visible(heard.events[0][:80].decode("utf-8", "replace")))
    if heard.headers.get(BUFFERING, "").lower() != "no":
        visit.find("stream-buffered")


async def _get(visit: Visit, line: HttpLine, voice: HandshakeHttp) -> str:
    """The stream of GET; what became of it, in words."""
    headers = [("accept", EVENTS), *voice.headers()[2:]]
    async with Stream(line, "GET", headers) as stream:
        heard = await stream.begin(visit.patience.stream)
        if heard.trouble == "silence":
            visit.find("stream-silent", f"GET: nothing within {visit.patience.stream:g} s")
            return "GET never begins"
        if heard.status in _NONE:
            visit.find("stream-none", f"GET: HTTP {heard.status}")
            return "no stream by GET"
        if heard.status != 200 or not heard.streamed:
            await stream.read(within=visit.patience.stream)
            visit.find("stream-type", f"GET: {heard}")
            return "GET gives no stream"
        if heard.headers.get(BUFFERING, "").lower() != "no":
            visit.find("stream-buffered")
        return "GET begins a stream at once"
