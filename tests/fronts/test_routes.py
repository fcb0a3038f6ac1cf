from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lockgate.fronts.http import HttpRequest, Responder
from lockgate.fronts.routes import Routes, RouteSettings
from tests.fronts.play import FakeResponder


async def serve(request: HttpRequest, responder: Responder) -> None:
    if request.query == "stream":
        responder.start(200, ((b"x", b"1"),))
        responder.write(b"a")
        responder.end()
    else:
        responder.send(200, ((b"x", b"1"),), b"served")


def ask(
    headers: dict[bytes, bytes],
    *,
    path: str = "/mcp",
    method: str = "POST",
    query: str = "",
    repeated: frozenset[bytes] = frozenset(),
    **options: Any,
) -> FakeResponder:
    routes = Routes({"/mcp": serve}, RouteSettings(**options))
    responder = FakeResponder()
    request = HttpRequest(method=method, path=path, query=query, headers=headers, repeated=repeated)

    async def ask() -> None:
        await routes(request, responder)

    asyncio.run(ask())
    return responder


HOSTS: list[tuple[bytes, int]] = [
    (b"localhost", 200),
    (b"LocalHost:4040", 200),
    (b"127.0.0.1:1", 200),
    (b"[::1]:4040", 200),
    (b"gate.example", 200),
    (b"gate.example:99", 200),
    (b"pinned.example:8443", 200),
    (b"pinned.example", 421),
    (b"evil.example.com", 421),
    (b"evil.example.com:4040", 421),
    (b"localhost.evil.example", 421),
    (b"localhost:4040@evil.example", 421),
    (b"localhost:", 421),
    (b"localhost:x", 421),
    (b"localhost:123456", 421),
    (b"127.0.0.1.evil.example", 421),
    (b"[::1", 421),
    (b"[::1]evil", 421),
    (b"local host", 421),
    (b"localhost/x", 421),
    (b"localhost, evil.example", 421),
    (b"\xff", 421),
    (b"", 421),
]


@pytest.mark.parametrize(("host", "status"), HOSTS)
def test_host_is_judged_before_the_path(host: bytes, status: int) -> None:
    hosts = ["gate.example", "pinned.example:8443"]
    assert ask({b"host": host}, hosts=hosts).status == status
    missing = ask({b"host": host}, path="/none", hosts=hosts)
    assert missing.status == (404 if status == 200 else 421)


def test_a_missing_or_repeated_host_is_refused() -> None:
    assert ask({}).status == 421
    twice = frozenset({b"host"})
    assert ask({b"host": b"localhost"}, repeated=twice).status == 421


def test_any_host_can_be_allowed_without_allowing_any_origin() -> None:
    host = {b"host": b"whatever.example"}
    assert ask(host, hosts=["*"]).status == 200
    evil = {**host, b"origin": b"http://whatever.example"}
    assert ask(evil, hosts=["*"]).status == 403


ORIGINS: list[tuple[bytes, int]] = [
    (b"http://localhost:3000", 200),
    (b"http://127.0.0.1:4040", 200),
    (b"https://app.example", 200),
    (b"HTTPS://APP.example", 200),
    (b"https://app.example:444", 403),
    (b"http://evil.example.com", 403),
    (b"http://localhost.evil.example", 403),
    (b"null", 403),
    (b"", 403),
    (b"file://", 403),
    (b"ftp://evil", 403),
    (b"\xff://x", 403),
]


@pytest.mark.parametrize(("origin", "status"), ORIGINS)
def test_origin_is_judged_when_there_is_one(origin: bytes, status: int) -> None:
    answer = ask({b"host": b"localhost", b"origin": origin}, origins=["https://app.example"])
    assert answer.status == status
    assert not any(name.startswith(b"access-control") for name in answer.headers)


def test_a_repeated_origin_is_refused() -> None:
    headers = {b"host": b"localhost", b"origin": b"http://localhost"}
    assert ask(headers, repeated=frozenset({b"origin"})).status == 403


def test_other_paths_name_the_endpoint() -> None:
    answer = ask({b"host": b"localhost"}, path="/")
    assert answer.status == 404
    assert "/mcp" in answer.json()["error"]["remedy"]


@pytest.mark.parametrize("query", ["", "stream"])
@pytest.mark.parametrize("cors", ["https://app.example", "*"])
def test_shared_answers_expose_what_browsers_need(cors: str, query: str) -> None:
    headers = {b"host": b"localhost", b"origin": b"https://app.example"}
    answer = ask(headers, cors=[cors], query=query)
    assert answer.status == 200
    assert answer.headers[b"access-control-allow-origin"] == b"https://app.example"
    assert answer.headers[b"vary"] == b"Origin"
    exposed = answer.headers[b"access-control-expose-headers"].lower()
    for name in (b"mcp-session-id", b"www-authenticate", b"mcp-protocol-version"):
        assert name in exposed
    assert answer.headers[b"x"] == b"1"


def test_preflights_are_answered_only_where_shared() -> None:
    headers = {
        b"host": b"localhost",
        b"origin": b"https://app.example",
        b"access-control-request-method": b"POST",
        b"access-control-request-headers": b"content-type, Mcp-Param-Region, x-other",
    }
    answer = ask(headers, method="OPTIONS", cors=["https://app.example"])
    assert answer.status == 204
    allowed = answer.headers[b"access-control-allow-headers"]
    assert b"Mcp-Param-Region" in allowed
    assert b"x-other" not in allowed
    assert ask(headers, method="OPTIONS", origins=["https://app.example"]).body == b"served"
    assert ask(headers, method="OPTIONS", cors=["https://b.example"]).status == 403
