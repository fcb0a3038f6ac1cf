"""Pages of a server beside MCP, handed out as the server makes them.

Must not know: MCP, which pages there are. No policy looks at them but the checks of Host and
Origin before them; who wants them served has named them.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

from lockgate.fronts.http import Handler, HttpRequest, Responder
from lockgate.upstreams.inprocess import Event, InProcess

_HOP: Final = frozenset((b"connection", b"keep-alive", b"transfer-encoding", b"upgrade"))


def passing(inside: InProcess) -> Handler:
    """What answers requests as the application inside does."""

    async def handle(request: HttpRequest, responder: Responder) -> None:
        reply = await inside.ask(_scope(request), request.body)
        responder.on_close(reply.close)
        headers = [(name, value) for name, value in reply.headers.items() if name not in _HOP]
        if reply.complete:
            responder.send(reply.status, headers, reply.whole(len(request.body) + (1 << 40)))
            return
        responder.start(reply.status, headers)
        async for chunk in reply.chunks():
            responder.write(chunk)
        responder.end()

    return handle


def _scope(request: HttpRequest) -> Event:
    made: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.scheme,
        "path": unquote(request.path),
        "raw_path": request.path.encode("latin-1"),
        "query_string": request.query.encode("latin-1"),
        "root_path": "",
        "headers": list(request.headers.items()),
        "client": (request.peer, 0) if request.peer else None,
        "server": None,
    }
    return made
