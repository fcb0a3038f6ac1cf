"""What the table of errors says of codes and HTTP statuses is what clients get, in both eras."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from lockgate.core.codes import CODES, ENTRIES, FAILURES
from lockgate.core.message import Call, Failure, Notification, Reply
from lockgate.core.raw import EMPTY
from lockgate.core.taxonomy import BY_CODE, Entry, numbers
from lockgate.fronts.answer import refusal_body
from lockgate.fronts.http import HttpLimits
from lockgate.fronts.routes import Routes, RouteSettings
from lockgate.wire.envelope import failure_data
from tests.fronts import served
from tests.fronts.play import FakeEngine, FakeResponder, Play, http, message, modern, playing

CALL = {"name": "x"}
OLD = {b"mcp-protocol-version": b"2025-11-25"}
NEW = {b"mcp-protocol-version": b"2026-07-28"}
UPGRADE: dict[bytes, bytes | None] = {
    b"connection": b"Upgrade",
    b"upgrade": b"websocket",
    b"sec-websocket-version": b"13",
    b"sec-websocket-key": b"AAAAAAAAAAAAAAAAAAAAAA==",
    b"sec-websocket-protocol": b"mcp",
}
Answers = list[FakeResponder]
Drive = Callable[[Play], Awaitable[Answers]]


async def waiting(call: Call) -> Reply:
    if call.method == "subscriptions/listen":
        call.emit(Notification("notifications/subscriptions/acknowledged", EMPTY))
    return await asyncio.get_running_loop().create_future()


async def method_not_allowed(play: Play) -> Answers:
    return [await play.ask(http(headers=kind, method="PUT")) for kind in (NEW, OLD)]


async def content_type(play: Play) -> Answers:
    headers = {b"content-type": b"text/plain"}
    return [await play.ask(http(message("ping"), headers | kind)) for kind in (NEW, OLD)]


async def accept(play: Play) -> Answers:
    headers = {b"accept": b"text/html"}
    return [await play.ask(http(message("ping"), headers | kind)) for kind in (NEW, OLD)]


async def repeated_header(play: Play) -> Answers:
    await play.open()
    again = frozenset({b"mcp-session-id"})
    return [await play.ask(http(message("tools/list"), play.session, repeated=again))]


async def websocket_handshake(play: Play) -> Answers:
    wrong: list[dict[bytes, bytes | None]] = [
        {b"sec-websocket-protocol": b"chat"},
        {b"sec-websocket-version": b"12"},
    ]
    return [await play.ask(http(headers=UPGRADE | one, method="GET")) for one in wrong]


async def websocket_unavailable(play: Play) -> Answers:
    return [await play.ask(http(headers=UPGRADE, method="GET"))]


async def malformed_message(play: Play) -> Answers:
    bodies = (b"{", b'{"jsonrpc":"1.0","id":1,"method":"x"}')
    return [await play.ask(http(body, kind)) for body in bodies for kind in (NEW, OLD)]


async def id_in_use(play: Play) -> Answers:
    play.engine.on("tools/call", waiting)
    await play.open()
    play.begin(play.post("tools/call", CALL, 7))
    await play.engine.called(2)  # the first was for initialize
    return [await play.ask(play.post("tools/call", CALL, 7))]


async def response_refused(play: Play) -> Answers:
    return [await play.ask(http({"jsonrpc": "2.0", "id": 1, "result": {}}, NEW))]


async def invalid_metadata(play: Play) -> Answers:
    return [await play.ask(http(message("tools/list", {"_meta": 1}), NEW))]


async def header_mismatch(play: Play) -> Answers:
    return [await play.ask(modern("tools/list", headers={b"mcp-method": b"tools/call"}))]


async def unsupported_version(play: Play) -> Answers:
    key = "io.modelcontextprotocol/protocolVersion"
    headers: dict[bytes, bytes | None] = {b"mcp-protocol-version": b"v9"}
    return [await play.ask(modern("tools/list", meta={key: "v9"}, headers=headers))]


async def other_revision(play: Play) -> Answers:
    now = await play.ask(modern("logging/setLevel", {"level": "info"}))
    await play.open()
    return [now, await play.ask(play.post("server/discover"))]


async def session_missing(play: Play) -> Answers:
    return [await play.ask(http(message("tools/list"), OLD))]


async def session_unknown(play: Play) -> Answers:
    return [await play.ask(http(message("tools/list"), OLD | {b"mcp-session-id": b"gone"}))]


async def session_streams_full(play: Play) -> Answers:
    play.engine.on("subscriptions/listen", waiting)
    await play.open()
    await asyncio.gather(*(play.ask(play.get()) for _ in range(play.settings.get_streams)))
    return [await play.ask(play.get())]


async def event_unknown(play: Play) -> Answers:
    await play.open()
    return [await play.ask(play.get(b"never"))]


async def invalid_params(play: Play) -> Answers:
    await play.open()
    return [await play.ask(play.post("logging/setLevel", {"level": "loud"}))]


async def too_many_streams(play: Play) -> Answers:
    play.engine.on("subscriptions/listen", waiting)
    for _ in range(play.settings.listens):
        play.begin(modern("subscriptions/listen", {"notifications": {}}))
    await play.engine.called(play.settings.listens)
    return [await play.ask(modern("subscriptions/listen", {"notifications": {}}))]


async def draining(play: Play) -> Answers:
    await play.exchange.drain()
    return [await play.ask(modern("tools/call", CALL)), await play.ask(play.post("tools/list"))]


DRIVEN: dict[str, Drive] = {
    one.__name__.replace("_", "-"): one
    for one in (
        method_not_allowed,
        content_type,
        accept,
        repeated_header,
        websocket_handshake,
        websocket_unavailable,
        malformed_message,
        id_in_use,
        response_refused,
        invalid_metadata,
        header_mismatch,
        unsupported_version,
        other_revision,
        session_missing,
        session_unknown,
        session_streams_full,
        event_unknown,
        invalid_params,
        too_many_streams,
        draining,
    )
}
ENGINES = [
    entry
    for entry in FAILURES
    if entry.codes != () and (entry.modern != () or entry.handshake != ())
]
FRONTS_OWN = {
    *("method-not-allowed", "content-type", "accept", "repeated-header", "malformed-message"),
    *("websocket-handshake", "websocket-unavailable", "response-refused", "session-missing"),
    *("session-unknown", "session-streams-full", "event-unknown", "draining"),
    *("token-missing", "token-invalid", "token-expired", "credentials-malformed"),
    *("proof-invalid", "proof-nonce"),
    "issuer-unavailable",
    *("login-stray", "login-refused", "login-mixed-up"),  # answered by pages
    *("login-somebody-else", "login-unverified"),  # the same
}
"""Refused before there is a call, so that no reply of the engine is ever one of these."""


def either(entry: Entry) -> set[int]:
    return {*numbers(entry.modern), *numbers(entry.handshake)}


@pytest.mark.parametrize("reason", DRIVEN)
def test_what_fronts_refuse_is_answered_as_the_table_says(reason: str) -> None:
    async def run() -> None:
        entry = ENTRIES[reason]
        async with playing(listens=2, get_streams=2) as play:
            answers = await DRIVEN[reason](play)
        for answer in answers:
            error = answer.json()["error"]
            assert error["data"]["reason"] == reason
            assert error["data"]["code"] == entry.code
            assert error["code"] in numbers(entry.codes)
            assert answer.status in either(entry)
            assert error["data"]["remedy"]
            if answer.status == 503:
                assert answer.headers[b"retry-after"] == b"%d" % error["data"]["retry_after"]

    asyncio.run(run())


@pytest.mark.parametrize("code", [-32602, -32000])
@pytest.mark.parametrize("entry", ENGINES, ids=lambda entry: entry.reason)
def test_what_the_engine_fails_with_is_answered_as_the_table_says(entry: Entry, code: int) -> None:
    if entry.codes is not BY_CODE:
        (code,) = set(numbers(entry.codes)) & {code} or numbers(entry.codes)[:1]
    failure = Failure(code, "m", "gateway", entry.reason, data={"uri": "x:y"})

    async def run() -> None:
        engine = FakeEngine().on("resources/read", failure)
        async with playing(engine) as play:
            now = await play.ask(modern("resources/read", {"uri": "x:y"}))
            await play.open()
            old = await play.ask(play.post("resources/read", {"uri": "x:y"}))
        assert now.json()["error"]["data"]["code"] == entry.code
        if entry.modern not in ((), BY_CODE):
            assert now.status in numbers(entry.modern)
        if entry.handshake not in ((), BY_CODE):
            assert old.status in numbers(entry.handshake)
        wanted = entry.older or (-32002 if code == -32602 else code)
        assert old.json()["error"]["code"] == wanted
        assert now.json()["error"]["code"] == code

    if entry.reason not in FRONTS_OWN:
        asyncio.run(run())


@pytest.mark.parametrize(("seconds", "header"), [(7, b"7"), (1.2, b"2"), (None, b"1")])
def test_the_header_says_when_as_the_error_does(seconds: float | None, header: bytes) -> None:
    data = None if seconds is None else {"retry_after": seconds}
    full = Failure(-32000, "m", "policy", "too-many-calls", data=data)

    async def run() -> None:
        async with playing(FakeEngine().on("tools/call", full)) as play:
            answer = await play.ask(modern("tools/call", CALL))
            assert (answer.status, answer.headers[b"retry-after"]) == (503, header)

    asyncio.run(run())


def test_a_servers_own_error_has_no_code_of_ours() -> None:
    theirs = Failure(-1, "m", "upstream", "upstream-error", data={"theirs": 1})
    assert failure_data(theirs) == {"theirs": 1}
    unnamed = failure_data(Failure(-1, "m", "policy", "somebody-elses-policy"))
    assert "code" not in unnamed


def routed(headers: dict[bytes, bytes], path: str) -> FakeResponder:
    responder = FakeResponder()

    async def run() -> None:
        await Routes({}, RouteSettings())(http(headers=headers, path=path), responder)

    asyncio.run(run())
    return responder


@pytest.mark.parametrize(
    ("reason", "headers"),
    [
        ("host-refused", {b"host": b"evil.example"}),
        ("origin-refused", {b"host": b"localhost", b"origin": b"https://evil.example"}),
        ("not-found", {b"host": b"localhost"}),
    ],
)
def test_what_no_route_takes(reason: str, headers: dict[bytes, bytes]) -> None:
    answer = routed(headers, "/nothing")
    error = answer.json()["error"]
    assert (error["reason"], error["code"]) == (reason, CODES[reason])
    assert answer.status in either(ENTRIES[reason])


WIRE: list[tuple[str, bytes]] = [
    ("bad-request", b"GET / HTTP/1.1\r\n\r\n"),
    ("bad-request", b"GET / HTTP/3.0\r\nHost: a\r\n\r\n"),
    ("bad-request", b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("body-too-large", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n"),
    ("target-too-long", b"GET /" + b"a" * 99 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("headers-too-large", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 999 + b"\r\n\r\n"),
    ("request-too-slow", b"GET / HTTP/1.1\r\n"),
    ("too-many-connections", b""),
]


@pytest.mark.parametrize(("reason", "sent"), WIRE)
def test_what_never_becomes_a_request(reason: str, sent: bytes) -> None:
    small = HttpLimits(
        body_bytes=10,
        target_bytes=64,
        header_bytes=512,
        connections=0 if reason == "too-many-connections" else 8,
    )

    async def body() -> None:
        async with served.serving(served.Recorder(), small) as server:
            client = await server.client()
            client.send(sent)
            answer = asyncio.ensure_future(client.reply())
            while not answer.done():
                # Nothing tells when the first bytes have arrived, from which the time counts.
                server.turn(60 if reason == "request-too-slow" else 0)
                await asyncio.wait([answer], timeout=0.002)
            reply = await answer
            check(reason, reply.status, reply.body, reply.headers)

    served.run(body())


def check(reason: str, status: int, body: bytes, headers: dict[bytes, bytes]) -> None:
    error: Any = msgspec.json.decode(body)["error"]
    assert (error["reason"], error["code"]) == (reason, CODES[reason])
    assert error["remedy"]
    assert status in either(ENTRIES[reason])
    assert body == refusal_body(status, error["message"])
    assert (b"retry-after" in headers) == (status == 503) == ("retry_after" in error)
