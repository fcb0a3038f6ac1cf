"""A server of the stateless era and no other, over HTTP, that does as its scripts say.

It keeps nothing between requests: what was answered so far travels in the state it gives out.
"""

from __future__ import annotations

import json
from typing import Any

from lockgate.fronts.http import HttpRequest, Responder
from tests.bridge.scripted_http import OverHttp, Sse, headers_of, reply
from tests.bridge.scripts import METHODS, Asked, Json, RefusedError, Scripted

PREFIX = "io.modelcontextprotocol/"
VERSION = "2026-07-28"
NEEDED = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
CACHED = ("/list", "/read", "/discover")


class NeedsInputError(Exception):
    """The client has to answer first."""

    def __init__(self, asked: Asked, state: str) -> None:
        super().__init__("input required")
        requests = {key: {"method": one[0], "params": one[1]} for key, one in asked.items()}
        self.result = {"resultType": "input_required", "inputRequests": requests}
        self.result["requestState"] = state


class NewTurn:
    """One request being answered; what it asked before is in the state."""

    def __init__(
        self, server: NewServer, params: Json, headers: dict[str, str], stream: Sse
    ) -> None:
        self.server = server
        self.params = params
        self.headers = headers
        meta = params["_meta"]
        self.facts: Json = {
            "session": None,
            "capabilities": meta[PREFIX + "clientCapabilities"],
            "info": meta.get(PREFIX + "clientInfo"),
            "version": meta[PREFIX + "protocolVersion"],
            "level": meta.get(PREFIX + "logLevel"),
        }
        self._stream = stream
        state = params.get("requestState")
        self._given = self.server.read_state(state) if state is not None else []
        self._round = 0

    def notify(self, method: str, params: Json) -> None:
        self._stream.send({"method": method, "params": params})

    async def ask(self, asked: Asked) -> Json:
        missing = {NEEDED[one[0]] for one in asked.values()} - set(self.facts["capabilities"])
        if missing:
            needed = {"requiredCapabilities": {name: {} for name in missing}}
            raise RefusedError(-32021, "Missing required client capability", needed)
        self._round += 1
        if self._round <= len(self._given):
            return self._given[self._round - 1]
        answers = self.params.pop("inputResponses", None) or {}
        if not set(asked) <= set(answers):
            raise NeedsInputError(asked, self.server.write_state(self._given))
        self._given.append({key: answers[key] for key in asked})
        return self._given[-1]


class NewServer(Scripted, OverHttp):
    """See the module."""

    def __init__(self, name: str = "new", **settings: Any) -> None:
        OverHttp.__init__(self)
        Scripted.__init__(self, name, **settings)
        self.capabilities.setdefault("extensions", {"com.example/ext": {}})
        self.instructions = f"How to use {name}."
        self.listens: list[tuple[Any, Json, Sse]] = []

    def write_state(self, given: list[Json]) -> str:
        """What was answered so far, as text that no intermediary may touch."""
        return f"{self.name}\u00e9 {json.dumps(given)} ~"

    def read_state(self, state: str) -> list[Json]:
        """The inverse; refuses what this server has not written."""
        if not (state.startswith(f"{self.name}\u00e9 ") and state.endswith(" ~")):
            raise RefusedError(-32602, "Invalid requestState")
        return json.loads(state.removeprefix(f"{self.name}\u00e9 ").removesuffix(" ~"))

    def announce(self, method: str, params: Json | None = None) -> None:
        """Tell every listen stream that asked for it."""
        flag = {
            "notifications/tools/list_changed": "toolsListChanged",
            "notifications/prompts/list_changed": "promptsListChanged",
            "notifications/resources/list_changed": "resourcesListChanged",
        }.get(method, "")
        for number, wanted, stream in tuple(self.listens):
            if wanted.get(flag) or (params or {}).get("uri") in wanted.get(
                "resourceSubscriptions", ()
            ):
                meta = {PREFIX + "subscriptionId": number}
                stream.send({"method": method, "params": {**(params or {}), "_meta": meta}})

    async def respond(self, request: HttpRequest, responder: Responder) -> None:
        headers = headers_of(request)
        if request.method != "POST":
            responder.send(405, ((b"allow", b"POST"),))
            return
        message = json.loads(request.body)
        method, params = message.get("method", ""), message.get("params", {})
        self.received.append((method, params, headers))
        if "id" not in message or "method" not in message:
            responder.send(202, ())
        elif headers.get("mcp-protocol-version") != VERSION:
            data = {"supported": [VERSION], "requested": ""}
            error = {"code": -32022, "message": "Unsupported protocol version", "data": data}
            reply(responder, {"id": message["id"], "error": error}, 400)
        elif method == "subscriptions/listen":
            self._listen(message, responder)
        else:
            self._request(message, headers, responder)

    def _listen(self, message: Json, responder: Responder) -> None:
        stream = Sse(responder)
        wanted = message["params"]["notifications"]
        entry = (message["id"], wanted, stream)
        self.listens.append(entry)
        responder.on_close(lambda: self.listens.remove(entry))
        meta = {PREFIX + "subscriptionId": message["id"]}
        params = {"notifications": wanted, "_meta": meta}
        stream.send({"method": "notifications/subscriptions/acknowledged", "params": params})
        self.said["listening"].set()
        for uri in wanted.get("resourceSubscriptions", ()):
            self.said[f"resources/subscribe {uri}"].set()

    def _request(self, message: Json, headers: dict[str, str], responder: Responder) -> None:
        stream = Sse(responder)
        task = self.spawn(self._answer(message, headers, stream))

        def gone() -> None:
            self.said["told to cancel"].set()
            task.cancel()

        responder.on_close(gone)

    async def _answer(self, message: Json, headers: dict[str, str], stream: Sse) -> None:
        try:
            result = await self._result(message["method"], message["params"], headers, stream)
            stream.send({"id": message["id"], "result": result})
        except NeedsInputError as need:
            stream.send({"id": message["id"], "result": need.result})
        except RefusedError as refused:
            stream.send({"id": message["id"], "error": refused.error})
        except KeyError as missing:
            error = {"code": -32602, "message": f"missing {missing}"}
            stream.send({"id": message["id"], "error": error})
        finally:
            stream.end()

    async def _result(
        self, method: str, params: Json, headers: dict[str, str], stream: Sse
    ) -> Json:
        meta = {"_meta": {PREFIX + "serverInfo": {"name": self.name, "version": "1"}}}
        dressed: Json = {"resultType": "complete", **meta}
        if method.endswith(CACHED):
            dressed |= {"ttlMs": 0, "cacheScope": "private"}
        if method == "server/discover":
            facts = {"capabilities": self.capabilities, "instructions": self.instructions}
            return {**dressed, "supportedVersions": [VERSION], **facts}
        if method not in METHODS and method != "tools/call":
            raise RefusedError(-32601, f"Method not found: {method}")
        if "requestState" not in params:
            self.runs[params.get("name", method)] += 1
        turn = NewTurn(self, params, headers, stream)
        return {**dressed, **await self.handle(turn, method)}
