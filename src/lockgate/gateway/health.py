"""`/health` and `/ready`: is the process alive, and can it serve.

Must not know: how servers are reached. Shows phases and counts, never error texts: whoever can
reach the port is not thereby entitled to a server's URL or stack trace.

`/health` answers 200 as long as the process answers at all. `/ready` answers 200 when every server
has had its first chance and at least one can serve, and 503 while starting, while draining, and
when no server can serve.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec

from lockgate.fronts.http import Handler, HttpRequest, Responder
from lockgate.gateway.status import ReloadStatus, ServerStatus

_HEADERS: Final = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
_ALIVE: Final = b'{"status":"ok"}'


def health() -> Handler:
    """The handler of `/health`."""

    async def answer(request: HttpRequest, responder: Responder) -> None:
        if _reads(request, responder):
            responder.send(200, _HEADERS, _ALIVE)

    return answer


State = Callable[[], tuple[str, list[ServerStatus], ReloadStatus | None]]


def ready(state: State) -> Handler:
    """The handler of `/ready`.

    Args:
        state: gives `starting`, `serving`, `draining` or `down`, each server's status, and what
            became of the last changed configuration, if there was one.
    """

    async def answer(request: HttpRequest, responder: Responder) -> None:
        if not _reads(request, responder):
            return
        phase, servers, reload = state()
        body = msgspec.json.encode(
            {
                "status": phase,
                "servers": {
                    server.name: {
                        "state": server.phase,
                        "eras": server.eras,
                        "tools": server.tools,
                        "breaker": server.breaker,
                        **({"replicas": _replicas(server)} if server.replicas else {}),
                        **({"retry_in": server.retry_in} if server.retry_in is not None else {}),
                    }
                    for server in servers
                },
                **({"reload": _shown(reload)} if reload is not None else {}),
            }
        )
        responder.send(200 if phase == "serving" else 503, _HEADERS, body)

    return answer


def _replicas(server: ServerStatus) -> list[dict[str, object]]:
    return [
        {
            "state": one.phase,
            "active": one.active,
            **({} if one.ejected_for is None else {"ejected_for": round(one.ejected_for, 1)}),
        }
        for one in server.replicas
    ]


def _shown(reload: ReloadStatus) -> dict[str, object]:
    at = datetime.fromtimestamp(reload.at, UTC).isoformat(timespec="seconds")
    shown: dict[str, object] = {"status": reload.status, "at": at.replace("+00:00", "Z")}
    return {**shown, "errors": reload.errors} if reload.status == "refused" else shown


def _reads(request: HttpRequest, responder: Responder) -> bool:
    if request.method in ("GET", "HEAD"):
        return True
    responder.send(405, (*_HEADERS, (b"allow", b"GET, HEAD")), b'{"error":"use GET"}')
    return False
