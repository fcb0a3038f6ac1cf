"""What belongs to a caller ends with the caller's token; sessions are nobody else's."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.identity.world import Guarded, guarded, run
from tests.security.musts import must
from tests.security.world import modern, parse, unchunked

Json = dict[str, Any]
BOTH = "application/json, text/event-stream"
OPENING = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "old", "version": "1"},
}


async def until_closed(it: Guarded, head: bytes, body: bytes = b"") -> bytes:
    """All that comes on a connection of its own until the other side is done."""
    reader, writer = await asyncio.open_connection("127.0.0.1", it.world.port)
    writer.write(head + f"Host: 127.0.0.1:{it.world.port}\r\n\r\n".encode() + body)
    data = b""
    try:
        while not data.endswith(b"0\r\n\r\n"):
            more = await reader.read(65536)
            if not more:
                break
            data += more
        return data
    finally:
        writer.close()


def head(verb: str, token: str, **fields: str) -> bytes:
    lines = [f"{verb} HTTP/1.1", f"Authorization: Bearer {token}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join(lines).encode() + b"\r\n"


async def listen(it: Guarded, token: str) -> bytes:
    """A listen stream of the stateless era."""
    body, fields = modern("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    fields["Content-Length"] = str(len(body))
    return unchunked(
        (await until_closed(it, head("POST /mcp", token, **fields), body)).partition(b"\r\n\r\n")[2]
    )


async def initialize(it: Guarded, token: str) -> str:
    message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": OPENING}
    answer = await it.world.http(
        json.dumps(message).encode(),
        fields=[
            ("Authorization", f"Bearer {token}"),
            ("Content-Type", "application/json"),
            ("Accept", BOTH),
        ],
    )
    assert answer.status == 200, answer.body
    return answer.headers["mcp-session-id"]


async def websocket(it: Guarded, token: str) -> int | None:
    fields = {"Authorization": f"Bearer {token}"}
    url = it.resource.replace("http:", "ws:")
    async with connect(url, subprotocols=[Subprotocol("mcp")], additional_headers=fields) as socket:
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


@must("expiry-of-streams")
def test_streams_end_with_the_token_they_were_opened_with() -> None:
    async def test() -> None:
        async with guarded(told={"leeway": 0}) as it:
            ends = int(time.time()) + 6
            token = it.token(exp=ends)
            session = await initialize(it, token)
            get = head("GET /mcp", token, Accept="text/event-stream", Mcp_Session_Id=session)
            sse = it.issuer.token(it.resource.replace("/mcp", "/sse"), exp=ends)
            older = head("GET /sse", sse, Accept="text/event-stream")
            listened, standing, oldest, code = await asyncio.gather(
                listen(it, token),
                until_closed(it, get),
                until_closed(it, older),
                websocket(it, token),
            )
            assert time.time() >= ends
            # Graceful, and with the reason, where there is a place for one.
            last = json.loads(listened.rpartition(b"data: ")[2])
            assert last["result"]["_meta"]["io.github.lockgate/ended"] == "token-expired"
            for stream in (standing, oldest):
                assert parse(stream).status == 200
                assert stream.endswith(b"0\r\n\r\n")
            assert code == 3000
            answer = await it.refused(token)
            assert answer.status == 401
            assert answer.error["data"]["reason"] == "token-expired"

    run(test())


@must("expiry-of-streams")
def test_a_session_whose_caller_authenticates_anew_keeps_its_stream() -> None:
    async def test() -> None:
        async with guarded(told={"leeway": 0}) as it:
            ends = int(time.time()) + 5
            token, later = it.token(exp=ends), it.token()
            session = await initialize(it, token)
            get = head("GET /mcp", token, Accept="text/event-stream", Mcp_Session_Id=session)
            standing = asyncio.create_task(until_closed(it, get))
            while time.time() < ends + 1.5:
                answer = await it.world.http(
                    b'{"jsonrpc":"2.0","id":1,"method":"ping"}',
                    fields=[
                        ("Authorization", f"Bearer {later}"),
                        ("Content-Type", "application/json"),
                        ("Accept", BOTH),
                        ("Mcp-Session-Id", session),
                    ],
                )
                assert answer.status == 200
                await asyncio.sleep(0.2)  # the time that passes is what is tested
            assert not standing.done()
            standing.cancel()
            await asyncio.gather(standing, return_exceptions=True)

    run(test())


@must("session-bound")
def test_a_session_is_worth_nothing_to_another_caller() -> None:
    async def test() -> None:
        async with guarded() as it:
            session = await initialize(it, it.token())

            async def ping(token: str | None) -> int:
                fields: list[tuple[str, str | bytes]] = [
                    ("Content-Type", "application/json"),
                    ("Accept", BOTH),
                    ("Mcp-Session-Id", session),
                ]
                if token is not None:
                    fields.append(("Authorization", f"Bearer {token}"))
                body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
                return (await it.world.http(body, fields=fields)).status

            assert await ping(it.token(jti="another token of the same person")) == 200
            assert await ping(it.token(sub="bob")) == 404
            # A session is no credential.
            assert await ping(None) == 401

    run(test())
