"""The two eras over Streamable HTTP.

Must not know: what is asked, or what an answer means.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lockgate import __version__
from lockgate.core.message import Era
from lockgate.core.raw import Raw
from lockgate.doctor.heard import Heard
from lockgate.doctor.http import Done, HttpLine, Pairs
from lockgate.wire.headers import request_headers
from lockgate.wire.jsonrpc import encode_notice, encode_request
from lockgate.wire.revisions import (
    LATEST_HANDSHAKE,
    LATEST_MODERN,
    META_CLIENT_CAPABILITIES,
    META_CLIENT_INFO,
    META_VERSION,
)

ITSELF: Final = {"name": "lockgate-check", "version": __version__}
POSTED: Final = (
    ("content-type", "application/json"),
    ("accept", "application/json, text/event-stream"),
)
SESSION: Final = "mcp-session-id"
_encode = msgspec.json.Encoder().encode


def modern_params(params: dict[str, Any] | None, version: str = LATEST_MODERN) -> dict[str, Any]:
    """Params with the envelope of 2026-07-28."""
    given = dict(params or {})
    meta = {META_VERSION: version, META_CLIENT_INFO: ITSELF, META_CLIENT_CAPABILITIES: {}}
    return {**given, "_meta": {**meta, **given.get("_meta", {})}}


def modern_headers(method: str, params: dict[str, Any]) -> list[tuple[str, str]]:
    """The headers of a request of 2026-07-28."""
    written = request_headers(method, Raw.of(params))
    return [*POSTED, *((name.decode(), value.decode("latin-1")) for name, value in written)]


def initialize_params(version: str = LATEST_HANDSHAKE) -> dict[str, Any]:
    """What a client without any capability says first."""
    return {"protocolVersion": version, "capabilities": {}, "clientInfo": ITSELF}


class _Numbered:
    """Gives each request its own number."""

    def __init__(self, line: HttpLine) -> None:
        self.line = line
        self._number = 0

    def next(self) -> int:
        """The next one."""
        self._number += 1
        return self._number


class ModernHttp(_Numbered):
    """2026-07-28: each request stands alone."""

    era: Era = "modern"

    async def ask(
        self, method: str, params: dict[str, Any] | None = None, *, within: float | None = None
    ) -> Heard:
        """See `Voice`."""
        whole = modern_params(params)
        return await self.post(method, whole, modern_headers(method, whole), within=within)

    async def post(
        self, method: str, params: dict[str, Any], headers: Pairs, *, within: float | None = None
    ) -> Heard:
        """A request with just these params and headers."""
        number = self.next()
        body = encode_request(number, method, _encode(params))
        heard = await self.line.send("POST", headers, body, done=_mine(number), within=within)
        heard.id = number
        return heard

    async def tell(self, method: str, params: dict[str, Any] | None = None) -> Heard:
        """See `Voice`."""
        whole = modern_params(params)
        body = encode_notice(method, _encode(whole))
        return await self.line.send("POST", modern_headers(method, whole), body)


class HandshakeHttp(_Numbered):
    """The revisions before, with a session if the server wants one."""

    era: Era = "handshake"

    def __init__(self, line: HttpLine) -> None:
        super().__init__(line)
        self.session: str | None = None
        self.version: str | None = None

    def headers(self) -> list[tuple[str, str]]:
        """The headers of every message after the first."""
        found = list(POSTED)
        if self.version is not None:
            found.append(("mcp-protocol-version", self.version))
        if self.session is not None:
            found.append((SESSION, self.session))
        return found

    async def ask(
        self, method: str, params: dict[str, Any] | None = None, *, within: float | None = None
    ) -> Heard:
        """See `Voice`."""
        return await self.post(method, params, self.headers(), within=within)

    async def post(
        self,
        method: str,
        params: dict[str, Any] | None,
        headers: Pairs,
        *,
        within: float | None = None,
    ) -> Heard:
        """A request with just these headers."""
        number = self.next()
        body = encode_request(number, method, _encode(params or {}))
        heard = await self.line.send("POST", headers, body, done=_mine(number), within=within)
        heard.id = number
        return heard

    async def tell(self, method: str, params: dict[str, Any] | None = None) -> Heard:
        """See `Voice`."""
        body = encode_notice(method, _encode(params or {}))
        return await self.line.send("POST", self.headers(), body)

    async def end(self, within: float | None = None) -> Heard:
        """DELETE."""
        headers = [one for one in self.headers() if one[0] != "content-type"]
        return await self.line.send("DELETE", headers, within=within)


def _mine(number: int) -> Done:
    """Whether the answer is among what has come since it was asked last."""
    seen = 0

    def done(heard: Heard) -> bool:
        nonlocal seen
        new = Heard(id=number, events=heard.events[seen:])
        seen = len(heard.events)
        return new.response is not None

    return done
