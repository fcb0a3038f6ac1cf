from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lockgate.core.message import Call, Failure, Notification, Principal, Reply, Result
from lockgate.core.raw import Raw
from lockgate.fronts.http import HttpRequest
from lockgate.wire.seal import KeyRing
from tests.fronts.play import FakeEngine, http, message, playing, result

CALL = {"name": "echo", "arguments": {"text": "hi"}}


async def forever(_: Call) -> Reply:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1.0", "2025-11-25"),
    ],
)
def test_initialize_negotiates_and_mints_a_session(offered: str, answered: str) -> None:
    async def run() -> None:
        async with playing() as play:
            answer = await play.open({"sampling": {}}, offered)
            made = answer.json()["result"]
            assert made == {
                "protocolVersion": answered,
                "capabilities": {"tools": {"listChanged": True}, "extensions": {"x/y": {}}},
                "serverInfo": {"name": "s", "version": "1"},
                "instructions": "Be kind.",
            }
            token = answer.headers[b"mcp-session-id"]
            assert all(0x21 <= byte <= 0x7E for byte in token)
            call = play.engine.last
            assert call.client.era == "handshake"
            assert call.client.protocol_version == answered
            assert call.client.capabilities.encode() == b'{"sampling":{}}'
            assert call.affinity

    asyncio.run(run())


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"protocolVersion": 1, "capabilities": {}, "clientInfo": {}},
        {"protocolVersion": "2025-11-25", "capabilities": [], "clientInfo": {}},
        {"protocolVersion": "2025-11-25", "capabilities": {}},
    ],
)
def test_a_bad_initialize_opens_nothing(params: dict[str, Any]) -> None:
    async def run() -> None:
        async with playing() as play:
            answer = await play.ask(http(message("initialize", params)))
            assert answer.code == -32602
            assert b"mcp-session-id" not in answer.headers

    asyncio.run(run())


def test_what_does_not_fit_an_id_is_shortened_or_refused() -> None:
    async def run() -> None:
        noise = KeyRing.generate().seal("x", bytes(4000), now=0, ttl=1)
        params: dict[str, Any] = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "n", "version": "1", "icons": [{"src": noise}]},
        }
        async with playing() as play:
            answer = await play.ask(http(message("initialize", params)))
            assert len(answer.headers[b"mcp-session-id"]) <= 2048
            params["capabilities"] = {"experimental": {noise: {}}}
            answer = await play.ask(http(message("initialize", params)))
            assert answer.code == -32602

    asyncio.run(run())


def test_a_session_outlives_what_is_kept_of_it() -> None:
    async def run() -> None:
        keys = KeyRing.generate()
        async with playing(keys=keys) as one, playing(keys=keys) as other:
            await one.open({"roots": {}})
            await one.ask(one.post("tools/call", CALL))
            other.session = one.session
            answer = await other.ask(other.post("tools/call", CALL))
            assert answer.json()["result"] == {"ok": True}
            mine, theirs = one.engine.last, other.engine.last
            assert mine.affinity == theirs.affinity
            assert mine.client.capabilities_key == theirs.client.capabilities_key
            assert dict(theirs.client.info) == {"name": "c", "version": "1"}

    asyncio.run(run())


INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "c", "version": "1"},
}


def of(request: HttpRequest, who: str, *scopes: str) -> HttpRequest:
    principal = Principal(id=who, scopes=frozenset(scopes))
    return request.replace(principal=principal)


def test_calls_carry_what_their_own_request_was_granted() -> None:
    async def run() -> None:
        async with playing() as play:
            opening = http(message("initialize", INITIALIZE))
            opened = await play.ask(of(opening, "a", "write"))
            token = {b"mcp-session-id": opened.headers[b"mcp-session-id"]}
            assert play.engine.last.principal.scopes == {"write"}
            for scopes in (("read",), ("read", "write")):
                await play.ask(of(http(message("tools/list"), token), "a", *scopes))
                assert play.engine.last.principal.scopes == set(scopes)
            other = await play.ask(of(http(message("tools/list"), token), "b", "write"))
            assert other.status == 404

    asyncio.run(run())


