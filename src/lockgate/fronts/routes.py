"""Which handler serves a path, and who may ask at all.

Must not know: MCP, sockets.

Host and Origin are judged before anything else, path included: a page on the web that makes a
browser talk to this machine (DNS rebinding) learns nothing, not even which paths exist. Sources:
specification 2026-07-28, basic/transports/streamable-http, "Security & Endpoint"; RFC 9110
section 7.2 (Host) and 7.4 (421); the Fetch standard for CORS.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lockgate.core.codes import CODES
from lockgate.core.raw import encode
from lockgate.fronts.dressed import Dressed
from lockgate.fronts.http import Handler, Headers, HttpRequest, Responder, nothing_more

LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
ANY: Final = "*"

_JSON: Final = (b"content-type", b"application/json")
_METHODS: Final = b"GET, POST, DELETE, OPTIONS"
_EXPOSED: Final = b"Mcp-Session-Id, WWW-Authenticate, MCP-Protocol-Version, DPoP-Nonce"
_ASKED: Final = (
    b"Content-Type, Accept, Authorization, Last-Event-ID, Mcp-Session-Id, MCP-Protocol-Version, "
    b"Mcp-Method, Mcp-Name, DPoP"
)
_MAX_AGE: Final = b"600"
_LONGEST_ASKED: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSettings:
    """Who may ask.

    endpoint  the path named to who asks for another; None: none is.
    hosts     host names served beside the loopback ones, with a port (that port alone) or without
              (any port); `*` for every host.
    origins   origins allowed beside those whose host is served, as `https://name[:port]`; `*` for
              every origin.
    cors      origins that browsers may call from, `*` for every one; none: no CORS headers.
    loopback  whether the loopback names are served.
    """

    endpoint: str | None = "/mcp"
    hosts: Sequence[str] = ()
    origins: Sequence[str] = ()
    cors: Sequence[str] = ()
    loopback: bool = True


class Routes:
    """Handles every request of a listener: judges who asks, then hands over by path."""

    def __init__(
        self, handlers: Mapping[str, Handler], settings: RouteSettings | None = None
    ) -> None:
        """Serve `handlers` by exact path."""
        self.serve(handlers)
        self.judge_by(settings or RouteSettings())

    def serve(
        self, handlers: Mapping[str, Handler], public: Mapping[str, Handler] | None = None
    ) -> None:
        """Hand requests to these from now on.

        public  handlers for pages of any origin: what they answer is no secret, and nothing that
                happens there happens by the authority of whoever's browser asks.
        """
        self._handlers = dict(handlers)
        self._public = dict(public or {})

    def serves(self, path: str) -> bool:
        """Whether there is a handler for exactly this path."""
        return path in self._handlers or path in self._public

    def judge_by(self, settings: RouteSettings) -> None:
        """Let in who may ask by these settings from now on."""
        self._endpoint = settings.endpoint
        names = (*settings.hosts, *(LOOPBACK if settings.loopback else ()))
        served = frozenset(name.lower() for name in names)
        self._cors = frozenset(origin.lower().encode() for origin in settings.cors)
        allowed = frozenset(origin.lower().encode() for origin in settings.origins) | self._cors
        self._host_ok = lru_cache(maxsize=256)(_host_judge(served))
        self._origin_ok = lru_cache(maxsize=256)(_origin_judge(served, allowed))

    def __call__(self, request: HttpRequest, responder: Responder) -> Awaitable[None]:
        """Answer one request, or have it answered: done when the result has been awaited."""
        headers = request.headers
        if b"host" in request.repeated or not self._host_ok(headers.get(b"host", b"")):
            _refuse(responder, 421, "host-refused", "This host name is not served here.", _HOST)
            return nothing_more()
        origin = headers.get(b"origin")
        if origin is not None and request.path not in self._public:
            if b"origin" in request.repeated or not self._origin_ok(origin):
                _refuse(responder, 403, "origin-refused", "This origin may not ask here.", _ORIGIN)
                return nothing_more()
            if self._shared_with(origin):
                if _is_preflight(request):
                    responder.send(204, _preflight(origin, request))
                    return nothing_more()
                responder = Dressed(responder, _shared(origin))
        handler = self._handlers.get(request.path) or self._public.get(request.path)
        if handler is None:
            where = self._endpoint or "the path of an endpoint"
            _refuse(responder, 404, "not-found", "Nothing is served here.", f"Use {where}.")
            return nothing_more()
        return handler(request, responder)

    def _shared_with(self, origin: bytes) -> bool:
        return bool(self._cors) and (b"*" in self._cors or origin.lower() in self._cors)


_HOST: Final = "Use a loopback name, or add this one to the allowed hosts in the configuration."
_ORIGIN: Final = "Add this origin to the allowed origins in the configuration."


def _host_judge(served: frozenset[str]) -> Callable[[bytes], bool]:
    def judge(host: bytes) -> bool:
        try:
            written = host.decode("ascii").lower()
        except UnicodeDecodeError:
            return False
        name = _name_of(written)
        if name is None:
            return False
        return ANY in served or written in served or name in served

    return judge


def _name_of(authority: str) -> str | None:
    """The host of `host[:port]`, brackets and all; None when it is not of that shape."""
    if authority.startswith("["):
        name, closed, rest = authority.partition("]")
        name += closed
    else:
        name, colon, rest = authority.partition(":")
        rest = colon + rest
    if rest and not (rest[0] == ":" and rest[1:].isdigit() and len(rest) <= 6):
        return None
    inside = name[1:-1] if name.startswith("[") else name
    allowed = "0123456789abcdef:." if name.startswith("[") else _NAME
    return name if inside and all(letter in allowed for letter in inside) else None


_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._")


def _origin_judge(served: frozenset[str], allowed: frozenset[bytes]) -> Callable[[bytes], bool]:
    is_host = _host_judge(served)

    def judge(origin: bytes) -> bool:
        written = origin.lower()
        if written in allowed or b"*" in allowed:
            return True
        scheme, found, authority = written.partition(b"://")
        # A wildcard for hosts says nothing about who may ask from a browser.
        if not found or scheme not in (b"http", b"https") or ANY in served:
            return found != b"" and scheme != b"" and _is_loopback(authority)
        return is_host(authority)

    return judge


def _is_loopback(authority: bytes) -> bool:
    try:
        return _name_of(authority.decode("ascii")) in LOOPBACK
    except UnicodeDecodeError:
        return False


def _is_preflight(request: HttpRequest) -> bool:
    return request.method == "OPTIONS" and b"access-control-request-method" in request.headers


def _preflight(origin: bytes, request: HttpRequest) -> Headers:
    asked = request.headers.get(b"access-control-request-headers", b"")
    params = b"".join(
        b", " + name for name in _split(asked) if name.lower().startswith(b"mcp-param-")
    )
    return (
        (b"access-control-allow-origin", origin),
        (b"vary", b"Origin"),
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", _ASKED + params),
        (b"access-control-max-age", _MAX_AGE),
    )


def _split(asked: bytes) -> list[bytes]:
    if len(asked) > _LONGEST_ASKED:
        return []
    return [name.strip() for name in asked.split(b",")]


def _shared(origin: bytes) -> Headers:
    """What lets a page of this origin read an answer."""
    return (
        (b"access-control-allow-origin", origin),
        (b"vary", b"Origin"),
        (b"access-control-expose-headers", _EXPOSED),
    )


def _refuse(responder: Responder, status: int, reason: str, message: str, remedy: str) -> None:
    said = {"code": CODES[reason], "reason": reason, "message": message, "remedy": remedy}
    body = encode({"error": said})
    responder.send(status, (_JSON,), body)
