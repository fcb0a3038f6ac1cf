"""A server of the handshake era and no other, over HTTP, that does as its scripts say."""

from __future__ import annotations

import asyncio
import json
from itertools import count
from typing import Any

from lockgate.fronts.http import HttpRequest, Responder
from tests.bridge.scripted_http import OverHttp, Sse, headers_of, reply
from tests.bridge.scripts import METHODS, Asked, Json, RefusedError, Scripted


class Session:
    """One client's session."""

    def __init__(self, name: str, params: Json) -> None:
        self.name = name
        self.opened = params
        self.level: str | None = None
        self.streams: list[Sse] = []
        self.uris: set[str] = set()
        self.running: dict[Any, asyncio.Task[None]] = {}

    @property
    def facts(self) -> Json:
        return {
            "session": self.name,
            "capabilities": self.opened["capabilities"],
            "info": self.opened["clientInfo"],
            "version": self.opened["protocolVersion"],
            "level": self.level,
        }

    def tell(self, message: Json) -> None:
        """Say something outside of any request."""
        if self.streams:
            self.streams[-1].send(message)


class OldTurn:
    """One request being answered."""

    def __init__(
        self,
        server: OldServer,
        session: Session,
        params: Json,
        headers: dict[str, str],
        stream: Sse,
    ) -> None:
        self.server = server
        self.params = params
        self.headers = headers
        self.facts = session.facts
        self._stream = stream

    def notify(self, method: str, params: Json) -> None:
        self._stream.send({"method": method, "params": params})

    async def ask(self, asked: Asked) -> Json:
        return await self.server.put(self._stream.send, asked)


class OldServer(Scripted, OverHttp):
    """See the module."""

    def __init__(self, name: str = "old", **settings: Any) -> None:
        OverHttp.__init__(self)
        Scripted.__init__(self, name, **settings)
        self.sessions: dict[str, Session] = {}
        self.instructions = f"How to use {name}."
        self._ids = count(1)
        self._waiting: dict[Any, asyncio.Future[Json]] = {}

    async def put(self, send: Any, asked: Asked) -> Json:
        """Ask all of these at once, and wait for the answers."""
        waiting: dict[str, asyncio.Future[Json]] = {}
        for key, (method, params) in asked.items():
            number = f"{self.name}-{next(self._ids)}"
            waiting[key] = self._waiting[number] = asyncio.get_running_loop().create_future()
            send({"id": number, "method": method, "params": params})
        return {key: await future for key, future in waiting.items()}

    def spawn_ask(self, session: Session, asked: Asked) -> asyncio.Task[Json]:
        """Ask something outside of any request; the answers, within the time a test has."""

        async def asking() -> Json:
            async with asyncio.timeout(60):
                return await self.put(session.tell, asked)

        return asyncio.get_running_loop().create_task(asking())

    def announce(self, method: str, params: Json | None = None) -> None:
        """Tell every session, or, of an updated resource, those that subscribed."""
        for session in self.sessions.values():
            if params is None or params.get("uri") in session.uris or "uri" not in params:
                session.tell({"method": method, "params": params or {}})

    def forget_sessions(self) -> None:
        """As after a restart."""
        self.sessions.clear()

    async def respond(self, request: HttpRequest, responder: Responder) -> None:
        headers = headers_of(request)
        session = self.sessions.get(headers.get("mcp-session-id", ""))
        if request.method != "POST":
            self._no_post(request, responder, session)
            return
        message = json.loads(request.body)
        method, params = message.get("method", ""), message.get("params", {})
        self.received.append((method, params, headers))
        if method == "initialize":
            self._initialize(message, responder)
        elif session is None:
            known = "mcp-session-id" in headers
            error = {"code": -32600, "message": "Bad Request: Missing session ID"}
            reply(responder, {"id": None, "error": error}, 404 if known else 400)
        elif "id" in message and "method" in message:
            stream = Sse(responder)
            work = self._answer(session, message, headers, stream)
            session.running[message["id"]] = self.spawn(work)
        else:
            responder.send(202, ())
            self._take(session, message)

    def _no_post(self, request: HttpRequest, responder: Responder, session: Session | None) -> None:
        if session is None:
            responder.send(404, ())
        elif request.method == "GET":
            stream = Sse(responder)
            responder.write(b": hello\n\n")
            session.streams.append(stream)

            def left() -> None:
                session.streams.remove(stream)
                stream.end()

            responder.on_close(left)
            self.said["listening"].set()
        else:
            del self.sessions[session.name]
            self.said[f"ended {session.name}"].set()
            responder.send(200, ())

    def _initialize(self, message: Json, responder: Responder) -> None:
        params = message["params"]
        offered = params["protocolVersion"]
        session = Session(f"{self.name}-session-{next(self._ids)}", params)
        self.sessions[session.name] = session
        result = {
            "protocolVersion": offered if offered < "2026" else "2025-11-25",
            "capabilities": self.capabilities,
            "serverInfo": {"name": self.name, "version": "1", "x-more": True},
            "instructions": self.instructions,
        }
        body = {"id": message["id"], "result": result}
        reply(responder, body, mcp_session_id=session.name)

    def _take(self, session: Session, message: Json) -> None:
        if "method" not in message:
            future = self._waiting.pop(message["id"], None)
            if future is not None and not future.done():
                future.set_result(message.get("result", {"error": message.get("error")}))
        elif message["method"] == "notifications/cancelled":
            task = session.running.get(message["params"]["requestId"])
            self.said["told to cancel"].set()
            if task is not None:
                task.cancel()
        else:
            self.said[message["method"]].set()

    async def _answer(
        self, session: Session, message: Json, headers: dict[str, str], stream: Sse
    ) -> None:
        method, params = message["method"], message.get("params", {})
        try:
            result = await self._result(session, method, params, headers, stream)
            stream.send({"id": message["id"], "result": result})
        except RefusedError as refused:
            stream.send({"id": message["id"], "error": refused.error})
        except KeyError as missing:
            error = {"code": -32602, "message": f"missing {missing}"}
            stream.send({"id": message["id"], "error": error})
        finally:
            session.running.pop(message["id"], None)
            stream.end()

    async def _result(
        self, session: Session, method: str, params: Json, headers: dict[str, str], stream: Sse
    ) -> Json:
        if method == "logging/setLevel":
            session.level = params["level"]
            return {}
        if method in ("resources/subscribe", "resources/unsubscribe"):
            change = session.uris.add if method.endswith("/subscribe") else session.uris.discard
            change(params["uri"])
            self.said[f"{method} {params['uri']}"].set()
            return {}
        if method not in METHODS and method != "tools/call":
            raise RefusedError(-32601, f"Method not found: {method}")
        self.runs[params.get("name", method)] += 1
        turn = OldTurn(self, session, params, headers, stream)
        return await self.handle(turn, method)