def test_session_ids_are_judged() -> None:
    async def run() -> None:
        async with playing(session_ttl=100.0) as play:
            await play.open()
            good = play.session[b"mcp-session-id"]
            missing = await play.ask(http(message("tools/list"), {b"mcp-session-id": None}))
            assert (missing.status, missing.code) == (400, -32600)
            assert missing.json()["id"] == 1
            flipped = good[:-1] + (b"A" if good[-1:] != b"A" else b"B")
            foreign = KeyRing.generate().seal("session", b"x", now=0, ttl=1e9).encode()
            for token in (b"", b"x", b"\xff", flipped, good + b"A", foreign, good * 30):
                answer = await play.ask(http(message("tools/list"), {b"mcp-session-id": token}))
                assert answer.status == 404, token
            twice = http(
                message("tools/list"), play.session, repeated=frozenset({b"mcp-session-id"})
            )
            assert (await play.ask(twice)).status == 400
            assert (await play.ask(of(play.post("tools/list"), "b"))).status == 404
            assert (await play.ask(play.post("tools/list"))).status == 200
            play.clock.advance(101)
            assert (await play.ask(play.post("tools/list"))).status == 404

    asyncio.run(run())


def test_delete_ends_a_session_for_good() -> None:
    async def run() -> None:
        async with playing(FakeEngine().on("tools/call", forever)) as play:
            await play.open()
            running = play.begin(play.post("tools/call", CALL, number=5))
            await play.engine.called(2)
            affinity = play.engine.last.affinity
            answer = await play.ask(http(headers=play.session, method="DELETE"))
            assert answer.status == 204
            await play.tasks[0]
            assert running.done
            assert play.engine.cancelled == ["tools/call"]
            for method in ("POST", "GET", "DELETE"):
                again = http(
                    message("tools/list"), {**play.session, b"accept": b"*/*"}, method=method
                )
                assert (await play.ask(again)).status == 404
            await play.exchange.drain()
            assert play.engine.ended == [affinity]

    asyncio.run(run())


def test_results_lose_what_only_the_stateless_era_has() -> None:
    async def run() -> None:
        modern = {
            "resultType": "complete",
            "ttlMs": 1,
            "cacheScope": "private",
            "content": [{"resultType": 1}],
            "_meta": {"io.modelcontextprotocol/serverInfo": {}, "a": 1},
        }
        async with playing() as play:
            await play.open()
            for padding in ("", "x" * 8000):
                play.engine.on("tools/call", result({**modern, "p": padding}))
                made = (await play.ask(play.post("tools/call", CALL))).json()["result"]
                assert made == {"content": [{"resultType": 1}], "_meta": {"a": 1}, "p": padding}
            odd = b'{ "content":[],"x":1e0 }'
            play.engine.on("tools/call", Result(Raw(odd)))
            assert odd in (await play.ask(play.post("tools/call", CALL))).body

    asyncio.run(run())


def test_errors_come_with_200_and_this_eras_codes() -> None:
    async def run() -> None:
        async with playing() as play:
            await play.open()
            missing = Failure(-32602, "m", "upstream", "upstream-error", data={"uri": "a:b"})
            play.engine.on("resources/read", missing)
            answer = await play.ask(play.post("resources/read", {"uri": "a:b"}))
            assert answer.status == 200
            assert answer.json()["error"] == {
                "code": -32002,
                "message": "m",
                "data": {"uri": "a:b"},
            }
            play.engine.on("tools/call", missing)
            assert (await play.ask(play.post("tools/call", CALL))).code == -32602
            for method in ("server/discover", "subscriptions/listen"):
                assert (await play.ask(play.post(method, {}))).code == -32601

    asyncio.run(run())


