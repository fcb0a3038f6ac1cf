"""What a front does with a known caller, and with a refusal that more scopes would lift."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from typing import Any

import pytest

from lockgate.core.message import Call, Failure, Notification, Principal, Reply, Result
from lockgate.core.raw import Raw
from lockgate.fronts.exchange import Exchange
from lockgate.fronts.http import HttpRequest
from lockgate.fronts.identified import Identified
from lockgate.fronts.settings import ExchangeSettings
from lockgate.wire.challenge import Challenge, challenge
from tests.fronts.served import Reply as Answer
from tests.fronts.served import Served, run, serving
from tests.security.musts import must
from tests.security.world import modern

ANN = Principal(id="https://idp#ann", issuer="https://idp", scopes=frozenset({"mcp"}))
REFUSED = Challenge(
    401,
    ((b"www-authenticate", b"Bearer"),),
    Failure(-32600, "no", "client", "token-missing", remedy="Send one."),
)
LACKING = Failure(
    -32000, "more", "policy", "insufficient-scope", data={"scopes": ["a", "b"]}, remedy="Ask."
)


class Engine:
    """Answers every call in the same way, and keeps it."""

    def __init__(self, reply: Reply, *, speak: bool = False) -> None:
        self.reply = reply
        self.speak = speak
        self.calls: list[Call] = []

    async def handle(self, call: Call) -> Reply:
        self.calls.append(call)
        if call.method == "server/discover":
            return Result(Raw.of({"capabilities": {}, "supportedVersions": []}))
        if self.speak:
            call.emit(Notification("notifications/message", Raw.of({"level": "error", "data": 1})))
        return self.reply

    async def end_session(self, affinity: str) -> None:
        del affinity


class Known:
    """Knows whoever sends a token, at once or after a while."""

    def __init__(self, *, later: bool = False) -> None:
        self.later = later

    def authenticate(
        self, request: HttpRequest
    ) -> Principal | Challenge | Awaitable[Principal | Challenge]:
        found = ANN if b"authorization" in request.headers else REFUSED
        return self._slowly(found) if self.later else found

    async def _slowly(self, found: Principal | Challenge) -> Principal | Challenge:
        await asyncio.sleep(0)
        return found


def step_up(failure: Failure) -> tuple[tuple[bytes, bytes], ...]:
    params = {"error": "insufficient_scope", "scope": " ".join(failure.data["scopes"])}
    return ((b"www-authenticate", challenge("Bearer", params)),)


def endpoint(engine: Engine, **options: Any) -> Identified:
    return Identified(Exchange(engine, ExchangeSettings(step_up=step_up)), Known(**options))


async def post(served: Served, body: bytes, fields: dict[str, Any]) -> Answer:
    client = await served.client()
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    head = "\r\n".join(["POST /mcp HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", *lines])
    client.send(head.encode() + b"\r\n\r\n" + body)
    return await client.reply()


async def call(served: Served, *, known: bool = True) -> Answer:
    body, fields = modern("tools/call", {"name": "echo"})
    if known:
        fields["Authorization"] = "Bearer t"
    return await post(served, body, fields)


HANDSHAKE = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "Authorization": "Bearer t",
}


async def old_call(served: Served, **fields: str) -> Answer:
    who = {"name": "c", "version": "1"}
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": who}
    message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    opened = await post(served, json.dumps(message).encode(), HANDSHAKE)
    session = opened.headers[b"mcp-session-id"].decode()
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo"}}
    body = json.dumps(message).encode()
    return await post(served, body, {**HANDSHAKE, "Mcp-Session-Id": session, **fields})


@pytest.mark.parametrize("later", [False, True])
def test_calls_carry_their_principal(later: bool) -> None:
    async def test() -> None:
        engine = Engine(Result(Raw.of({"content": []})))
        async with serving(endpoint(engine, later=later)) as served:
            assert (await call(served)).status == 200
            assert (await old_call(served)).status == 200
            assert engine.calls
            assert all(one.principal == ANN for one in engine.calls)
            engine.calls.clear()
            answer = await call(served, known=False)
            assert answer.status == 401
            assert answer.headers[b"www-authenticate"] == b"Bearer"
            assert json.loads(answer.body)["error"]["data"]["code"] == "LG-440"
            assert engine.calls == []

    run(test())


@must("as-403", "insufficient-scope")
@pytest.mark.parametrize("ask", [call, old_call])
def test_a_refusal_for_want_of_scopes_is_a_challenge_in_either_era(ask: Any) -> None:
    async def test() -> None:
        async with serving(endpoint(Engine(LACKING))) as served:
            answer = await ask(served)
            assert answer.status == 403
            said = answer.headers[b"www-authenticate"]
            assert said == b'Bearer error="insufficient_scope", scope="a b"'
            assert json.loads(answer.body)["error"]["data"]["scopes"] == ["a", "b"]

    run(test())


def test_once_a_stream_is_open_the_refusal_is_on_it() -> None:
    async def test() -> None:
        async with serving(endpoint(Engine(LACKING, speak=True))) as served:
            answer = await old_call(served)
            assert answer.status == 200
            assert b"www-authenticate" not in answer.headers
            assert b'"insufficient-scope"' in answer.body

    run(test())


def test_a_challenge_cannot_be_broken_out_of() -> None:
    said = challenge("Bearer", {"error": 'a"\\b\r\nSet-Cookie: x\x7fü', "scope": ""})
    assert said == b'Bearer error="a\\"\\\\b??Set-Cookie: x??"'
