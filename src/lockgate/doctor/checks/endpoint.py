"""HTTP sanity: whether what answers at the URL is an MCP endpoint, and if not, what it is.

Must not know: eras, sessions. The request is the one clients of today begin with.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final
from urllib.parse import urljoin

from lockgate.doctor.checks.reach import speaks_tls
from lockgate.doctor.heard import EVENTS, JSON, Heard
from lockgate.doctor.http import HttpLine, Stream
from lockgate.doctor.http_voices import HandshakeHttp, ModernHttp, initialize_params
from lockgate.doctor.visit import Visit
from lockgate.wire.url import BadUrl, Url

_USUAL: Final = ("/mcp", "/mcp/", "/sse", "/")
_OK: Final = 300
_REDIRECTS: Final = 400
_FAILURES: Final = 500
_STATUSES: Final = {
    403: "http-forbidden",
    404: "http-not-found",
    405: "http-method",
    406: "http-accept",
    415: "http-content-type",
    421: "http-forbidden",
    429: "http-busy",
    501: "http-method",
}
_UNAUTHORIZED: Final = 401


async def http(visit: Visit, line: HttpLine) -> Heard | None:
    """The answer to the first request, if there is anything to go on with."""
    heard = await ModernHttp(line).ask("server/discover", within=visit.patience.answer)
    if heard.trouble is not None and heard.status is None:
        await _no_http(visit, line, heard)
        return None
    visit.saw(f"HTTP {heard.status}, {heard.kind or 'no content type'}")
    if server := heard.headers.get("server"):
        visit.saw(f"server: {server[:60]}")
    if _speaks(heard):
        return heard
    return await _other(visit, line, heard)


def _speaks(heard: Heard) -> bool:
    """Whether there is an MCP server behind it, however it may be to speak to."""
    if heard.status == _UNAUTHORIZED or heard.response is not None:
        return True
    if heard.status == 403 and "www-authenticate" in heard.headers:
        return True
    # A 4xx in plain words is how some servers of the handshake era refuse what they do not know.
    return heard.status == 400 and heard.kind != "text/html"


async def _no_http(visit: Visit, line: HttpLine, heard: Heard) -> None:
    kind = {"silence": "http-silent", "lost": "http-closed"}.get(heard.trouble or "", "http-none")
    if "compressed" in heard.detail:
        kind = "http-packed"
    elif line.url.scheme == "http" and await speaks_tls(visit, line.url):
        kind = "http-wants-tls"
    visit.find(kind, str(heard))
    visit.bar("there is no HTTP to go on with")


async def _other(visit: Visit, line: HttpLine, heard: Heard) -> Heard | None:
    """What answers is no MCP message: say what it is."""
    status = heard.status or 0
    if line.url.scheme == "http" and b"plain HTTP request was sent to HTTPS" in heard.body:
        visit.find("http-wants-tls", f"HTTP {status}")
    elif status < _OK and (heard.streamed or heard.kind == JSON):
        return heard
    elif status < _OK:
        visit.find("http-page" if heard.kind == "text/html" else "http-type", str(heard))
    elif status < _REDIRECTS:
        visit.find("http-redirect", _leads(line.url, heard))
    elif await _initializes(line):
        # It only refuses what it does not know, in words of its own.
        return heard
    elif status in (404, 405) and await _older_transport(visit, line):
        visit.find("sse-transport", f"GET {line.url.target.decode()} begins an event stream")
        visit.older = True
        return heard
    elif status >= _FAILURES and status not in _STATUSES:
        visit.find("http-broken", str(heard))
    else:
        visit.find(_STATUSES.get(status, "http-type"), str(heard) + await _elsewhere(visit, line))
    visit.bar("there is no MCP endpoint to go on with")
    return None


async def _initializes(line: HttpLine) -> bool:
    """Whether the handshake gets an answer."""
    heard = await HandshakeHttp(line).ask("initialize", initialize_params())
    return heard.response is not None


def _leads(url: Url, heard: Heard) -> str:
    place = heard.headers.get("location", "")
    with suppress(BadUrl):
        whole = Url.parse(urljoin(f"{url.shown}{url.target.decode()}", place))
        return f"HTTP {heard.status} to {whole.shown}{whole.target.decode()}"
    return f"HTTP {heard.status} to nowhere"


async def _older_transport(visit: Visit, line: HttpLine) -> bool:
    """Whether GET gives the stream of 2024-11-05, whose first event names where to post."""
    async with Stream(line, "GET", [("accept", EVENTS)]) as stream:
        heard = await stream.begin(visit.patience.stream)
        if heard.status != 200 or not heard.streamed:
            return False
        await stream.read(lambda one: bool(one.events), visit.patience.stream)
        first = heard.events[0] if heard.events else b""
        return first.startswith((b"/", b"http"))


async def _elsewhere(visit: Visit, line: HttpLine) -> str:
    """Where on the same server an endpoint is, if it is at one of the usual places."""
    for path in _USUAL:
        if path.encode() == line.url.target:
            continue
        url = Url.parse(line.url.shown + path)
        heard = await ModernHttp(line.at(url)).ask("server/discover", within=visit.patience.stream)
        if heard.response is not None or (
            heard.status == _UNAUTHORIZED and heard.kind in (JSON, "")
        ):
            return f"; there is one at {path}"
    return ""