def test_ping_is_answered_here_and_notifications_are_accepted() -> None:
    async def run() -> None:
        async with playing() as play:
            await play.open()
            answer = await play.ask(play.post("ping", number="p"))
            assert answer.json() == {"jsonrpc": "2.0", "id": "p", "result": {}}
            for method in ("notifications/initialized", "notifications/roots/list_changed"):
                answer = await play.ask(play.post(method, number=None))
                assert (answer.status, answer.body) == (202, b"")
            call = await play.engine.called(2)
            assert (call.method, call.id) == ("notifications/roots/list_changed", None)
            assert call.affinity
            nobody = {"jsonrpc": "2.0", "id": 99, "result": {}}
            assert (await play.ask(http(nobody, play.session))).status == 202

    asyncio.run(run())


def test_a_flood_of_notifications_is_bounded_and_keeps_nothing_else_away() -> None:
    changed = "notifications/roots/list_changed"

    async def run() -> None:
        go = asyncio.Event()

        async def act(_: Call) -> Reply:
            await go.wait()
            return result({})

        async with playing(FakeEngine().on(changed, act)) as play:
            for _ in range(2):
                await play.open()
                for _ in range(100):
                    assert (await play.ask(play.post(changed, number=None))).status == 202
                answer = await play.ask(http(headers=play.session, method="DELETE"))
                assert answer.status == 204
            await asyncio.sleep(0)
            assert sum(call.method == changed for call in play.engine.calls) == 2 * 32
            assert len(play.engine.ended) == 2
            go.set()
            await play.open()
            await play.ask(play.post(changed, number=None))
            await play.engine.called(2 * 33 + 2)

    asyncio.run(run())


def test_progress_is_reported_under_the_clients_token() -> None:
    async def run() -> None:
        async def act(call: Call) -> Reply:
            assert call.wants_progress
            assert call.params["_meta"] == {"other": 1}
            call.emit(Notification("notifications/progress", Raw.of({"progress": 1})))
            return result({})

        async with playing(FakeEngine().on("tools/call", act)) as play:
            await play.open()
            params = {**CALL, "_meta": {"progressToken": 3, "other": 1}}
            answer = await play.ask(play.post("tools/call", params))
            progress, last = answer.events
            assert progress["params"] == {"progress": 1, "progressToken": 3}
            assert last["result"] == {}

    asyncio.run(run())


def test_the_log_level_is_kept_and_stamped() -> None:
    async def run() -> None:
        async def act(call: Call) -> Reply:
            for level in ("debug", "warning", "unheard-of"):
                call.emit(Notification("notifications/message", Raw.of({"level": level})))
            return result({})

        async with playing(FakeEngine().on("tools/call", act)) as play:
            await play.open()
            assert len((await play.ask(play.post("tools/call", CALL))).events) == 4
            bad = await play.ask(play.post("logging/setLevel", {"level": "loud"}))
            assert bad.code == -32602
            good = await play.ask(play.post("logging/setLevel", {"level": "warning"}))
            assert "result" in good.json()
            assert play.engine.last.method == "logging/setLevel"
            answer = await play.ask(play.post("tools/call", CALL))
            assert play.engine.last.client.log_level == "warning"
            assert [e["params"]["level"] for e in answer.events[:-1]] == ["warning", "unheard-of"]
            play.engine.on("logging/setLevel", Failure(-32603, "m", "gateway", "no-server"))
            assert (
                "result"
                in (await play.ask(play.post("logging/setLevel", {"level": "info"}))).json()
            )

    asyncio.run(run())


def test_cancelled_requests_get_no_response() -> None:
    async def run() -> None:
        async with playing(FakeEngine().on("tools/call", forever)) as play:
            await play.open()
            answer = play.begin(play.post("tools/call", CALL, number="c"))
            await play.engine.called(2)
            for wrong in ({"requestId": "other"}, {"requestId": []}, {}):
                await play.ask(play.post("notifications/cancelled", wrong, number=None))
            assert not play.engine.cancelled
            twin = await play.ask(play.post("tools/call", CALL, number="c"))
            assert twin.code == -32600
            await play.ask(play.post("notifications/cancelled", {"requestId": "c"}, number=None))
            await play.tasks[0]
            assert answer.done
            assert answer.events == []
            assert play.engine.cancelled == ["tools/call"]

    asyncio.run(run())


