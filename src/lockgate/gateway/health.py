"""`/health` and `/ready`: is the process alive, and can it serve.

Must not know: how servers are reached. Shows phases and counts, never error texts: whoever can
reach the port is not thereby entitled to a server's URL or stack trace.

`/health` answers 200 as long as the process answers at all, and counts policies that crashed.
`/ready` answers 200 when every server has had its first chance and at least one can serve, and 503
while starting, while draining, and when no server can serve. Where strangers can ask it says no
more than that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec.structs import asdict

from lockgate.config.model import Config
from lockgate.fronts.http import Handler, HttpRequest, Responder
from lockgate.gateway.access import restricts
from lockgate.gateway.status import GatewayStatus, ReloadStatus, SemanticStatus, ServerStatus
from lockgate.gateway.unread import ListTrouble
from lockgate.upstreams.replicas import ReplicaState
from lockgate.upstreams.sandbox.plan import Achieved

_HEADERS: Final = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
_ALIVE: Final = b'{"status":"ok"}'
Tells = Callable[[HttpRequest], bool]


def health(crashed: Mapping[str, int], tells: Tells | None = None) -> Handler:
    """The handler of `/health`.

    Args:
        crashed: how often each policy has crashed so far.
        tells: whether whoever asks is told of it.
    """

    async def answer(request: HttpRequest, responder: Responder) -> None:
        if not reads(request, responder):
            return
        body = _ALIVE
        if crashed and (tells is None or tells(request)):
            body = msgspec.json.encode({"status": "ok", "policies_crashed": crashed})
        responder.send(200, _HEADERS, body)

    return answer


def ready(status: Callable[[], GatewayStatus], tells: Tells | None = None) -> Handler:
    """The handler of `/ready`.

    Args:
        status: gives the gateway as it stands now.
        tells: whether whoever asks is told of servers; others are told the phase alone.
    """

    async def answer(request: HttpRequest, responder: Responder) -> None:
        if not reads(request, responder):
            return
        now = status()
        code = 200 if now.phase == "serving" else 503
        if tells is not None and not tells(request):
            responder.send(code, _HEADERS, msgspec.json.encode({"status": now.phase}))
            return
        body = msgspec.json.encode(
            {
                "status": now.phase,
                "servers": {server.name: _server(server) for server in now.servers},
                **({"cache": now.cache} if now.cache is not None else {}),
                **({"semantic": _semantic(now.semantic)} if now.semantic is not None else {}),
                **({"reload": _reload(now.reload)} if now.reload is not None else {}),
            }
        )
        responder.send(code, _HEADERS, body)

    return answer


def told_by(config: Config) -> Tells:
    """Who is told by the public listener which servers there are."""
    settings = config.lockgate
    if settings.admin or settings.endpoints or restricts(config):
        return never
    return from_this_machine if config.identifies else always


def always(_: HttpRequest) -> bool:
    """Everybody is told."""
    return True


def never(_: HttpRequest) -> bool:
    """Nobody is told: operators have a listener of their own, or callers may see less than all."""
    return False


def from_this_machine(request: HttpRequest) -> bool:
    """Whether a request comes from this very machine, and not through a proxy on it."""
    headers = request.headers
    if any(name in headers for name in _FORWARDED):
        return False
    host = headers.get(b"host", b"").rpartition(b":")[0] or headers.get(b"host", b"")
    return request.peer in _LOCAL and host.lower() in _LOCAL_NAMES


_FORWARDED: Final = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via")
_LOCAL: Final = ("127.0.0.1", "::1")
_LOCAL_NAMES: Final = (b"127.0.0.1", b"localhost", b"[::1]")


def _server(server: ServerStatus) -> dict[str, object]:
    shown: dict[str, object] = {
        "state": server.phase,
        "eras": server.eras,
        "tools": server.tools,
        "breaker": server.breaker,
    }
    if server.tools_withheld:
        shown["withheld"] = server.tools_withheld
    if server.replicas:
        shown["replicas"] = [_replica(one) for one in server.replicas]
    if server.lists:
        shown["lists"] = {one.method: _list(one) for one in server.lists}
    if server.code is not None:
        shown["code"] = server.code
    if server.retry_in is not None:
        shown["retry_in"] = server.retry_in
    if server.sandbox is not None:
        shown["sandbox"] = _sandbox(server.sandbox)
    if server.cache is not None:
        shown["cache"] = {**asdict(server.cache), "hit_rate": server.cache.hit_rate}
    return shown


def _sandbox(one: Achieved) -> dict[str, object]:
    shown: dict[str, object] = {"level": one.level, "holds": one.holds}
    return shown if one.whole else {**shown, "lacks": one.lacks}


def _replica(one: ReplicaState) -> dict[str, object]:
    shown: dict[str, object] = {"state": one.phase, "active": one.active}
    return shown if one.ejected_for is None else {**shown, "ejected_for": round(one.ejected_for, 1)}


def _list(one: ListTrouble) -> dict[str, object]:
    shown: dict[str, object] = {} if one.code is None else {"code": one.code}
    return shown if one.believed is None else {**shown, "believed_for": one.believed}


def _semantic(one: SemanticStatus) -> dict[str, object]:
    shown: dict[str, object] = {
        "state": one.phase,
        "embedded": one.embedded,
        "waiting": one.waiting,
        "kept": one.kept,
    }
    if one.code is not None:
        shown |= {"code": one.code, "retry_in": one.retry_in}
    return shown


def _reload(reload: ReloadStatus) -> dict[str, object]:
    at = datetime.fromtimestamp(reload.at, UTC).isoformat(timespec="seconds")
    shown: dict[str, object] = {"status": reload.status, "at": at.replace("+00:00", "Z")}
    return {**shown, "errors": reload.errors} if reload.status == "refused" else shown


def reads(request: HttpRequest, responder: Responder) -> bool:
    """Whether the request only reads; if not, it has been refused."""
    if request.method in ("GET", "HEAD"):
        return True
    responder.send(405, (*_HEADERS, (b"allow", b"GET, HEAD")), b'{"error":"use GET"}')
    return False
