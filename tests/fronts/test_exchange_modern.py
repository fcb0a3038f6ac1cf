from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from lockgate.core.message import Call, Failure, Notification, Reply, Result
from lockgate.core.raw import Raw
from tests.fronts.play import META, VERSION, FakeEngine, http, message, modern, playing, result

CALL = {"name": "echo", "arguments": {"text": "hi"}}


def test_a_call_is_lifted_and_its_dressed_result_passes_byte_for_byte() -> None:
    async def run() -> None:
        body = b'{"resultType":"complete", "content":[{"type":"text","text":"\\u00e9"}],"x" : 1}'
        engine = FakeEngine().on("tools/call", Result(Raw(body)))
        async with playing(engine) as play:
            answer = await play.ask(modern("tools/call", CALL, number="a-1"))
            assert answer.status == 200
            assert answer.headers[b"content-type"] == b"application/json"
            assert answer.body == b'{"jsonrpc":"2.0","id":"a-1","result":' + body + b"}"
            call = engine.last
            assert call.client.era == "modern"
            assert call.client.protocol_version == VERSION
            assert dict(call.params) == CALL
            assert not call.wants_progress

    asyncio.run(run())


def test_unknown_metadata_and_trace_context_stay_in_params() -> None:
    async def run() -> None:
        async with playing() as play:
            extra = {"traceparent": "00-aa-bb-01", "com.example/x": [1], "progressToken": 7}
            await play.ask(modern("tools/call", CALL, meta=extra))
            call = play.engine.last
            assert call.params["_meta"] == {"traceparent": "00-aa-bb-01", "com.example/x": [1]}
            assert call.wants_progress

    asyncio.run(run())


def test_client_facts_of_equal_capabilities_share_a_key() -> None:
    async def run() -> None:
        async with playing() as play:
            caps = "io.modelcontextprotocol/clientCapabilities"
            info = {"io.modelcontextprotocol/clientInfo": {"name": "n", "version": "2"}}
            await play.ask(modern("tools/list", meta={caps: {"a": {}, "b": {"c": 1}}, **info}))
            await play.ask(modern("tools/list", meta={caps: {"b": {"c": 1}, "a": {}}}))
            await play.ask(modern("tools/list", meta={caps: {"b": {"c": 2}, "a": {}}}))
            one, two, three = [call.client for call in play.engine.calls]
            assert one.name == "n"
            assert one.capabilities_key == two.capabilities_key != three.capabilities_key

    asyncio.run(run())


@pytest.mark.parametrize("method", ["tools/list", "resources/read", "server/discover"])
def test_caching_hints_are_added_where_absent(method: str) -> None:
    async def run() -> None:
        engine = FakeEngine().on(method, result({"a": 1}))
        async with playing(engine) as play:
            made = (await play.ask(modern(method, {"uri": "x:y"}))).json()["result"]
            assert made["resultType"] == "complete"
            assert (made["ttlMs"], made["cacheScope"], made["a"]) == (0, "private", 1)
            engine.on(
                method, result({"ttlMs": 9, "resultType": "complete", "cacheScope": "public"})
            )
            made = (await play.ask(modern(method, {"uri": "x:y"}))).json()["result"]
            assert made == {"ttlMs": 9, "resultType": "complete", "cacheScope": "public"}

    asyncio.run(run())


def test_result_kinds_are_named() -> None:
    async def run() -> None:
        engine = FakeEngine()
        async with playing(engine) as play:
            for kind in ("input_required", "task", "complete"):
                engine.on("tools/call", result({"nested": {"resultType": "x"}}, kind))
                made = (await play.ask(modern("tools/call", CALL))).json()["result"]
                assert made["resultType"] == kind
                assert "ttlMs" not in made
            engine.on("tools/call", result({}))
            assert (await play.ask(modern("tools/call", CALL))).json()["result"]["resultType"]

    asyncio.run(run())