def test_a_client_that_leaves_does_not_cancel_until_patience_ends() -> None:
    async def run() -> None:
        async with playing(FakeEngine().on("tools/call", forever)) as play:
            await play.open()
            answer = play.begin(play.post("tools/call", CALL))
            call = await play.engine.called(2)
            answer.leave()
            call.emit(Notification("notifications/message", Raw.of({"level": "info"})))
            assert not answer.started
            play.clock.advance(299)
            play.exchange.pulse.beat()
            assert not play.tasks[0].done()
            play.clock.advance(2)
            play.exchange.pulse.beat()
            await play.tasks[0]
            assert play.engine.cancelled == ["tools/call"]

    asyncio.run(run())


ASKED = {
    "inputRequests": {
        "a": {"method": "sampling/createMessage", "params": {"maxTokens": 1, "x": [1.0]}},
        "b": {"method": "roots/list"},
    },
    "requestState": "s-1",
}


def asking(rounds: int) -> Any:
    async def act(call: Call) -> Reply:
        number = len(call.params.get("inputResponses") or {})
        seen.append(dict(call.params))
        if len(seen) <= rounds:
            return result(ASKED, "input_required")
        return result({"n": number})

    seen: list[dict[str, Any]] = []
    act.seen = seen  # type: ignore[attr-defined]  # for the test to look at
    return act


def test_questions_are_put_to_the_client_on_the_open_stream() -> None:
    async def run() -> None:
        act = asking(1)
        async with playing(FakeEngine().on("tools/call", act)) as play:
            await play.open({"sampling": {}, "roots": {}})
            answer = play.begin(play.post("tools/call", CALL, number=1))
            first, second = await answer.event(1), await answer.event(2)
            assert first["method"] == "sampling/createMessage"
            assert first["params"] == {"maxTokens": 1, "x": [1.0]}
            assert second["method"] == "roots/list"
            assert first["id"] != second["id"]
            done = {"jsonrpc": "2.0", "id": first["id"], "result": {"role": "x", "odd": 1}}
            assert (await play.ask(http(done, play.session))).status == 202
            error = {"code": -1, "message": "no", "data": {"why": 1}}
            no = {"jsonrpc": "2.0", "id": second["id"], "error": error}
            assert (await play.ask(http(no, play.session))).status == 202
            assert (await answer.event(3))["result"] == {"n": 2}
            assert act.seen[1] == {
                **CALL,
                "inputResponses": {"a": {"role": "x", "odd": 1}, "b": {"_lockgate/error": error}},
                "requestState": "s-1",
            }

    asyncio.run(run())


def test_a_client_is_only_asked_what_it_can_answer() -> None:
    async def run() -> None:
        act = asking(1)
        async with playing(FakeEngine().on("tools/call", act)) as play:
            await play.open({"elicitation": {}})
            answer = await play.ask(play.post("tools/call", CALL))
            assert answer.json()["result"] == {"n": 2}
            responses = act.seen[1]["inputResponses"]
            assert responses["a"]["_lockgate/error"]["code"] == -32601
            assert responses["b"]["_lockgate/error"]["code"] == -32601

    asyncio.run(run())


def test_rounds_are_bounded() -> None:
    async def run() -> None:
        act = asking(1000)
        async with playing(FakeEngine().on("tools/call", act), rounds=3) as play:
            await play.open()
            answer = await play.ask(play.post("tools/call", CALL))
            assert answer.json()["error"]["data"]["reason"] == "too-many-rounds"
            assert len(act.seen) == 4

    asyncio.run(run())


