"""The listener for operators: health, readiness in full, metrics.

Must not know: how clients are served, what is counted. Nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from hmac import compare_digest
from typing import Final

from lockgate.config.admin import AdminSettings
from lockgate.core.codes import CODES
from lockgate.core.raw import encode
from lockgate.fronts.http import Handler, HttpLimits, HttpRequest, Responder, nothing_more
from lockgate.fronts.routes import ANY, Routes, RouteSettings
from lockgate.fronts.server import HttpServer
from lockgate.gateway.health import health, reads, ready
from lockgate.gateway.metrics import Sources, written
from lockgate.observe.exposition import CONTENT_TYPE

_LIMITS: Final = HttpLimits(body_bytes=1024, connections=64, idle_seconds=120.0)


class Admin:
    """The listener."""

    def __init__(self, settings: AdminSettings, sources: Sources) -> None:
        """Nothing is opened yet."""
        self._settings = settings
        token = settings.token
        self._token = None if token is None else b"bearer " + token.get_secret_value().encode()
        # A page that makes a browser ask (DNS rebinding) has no token, so with one any name will
        # do: scrapers know processes by their addresses.
        hosts = [settings.host, *settings.allow_hosts] if token is None else [ANY]
        routes = RouteSettings(endpoint=f"{settings.path}/metrics", hosts=hosts)
        self._server = HttpServer(Routes(self._handlers(sources), routes), _LIMITS)

    def _handlers(self, sources: Sources) -> Mapping[str, Handler]:
        path = self._settings.path
        return {
            f"{path}/health": health(sources.crashed),
            f"{path}/ready": self._guarded(ready(sources.status)),
            f"{path}/metrics": self._guarded(_metrics(sources)),
        }

    def _guarded(self, inner: Handler) -> Handler:
        """For who shows the token, if there is one."""

        def answer(request: HttpRequest, responder: Responder) -> Awaitable[None]:
            if self._lets_in(request):
                return inner(request, responder)
            said = {
                "code": CODES["admin-refused"],
                "reason": "admin-refused",
                "message": "This needs the token of lockgate.admin.",
                "remedy": "Send Authorization: Bearer with it.",
            }
            headers = ((b"content-type", b"application/json"), (b"www-authenticate", b"Bearer"))
            responder.send(401, headers, encode({"error": said}))
            return nothing_more()

        return answer

    def _lets_in(self, request: HttpRequest) -> bool:
        if self._token is None:
            return True
        scheme, _, shown = request.headers.get(b"authorization", b"").partition(b" ")
        once = b"authorization" not in request.repeated
        return once and compare_digest(scheme.lower() + b" " + shown.strip(), self._token)

    async def start(self) -> str:
        """Listen; where.

        Raises:
            OSError: the address cannot be bound.
        """
        settings = self._settings
        [(host, port), *_] = await self._server.start(settings.host, settings.port)
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{port}{settings.path}"

    async def stop(self) -> None:
        """End."""
        await self._server.drain(0)


def _metrics(sources: Sources) -> Handler:
    async def answer(request: HttpRequest, responder: Responder) -> None:
        if reads(request, responder):
            responder.send(200, ((b"content-type", CONTENT_TYPE),), written(sources))

    return answer