def meta(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = dict(META)
    for key, value in changes.items():
        made["io.modelcontextprotocol/" + key] = value
    return {key: value for key, value in made.items() if value is not ...}


LADDER: list[tuple[str, dict[str, Any], int, int]] = [
    ("no metadata", {"params": {}}, 400, -32602),
    ("metadata is no object", {"params": {"_meta": 1}}, 400, -32602),
    ("no version", {"params": {"_meta": meta(protocolVersion=...)}}, 400, -32602),
    ("version is a number", {"params": {"_meta": meta(protocolVersion=5)}}, 400, -32602),
    ("no capabilities", {"params": {"_meta": meta(clientCapabilities=...)}}, 400, -32602),
    ("capabilities are a list", {"params": {"_meta": meta(clientCapabilities=[])}}, 400, -32602),
    ("info is a string", {"params": {"_meta": meta(clientInfo="x")}}, 400, -32602),
    ("level unknown", {"params": {"_meta": meta(logLevel="loud")}}, 400, -32602),
    ("token is a list", {"params": {"_meta": {**META, "progressToken": []}}}, 400, -32602),
    ("version header missing", {"headers": {b"mcp-protocol-version": None}}, 400, -32020),
    ("header is older", {"headers": {b"mcp-protocol-version": b"2025-11-25"}}, 400, -32020),
    ("body is other", {"params": {"_meta": meta(protocolVersion="v9")}}, 400, -32020),
    (
        "both unknown",
        {
            "headers": {b"mcp-protocol-version": b"v9"},
            "params": {"_meta": meta(protocolVersion="v9")},
        },
        400,
        -32022,
    ),
    ("method header missing", {"headers": {b"mcp-method": None}}, 400, -32020),
    ("method header other", {"headers": {b"mcp-method": b"tools/call"}}, 400, -32020),
    ("method header case", {"headers": {b"mcp-method": b"Tools/List"}}, 400, -32020),
    ("version twice", {"repeated": frozenset({b"mcp-protocol-version"})}, 400, -32020),
    ("method twice", {"repeated": frozenset({b"mcp-method"})}, 400, -32020),
    ("name twice", {"repeated": frozenset({b"mcp-name"})}, 400, -32020),
    ("removed method", {"method": "ping"}, 404, -32601),
    ("initialize", {"method": "initialize"}, 404, -32601),
    ("set level", {"method": "logging/setLevel"}, 404, -32601),
    ("subscribe", {"method": "resources/subscribe"}, 404, -32601),
    ("tasks list", {"method": "tasks/list"}, 404, -32601),
]


@pytest.mark.parametrize(
    ("changes", "status", "code"), [r[1:] for r in LADDER], ids=[r[0] for r in LADDER]
)
def test_the_ladder(changes: dict[str, Any], status: int, code: int) -> None:
    async def run() -> None:
        method = changes.get("method", "tools/list")
        body = message(method, changes.get("params", {"_meta": META}), number="x7")
        headers = {
            b"mcp-protocol-version": VERSION.encode(),
            b"mcp-method": method.encode(),
            **changes.get("headers", {}),
        }
        async with playing() as play:
            request = http(body, headers, repeated=changes.get("repeated", frozenset()))
            answer = await play.ask(request)
            assert (answer.status, answer.code) == (status, code)
            assert answer.json()["id"] == "x7"
            assert answer.json()["error"]["data"]["reason"]
            assert answer.json()["error"]["data"]["remedy"]
            assert not play.engine.calls

    asyncio.run(run())


def test_an_unsupported_version_names_the_supported_ones() -> None:
    async def run() -> None:
        async with playing() as play:
            request = modern(
                "tools/list",
                meta={"io.modelcontextprotocol/protocolVersion": "v9"},
                headers={b"mcp-protocol-version": b"v9"},
            )
            data = (await play.ask(request)).json()["error"]["data"]
            assert data["supported"] == [VERSION]
            assert data["requested"] == "v9"

    asyncio.run(run())


NAMES: list[tuple[str, str, bytes | None, bool]] = [
    ("equal", "echo", b"echo", True),
    ("other", "echo", b"Echo", False),
    ("missing", "echo", None, False),
    ("encoded", "écho", b"=?base64?w6ljaG8=?=", True),
    ("encoded though plain", "echo", b"=?base64?ZWNobw==?=", True),
    ("bad padding", "echo", b"=?base64?ZWNobw?=", False),
    ("bad alphabet", "echo", b"=?base64?ZW!obw==?=", False),
    ("not UTF-8", "echo", b"=?base64?/w==?=", False),
    ("not canonical", "f", b"=?base64?Zh==?=", False),
    ("raw UTF-8", "écho", "écho".encode(), False),
    ("looks encoded", "=?base64?ZWNobw==?=", b"=?base64?ZWNobw==?=", False),
    ("prefix only", "=?base64?ZWNobw==", b"=?base64?ZWNobw==", True),
]


@pytest.mark.parametrize(
    ("name", "header", "good"), [r[1:] for r in NAMES], ids=[r[0] for r in NAMES]
)
def test_the_name_header_agrees_with_the_body(name: str, header: bytes | None, good: bool) -> None:
    async def run() -> None:
        async with playing() as play:
            answer = await play.ask(
                modern("tools/call", {"name": name}, headers={b"mcp-name": header})
            )
            assert answer.status == (200 if good else 400)
            if not good:
                assert answer.code == -32020

    asyncio.run(run())


PARAMS: list[tuple[str, Any, bytes | None, bool]] = [
    ("string", "eu", b"eu", True),
    ("other string", "eu", b"us", False),
    ("missing", "eu", None, False),
    ("absent in both", ..., None, True),
    ("null is absent", None, None, True),
    ("null and header", None, b"null", False),
    ("absent and header", ..., b"eu", False),
    ("integer", 42, b"42", True),
    ("integer as decimal", 42, b"42.0", True),
    ("integer other", 42, b"43", False),
    ("integer garbage", 42, b"4_2", False),
    ("negative", -7, b"-7", True),
    ("boolean", True, b"true", True),
    ("boolean other", True, b"True", False),
    ("unsafe integer", 2**53, b"9007199254740992", False),
    ("object", {"a": 1}, b"x", False),
    ("base64", "Hello", b"=?base64?SGVsbG8=?=", True),
]


@pytest.mark.parametrize(
    ("value", "header", "good"), [r[1:] for r in PARAMS], ids=[r[0] for r in PARAMS]
)
def test_parameter_headers_agree_with_the_body(
    value: Any, header: bytes | None, good: bool
) -> None:
    async def run() -> None:
        wanted = {"echo": {"mcp-param-region": ("where", "region")}}
        async with playing(annotations=lambda tool, _: wanted.get(tool)) as play:
            inner = {} if value is ... else {"region": value}
            params = {"name": "echo", "arguments": {"where": inner}}
            answer = await play.ask(
                modern("tools/call", params, headers={b"mcp-param-region": header})
            )
            assert answer.status == (200 if good else 400)

    asyncio.run(run())


def test_a_repeated_parameter_header_is_refused_only_where_it_means_something() -> None:
    async def run() -> None:
        wanted = {"echo": {"mcp-param-region": ("region",)}}
        async with playing(annotations=lambda tool, _: wanted.get(tool)) as play:
            twice: dict[str, Any] = {"repeated": frozenset({b"mcp-param-region"})}
            answer = await play.ask(modern("tools/call", CALL, **twice))
            assert answer.code == -32020
            answer = await play.ask(modern("tools/call", {"name": "other"}, **twice))
            assert answer.status == 200

    asyncio.run(run())


FAILURES: list[tuple[Failure, int]] = [
    (Failure(-32602, "m", "client", "invalid-params"), 400),
    (Failure(-32601, "m", "client", "unknown-method"), 404),
    (Failure(-32603, "m", "gateway", "server-unavailable"), 200),
    (Failure(-32021, "m", "upstream", "upstream-error", data={"requiredCapabilities": {}}), 400),
    (Failure(-32000, "m", "policy", "too-many-calls", policy="p"), 503),
    (Failure(7, "m", "upstream"), 200),
]


@pytest.mark.parametrize(("failure", "status"), FAILURES)
def test_failures_have_their_status(failure: Failure, status: int) -> None:
    async def run() -> None:
        async with playing(FakeEngine().on("tools/call", failure)) as play:
            answer = await play.ask(modern("tools/call", CALL))
            assert answer.status == status
            error = answer.json()["error"]
            assert error["code"] == failure.code
            assert (b"retry-after" in answer.headers) == (status == 503)
            if failure.origin == "upstream":
                assert error.get("data") == failure.data
            else:
                assert error["data"]["reason"] == failure.reason

    asyncio.run(run())


def test_a_notification_turns_the_answer_into_a_stream() -> None:
    async def run() -> None:
        async def act(call: Call) -> Reply:
            call.emit(Notification("notifications/progress", Raw.of({"progress": 1, "x": [1]})))
            call.emit(Notification("notifications/message", Raw.of({"level": "info", "data": 1})))
            call.emit(Notification("notifications/tools/list_changed"))
            return result({"resultType": "complete"})

        async with playing(FakeEngine().on("tools/call", act)) as play:
            asked = {"progressToken": "t", "io.modelcontextprotocol/logLevel": "info"}
            answer = await play.ask(modern("tools/call", CALL, meta=asked))
            assert answer.headers[b"content-type"] == b"text/event-stream"
            assert answer.headers[b"x-accel-buffering"] == b"no"
            progress, log, last = answer.events
            assert progress["params"] == {"progress": 1, "x": [1], "progressToken": "t"}
            assert log["params"]["level"] == "info"
            assert last == {"jsonrpc": "2.0", "id": 1, "result": {"resultType": "complete"}}
            assert answer.done
            quiet = {"io.modelcontextprotocol/logLevel": "error"}
            answer = await play.ask(modern("tools/call", CALL, meta=quiet))
            assert not answer.streaming

    asyncio.run(run())


def test_a_long_call_becomes_a_stream_that_is_kept_alive() -> None:
    async def run() -> None:
        go = asyncio.Event()

        async def act(call: Call) -> Reply:
            await go.wait()
            return result({"resultType": "complete"})

        async with playing(FakeEngine().on("tools/call", act)) as play:
            answer = play.begin(modern("tools/call", CALL))
            await play.engine.called()
            play.exchange.pulse.beat()
            assert not answer.started
            for comments in (1, 2, 3):
                play.clock.advance(16)
                play.exchange.pulse.beat()
                assert answer.body.count(b": keep-alive") == comments
            go.set()
            assert (await answer.event())["id"] == 1
            await play.tasks[0]
            assert len(play.exchange.pulse) == 0

    asyncio.run(run())


@pytest.mark.parametrize("streaming", [False, True])
def test_a_client_that_leaves_cancels_its_call(streaming: bool) -> None:
    async def run() -> None:
        async def act(call: Call) -> Reply:
            if streaming:
                call.emit(Notification("notifications/progress", Raw.of({"progress": 1})))
            await asyncio.Event().wait()
            raise AssertionError

        async with playing(FakeEngine().on("tools/call", act)) as play:
            answer = play.begin(modern("tools/call", CALL, meta={"progressToken": 1}))
            await play.engine.called()
            answer.leave()
            await play.tasks[0]
            assert play.engine.cancelled == ["tools/call"]
            assert answer.done, "the connection is let go"
            assert b'"result"' not in answer.body
            assert answer.status == (200 if streaming else 0)
            assert len(play.exchange.pulse) == 0

    asyncio.run(run())


def test_the_shells_own_cancellation_is_told_and_passes() -> None:
    async def run() -> None:
        async def act(call: Call) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

        async with playing(FakeEngine().on("tools/call", act)) as play:
            answer = play.begin(modern("tools/call", CALL))
            await play.engine.called()
            play.tasks[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await play.tasks[0]
            assert answer.json()["error"]["data"]["reason"] == "gateway-stopped"

    asyncio.run(run())


async def listening(call: Call) -> Reply:
    call.emit(Notification("notifications/subscriptions/acknowledged", call.params))
    call.emit(Notification("notifications/tools/list_changed"))
    await asyncio.Event().wait()
    raise AssertionError


def test_listen_streams_are_tagged_and_end_gracefully() -> None:
    async def run() -> None:
        tag = {"io.modelcontextprotocol/subscriptionId": "l"}
        async with playing(FakeEngine().on("subscriptions/listen", listening)) as play:
            asked = {"notifications": {"toolsListChanged": True}}
            answer = play.begin(modern("subscriptions/listen", asked, number="l"))
            first, second = await answer.event(1), await answer.event(2)
            assert first["method"] == "notifications/subscriptions/acknowledged"
            assert first["params"] == {**asked, "_meta": tag}
            assert second["params"] == {"_meta": tag}
            await play.exchange.drain()
            last = await answer.event(3)
            assert last["id"] == "l"
            assert last["result"] == {"resultType": "complete", "_meta": tag}
            await play.tasks[0]
            assert answer.done
            refused = await play.ask(modern("tools/list"))
            assert refused.status == 503
            assert refused.headers[b"retry-after"]

    asyncio.run(run())


def test_listen_streams_are_bounded_and_leaving_ends_them() -> None:
    async def run() -> None:
        async with playing(FakeEngine().on("subscriptions/listen", listening), listens=1) as play:
            answer = play.begin(modern("subscriptions/listen", {}))
            await answer.event()
            refused = await play.ask(modern("subscriptions/listen", {}))
            assert refused.status == 503
            answer.leave()
            await play.tasks[0]
            again = play.begin(modern("subscriptions/listen", {}))
            await again.event()

    asyncio.run(run())


def test_a_refused_listen_is_an_ordinary_error() -> None:
    async def run() -> None:
        failure = Failure(-32602, "no", "client", "invalid-params")
        async with playing(FakeEngine().on("subscriptions/listen", failure)) as play:
            answer = await play.ask(modern("subscriptions/listen", {}))
            assert (answer.status, answer.code, answer.streaming) == (400, -32602, False)

    asyncio.run(run())


MALFORMED: list[tuple[str, bytes, int]] = [
    ("empty", b"", -32700),
    ("not JSON", b"{", -32700),
    ("trailing", b'{"jsonrpc":"2.0","id":1,"method":"a"}x', -32700),
    ("NaN", b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":NaN}}', -32700),
    ("invalid UTF-8", b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":"\xff"}}', -32700),
    ("batch", b'[{"jsonrpc":"2.0","id":1,"method":"a"}]', -32600),
    ("no version", b'{"id":1,"method":"a"}', -32600),
    ("null id", b'{"jsonrpc":"2.0","id":null,"method":"a"}', -32600),
    ("fractional id", b'{"jsonrpc":"2.0","id":1.5,"method":"a"}', -32600),
    ("list params", b'{"jsonrpc":"2.0","id":1,"method":"a","params":[]}', -32600),
    ("both kinds", b'{"jsonrpc":"2.0","id":1,"method":"a","result":{}}', -32600),
    ("neither kind", b'{"jsonrpc":"2.0","id":1}', -32600),
    (
        "too deep",
        b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":' + b"[" * 70 + b"]" * 70 + b"}}",
        -32600,
    ),
]


@pytest.mark.parametrize(
    ("body", "code"), [r[1:] for r in MALFORMED], ids=[r[0] for r in MALFORMED]
)
def test_malformed_bodies(body: bytes, code: int) -> None:
    async def run() -> None:
        async with playing() as play:
            answer = await play.ask(http(body))
            assert (answer.status, answer.code) == (400, code)
            assert not play.engine.calls

    asyncio.run(run())


@pytest.mark.parametrize(
    ("headers", "method", "status"),
    [
        ({b"accept": b"application/json"}, "POST", 406),
        ({b"accept": None}, "POST", 406),
        ({b"accept": b"text/event-stream;q=0, application/json"}, "POST", 406),
        ({b"accept": b"*/*"}, "POST", 200),
        ({b"accept": b"Text/Event-Stream, Application/*;q=0.5"}, "POST", 200),
        ({b"content-type": b"text/plain"}, "POST", 415),
        ({b"content-type": None}, "POST", 415),
        ({b"content-type": b"application/json; charset=UTF-8"}, "POST", 200),
        ({b"content-type": b"application/json; charset=utf-16"}, "POST", 415),
        ({}, "GET", 405),
        ({}, "DELETE", 405),
        ({}, "PUT", 405),
    ],
)
def test_http_rules(headers: dict[bytes, bytes | None], method: str, status: int) -> None:
    async def run() -> None:
        async with playing() as play:
            request = modern("tools/list", headers=headers)
            answer = await play.ask(request.replace(method=method))
            assert answer.status == status
            if status == 405:
                assert answer.headers[b"allow"] == b"POST"

    asyncio.run(run())


def test_notifications_are_acknowledged_and_responses_refused() -> None:
    async def run() -> None:
        version = {b"mcp-protocol-version": VERSION.encode()}
        async with playing() as play:
            note = message("notifications/cancelled", {"requestId": 1}, number=None)
            assert (await play.ask(http(note, version))).status == 202
            response = {"jsonrpc": "2.0", "id": 1, "result": {}}
            assert (await play.ask(http(response, version))).status == 400
            old = await play.ask(http(note, {b"mcp-protocol-version": b"v9"}))
            assert (old.status, old.code) == (400, -32022)
            assert not play.engine.calls

    asyncio.run(run())


def test_escapes_cannot_hide_which_era_is_meant() -> None:
    async def run() -> None:
        body = msgspec.json.encode(message("tools/list", {"_meta": META}))
        async with playing() as play:
            for hidden in (
                body.replace(b"modelcontextprotocol/", b"modelcontextprotocol\\/"),
                body.replace(b"protocolVersion", b"protocol\\u0056ersion"),
            ):
                answer = await play.ask(http(hidden))
                assert (answer.status, answer.code) == (400, -32020)

    asyncio.run(run())


def test_stateless_clients_meet_no_session() -> None:
    async def run() -> None:
        async with playing() as play:
            answer = await play.ask(modern("tools/list", headers={b"mcp-session-id": b"x"}))
            assert answer.status == 200
            assert b"mcp-session-id" not in answer.headers

    asyncio.run(run())