def test_answers_of_another_session_count_for_nothing() -> None:
    async def run() -> None:
        async with playing(FakeEngine().on("tools/call", asking(1))) as play:
            await play.open({"sampling": {}})
            theirs = play.session
            await play.open({"sampling": {}, "roots": {}})
            answer = play.begin(play.post("tools/call", CALL))
            asked = await answer.event(1)
            forged = {"jsonrpc": "2.0", "id": asked["id"], "result": {"forged": True}}
            assert (await play.ask(http(forged, theirs))).status == 202
            assert not answer.done
            play.clock.advance(301)
            for _ in range(2):
                play.exchange.pulse.beat()
            await play.tasks[0]
            assert answer.events[-1]["result"] == {"n": 2}

    asyncio.run(run())


def test_cancelling_a_call_withdraws_its_questions() -> None:
    async def run() -> None:
        async with playing(FakeEngine().on("tools/call", asking(1))) as play:
            await play.open({"sampling": {}})
            answer = play.begin(play.post("tools/call", CALL, number=4))
            asked = await answer.event(1)
            await play.ask(play.post("notifications/cancelled", {"requestId": 4}, number=None))
            await play.tasks[0]
            assert answer.events[1] == {
                "jsonrpc": "2.0",
                "method": "notifications/cancelled",
                "params": {"requestId": asked["id"]},
            }
            assert answer.done

    asyncio.run(run())


def test_initialize_with_a_repeated_or_modern_header_is_not_misread() -> None:
    async def run() -> None:
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
        async with playing() as play:
            request = http(message("initialize", params), {b"mcp-protocol-version": b"2026-07-28"})
            answer = await play.ask(request)
            assert (answer.status, answer.code) == (400, -32602)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({b"accept": b"application/json"}, 406),
        ({b"mcp-session-id": None}, 400),
        ({b"mcp-session-id": b"x"}, 404),
        ({b"mcp-protocol-version": b"2026-07-28"}, 405),
    ],
)
def test_get_is_judged(changes: dict[bytes, bytes | None], status: int) -> None:
    async def run() -> None:
        async with playing() as play:
            await play.open()
            request: HttpRequest = play.get()
            headers = {**request.headers, **changes}
            kept = {name: value for name, value in headers.items() if value is not None}
            answer = await play.ask(request.replace(headers=kept))
            assert answer.status == status

    asyncio.run(run())


def test_idle_state_is_let_go_and_its_servers_told() -> None:
    async def run() -> None:
        async with playing(session_idle=60.0) as play:
            await play.open()
            affinity = play.engine.last.affinity
            play.clock.advance(61)
            play.exchange.pulse.beat()
            answer = await play.ask(play.post("tools/list"))
            assert answer.status == 200
            assert play.engine.last.affinity == affinity
            await asyncio.sleep(0)
            assert play.engine.ended == [affinity]

    asyncio.run(run())


def test_sessions_in_memory_are_bounded() -> None:
    async def run() -> None:
        async with playing(sessions=3) as play:
            await play.open()
            first = play.session
            for _ in range(5):
                await play.open()
            play.session = first
            assert (await play.ask(play.post("tools/list"))).status == 200

    asyncio.run(run())


def test_a_client_that_names_event_streams_first_gets_one() -> None:
    async def run() -> None:
        async with playing() as play:
            await play.open()
            first = {**play.session, b"accept": b"text/event-stream, application/json"}
            answer = await play.ask(http(message("tools/list"), first))
            assert answer.streaming
            assert answer.done
            assert answer.events[0]["result"] == {"ok": True}

    asyncio.run(run())


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1e999}}',
        b'{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":1e999}}',
        b'{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":1e999}}',
    ],
)
def test_numbers_without_a_value_are_the_clients_mistake(body: bytes) -> None:
    async def run() -> None:
        async with playing() as play:
            await play.open()
            answer = await play.ask(http(body, play.session))
            assert answer.json()["error"]["data"]["reason"] == "invalid-params"

    asyncio.run(run())
