"""Upstream toward servers of the handshake era over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lockgate.core.message import Result
from tests.upstreams.calls import Heard, bad, call, eventually, good, run, upstream
from tests.upstreams.old_calls import DONE, ELICIT, FIRST, done, old
from tests.upstreams.old_server import OldServer
from tests.upstreams.scripted import Answer, Asked


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
@pytest.mark.parametrize("stateless", [False, True])
def test_the_probe_falls_back_and_a_session_is_opened_once(version: str, stateless: bool) -> None:
    async def test() -> None:
        async with (
            OldServer(done, version=version, stateless=stateless) as server,
            upstream(server.url) as one,
        ):
            for _ in range(3):
                assert good(await one.send(old(caps={"sampling": {}}))) == DONE
            # The standing stream is opened beside the calls, for this client can be asked.
            await eventually(lambda: "GET" in server.methods())
            assert [method for method in server.methods() if method != "GET"] == [
                "server/discover", "initialize", "notifications/initialized", *["tools/call"] * 3
            ]  # fmt: skip
            opened = server.asked[1].params
            assert opened["protocolVersion"] == "2025-11-25"
            assert opened["capabilities"] == {"sampling": {}}
            assert opened["clientInfo"] == {"name": "tester", "version": "1"}
            last = next(one for one in server.asked if one.method == "tools/call")
            assert last.headers["mcp-protocol-version"] == version
            assert last.headers.get("mcp-session-id") == (None if stateless else "s1")
            assert one.state.eras == {"handshake"}
            assert one.state.name == "old"
        assert server.deleted == ([] if stateless else ["s1"])

    run(test())


def test_discover_gives_the_servers_own_introduction() -> None:
    async def test() -> None:
        async with OldServer(done) as server, upstream(server.url) as one:
            found = good(await one.send(old(method="server/discover")))
            assert found["supportedVersions"] == ["2025-11-25"]
            assert found["instructions"] == "be kind"
            assert found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "old"

    run(test())


def test_modern_callers_are_spoken_for_in_a_session() -> None:
    async def test() -> None:
        async with OldServer(done) as server, upstream(server.url) as one:
            assert good(await one.send(call()))["content"] == DONE["content"]
            assert server.methods().count("initialize") >= 1
            assert "mcp-method" not in server.asked[-1].headers

    run(test())


def test_sessions_are_separate_by_principal_capabilities_and_affinity() -> None:
    async def test() -> None:
        async with OldServer(done) as server, upstream(server.url) as one:
            for more in ({}, {"who": "bob"}, {"caps": {"roots": {}}}, {"affinity": "b"}, {}):
                good(await one.send(old(**more)))
            assert len(server.sessions) == 4
            await one.end_session("b")
            good(await one.send(old(affinity="b")))
            assert server.methods().count("initialize") == 5

    run(test())


def test_opening_is_done_once_for_all_who_wait() -> None:
    async def test() -> None:
        async with OldServer(done) as server, upstream(server.url) as one:
            await asyncio.gather(*[one.send(old()) for _ in range(20)])
            assert server.methods().count("initialize") == 1

    run(test())


def test_sessions_are_bounded_and_the_oldest_idle_one_makes_room() -> None:
    release = asyncio.Event()

    async def script(asked: Asked, answer: Answer) -> None:
        if asked.params["name"] == "wait":
            await release.wait()
        answer.result(DONE)

    async def test() -> None:
        limits = {"sessions": 2}
        async with OldServer(script) as server, upstream(server.url, limits=limits) as one:
            for affinity in "abc":
                good(await one.send(old(affinity=affinity)))
            await eventually(lambda: server.deleted == ["s1"])
            waiting = [
                asyncio.create_task(one.send(old(affinity=affinity, params={"name": "wait"})))
                for affinity in "bc"
            ]
            await eventually(lambda: server.methods().count("tools/call") >= 5)
            assert bad(await one.send(old(affinity="d"))).reason == "upstream-busy"
            release.set()
            await asyncio.gather(*waiting)

    run(test())


def test_a_forgotten_session_is_opened_again_and_the_call_made_once_more() -> None:
    async def test() -> None:
        async with OldServer(done) as server, upstream(server.url) as one:
            good(await one.send(old()))
            server.forget()
            good(await one.send(old()))
            assert server.methods().count("initialize") == 2

    run(test())


@pytest.mark.parametrize(("code", "asked"), [(-32001, 2), (-32600, 2), (-32601, 1)])
def test_404_means_a_forgotten_session_even_with_the_id_of_the_request(
    code: int, asked: int
) -> None:
    refused: list[object] = []

    async def script(asked: Asked, answer: Answer) -> None:
        if refused:
            answer.result({"content": []})
            return
        refused.append(asked.id)
        answer.error(code, "no", 404)

    async def test() -> None:
        async with OldServer(script) as server, upstream(server.url) as one:
            reply = await one.send(old())
            assert server.methods().count("initialize") == asked
            if asked == 1:
                assert bad(reply).code == code
            else:
                good(reply)

    run(test())


def test_a_server_that_forgets_always_is_not_asked_for_ever() -> None:
    async def script(asked: Asked, answer: Answer) -> None:
        answer.send(404)

    async def test() -> None:
        async with OldServer(script) as server, upstream(server.url) as one:
            assert bad(await one.send(old())).reason == "upstream-session-lost"

    run(test())


def test_progress_logs_and_errors() -> None:
    async def script(asked: Asked, answer: Answer) -> None:
        answer.stream()
        token = asked.params["_meta"]["progressToken"]
        answer.event(None, event_id="e0")
        answer.note("notifications/progress", progressToken=token, progress=0.5)
        answer.note("notifications/message", level="info", data="hello")
        answer.event(
            {
                "jsonrpc": "2.0",
                "id": asked.id,
                "error": {"code": -32002, "message": "gone", "data": 7},
            }
        )
        answer.end()

    async def test() -> None:
        async with OldServer(script) as server, upstream(server.url) as one:
            heard = Heard()
            failure = bad(await one.send(old(wants_progress=True, emit=heard)))
            assert (failure.code, failure.message, failure.data) == (-32002, "gone", 7)
            assert heard.methods() == ["notifications/progress", "notifications/message"]
            assert dict(heard[0].params) == {"progress": 0.5}

    run(test())


def test_cancelling_tells_the_server() -> None:
    begun = asyncio.Event()
    hold = asyncio.Event()

    async def script(asked: Asked, answer: Answer) -> None:
        begun.set()
        await answer.gone()

    class Server(OldServer):
        async def told(self, asked: Asked) -> None:
            if asked.method == "notifications/cancelled":
                hold.set()

    async def test() -> None:
        async with Server(script) as server, upstream(server.url) as one:
            task = asyncio.create_task(one.send(old()))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await hold.wait()
            ids = [asked.id for asked in server.asked if asked.method == "tools/call"]
            assert server.asked[-1].params["requestId"] == ids[0]

    run(test())


def asks(
    server: OldServer, *requests: dict[str, Any]
) -> Callable[[Asked, Answer], Awaitable[None]]:
    """A tool that asks `requests` one after the other, then gives the answers it got."""

    async def script(asked: Asked, answer: Answer) -> None:
        answer.stream()
        for number, request in enumerate(requests):
            answer.event({"jsonrpc": "2.0", "id": f"q{number}", **request})
            await eventually(lambda enough=number: len(server.answers) > enough)
        answer.finish({"content": [], "structuredContent": {"got": server.answers}})

    return script


SAMPLE = {"method": "sampling/createMessage", "params": {"messages": []}}


def test_a_question_parks_the_call_and_the_answer_continues_it() -> None:
    async def test() -> None:
        async with OldServer() as server, upstream(server.url) as one:
            server.script = asks(server, ELICIT, SAMPLE)
            reply = await one.send(old())
            assert isinstance(reply, Result)
            assert reply.kind == "input_required"
            [(key, request)] = reply.raw["inputRequests"].items()
            assert request == ELICIT
            params = {
                **FIRST,
                "requestState": reply.raw["requestState"],
                "inputResponses": {key: {"action": "accept", "content": {"n": 1}}},
            }
            reply = await one.send(old(params=params))
            assert isinstance(reply, Result)
            [(key, request)] = reply.raw["inputRequests"].items()
            assert request == SAMPLE
            params["requestState"] = reply.raw["requestState"]
            error = {"code": -1, "message": "user said no", "data": {"x": 1}}
            params["inputResponses"] = {key: {"_lockgate/error": error}}
            reply = good(await one.send(old(params=params)))
            first, second = reply["structuredContent"]["got"]
            assert first["result"] == {"action": "accept", "content": {"n": 1}}
            assert second["error"] == error
            assert server.methods().count("tools/call") == 1

    run(test())


def test_a_parked_call_belongs_to_its_caller_and_can_be_taken_up_once() -> None:
    async def test() -> None:
        async with OldServer() as server, upstream(server.url) as one:
            server.script = asks(server, ELICIT)
            reply = good(await one.send(old()))
            [key], state = reply["inputRequests"], reply["requestState"]
            params = {**FIRST, "requestState": state, "inputResponses": {key: {}}}
            for more in ({"who": "mallory"}, {"affinity": "b"}, {"method": "prompts/get"}):
                failure = bad(await one.send(old(params=params, **more)))
                assert (failure.code, failure.reason) == (-32602, "unknown-request-state")
            good(await one.send(old(params=params)))
            assert bad(await one.send(old(params=params))).reason == "unknown-request-state"

    run(test())


def test_a_missing_answer_is_asked_for_again() -> None:
    async def test() -> None:
        async with OldServer() as server, upstream(server.url) as one:
            server.script = asks(server, ELICIT)
            reply = good(await one.send(old()))
            params = {**FIRST, "requestState": reply["requestState"]}
            reply = await one.send(old(params=params))
            assert isinstance(reply, Result)
            [(key, request)] = reply.raw["inputRequests"].items()
            assert request == ELICIT
            params |= {"requestState": reply.raw["requestState"], "inputResponses": {key: {}}}
            good(await one.send(old(params=params)))

    run(test())


def test_a_ping_is_answered_during_a_call() -> None:
    async def test() -> None:
        async with OldServer() as server, upstream(server.url) as one:
            server.script = asks(server, {"method": "ping"})
            good(await one.send(old()))
            assert server.answers == [{"jsonrpc": "2.0", "id": "q0", "result": {}}]

    run(test())


def test_the_end_of_a_session_does_not_overtake_what_was_said_in_it() -> None:
    order: list[str] = []
    running, heard = asyncio.Event(), asyncio.Event()

    class Server(OldServer):
        async def told(self, asked: Asked) -> None:
            if asked.method == "notifications/cancelled":
                heard.set()
                # As if it came over a slower connection.
                await asyncio.sleep(0.1)
                order.append(f"cancelled, deleted: {self.deleted}")

    async def script(asked: Asked, answer: Answer) -> None:
        running.set()
        await answer.gone()

    async def test() -> None:
        async with Server(script) as server, upstream(server.url) as one:
            calling = asyncio.create_task(one.send(old(affinity="a")))
            await running.wait()
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)
            await one.end_session("a")
            await heard.wait()
            await eventually(lambda: server.deleted == ["s1"])
            assert order == ["cancelled, deleted: []"]

    run(test())


def test_a_broken_stream_is_taken_up_where_it_ended() -> None:
    class Server(OldServer):
        async def _get(self, session: str, asked: Asked, answer: Answer) -> None:
            assert asked.headers["last-event-id"] == "e1"
            answer.stream()
            answer.event({"jsonrpc": "2.0", "id": self.asked[-2].id, "result": DONE}, event_id="e2")
            answer.end()

    async def script(asked: Asked, answer: Answer) -> None:
        answer.stream()
        answer.event(None, event_id="e1", retry=1)
        answer.end()

    async def test() -> None:
        async with Server(script) as server, upstream(server.url) as one:
            assert good(await one.send(old())) == DONE

    run(test())


def test_a_stream_without_ids_cannot_be_taken_up() -> None:
    async def script(asked: Asked, answer: Answer) -> None:
        answer.stream()
        answer.end()

    async def test() -> None:
        async with OldServer(script) as server, upstream(server.url) as one:
            assert bad(await one.send(old())).reason == "upstream-lost"

    run(test())


def test_the_log_level_follows_the_caller() -> None:
    async def test() -> None:
        async with OldServer(done) as server, upstream(server.url) as one:
            for level in ("info", "info", "debug", None):
                good(await one.send(old(log_level=level)))
            levels = [
                one.params["level"] for one in server.asked if one.method == "logging/setLevel"
            ]
            assert levels == ["info", "debug"]
            good(await one.send(old(method="logging/setLevel", params={"level": "error"})))
            good(await one.send(old(log_level="error")))
            assert server.methods().count("logging/setLevel") == 3

    run(test())


def test_roots_changed_reaches_an_open_session_only() -> None:
    async def test() -> None:
        async with OldServer(done) as server, upstream(server.url) as one:
            await one.send(old())
            told = old(method="notifications/roots/list_changed")
            good(await one.send(told))
            good(await one.send(told.replace(affinity="new")))
            await eventually(lambda: "notifications/roots/list_changed" in server.methods())
            assert server.methods().count("initialize") == 1

    run(test())


def test_a_parked_call_nobody_comes_back_for_is_cancelled() -> None:
    async def test() -> None:
        async with OldServer() as server, upstream(server.url) as one:
            server.script = asks(server, ELICIT)
            one._parking._lifetime = 0.02
            reply = await one.send(old())
            assert isinstance(reply, Result)
            await eventually(lambda: "notifications/cancelled" in server.methods())
            params = {**FIRST, "requestState": reply.raw["requestState"]}
            assert bad(await one.send(old(params=params))).reason == "unknown-request-state"
            handshake = one._connector.handshake
            assert handshake is not None
            [session] = handshake.pool.sessions()
            assert session.flights == {}
            assert len(one._parking) == 0

    run(test())


def test_parked_calls_are_bounded() -> None:
    async def test() -> None:
        async with OldServer() as server, upstream(server.url) as one:
            server.script = asks(server, ELICIT)
            one._parking._per_session = 1
            assert isinstance(await one.send(old()), Result)
            assert bad(await one.send(old())).reason == "upstream-busy"
            await eventually(lambda: server.answers)
            assert server.answers[0]["error"]["code"] == -32603

    run(test())


def test_a_parked_call_in_a_forgotten_session_is_lost() -> None:
    async def test() -> None:
        async with OldServer() as server, upstream(server.url) as one:
            server.script = asks(server, ELICIT)
            reply = good(await one.send(old()))
            server.forget()
            server.script = done
            good(await one.send(old()))
            state = reply["requestState"]
            params = {**FIRST, "requestState": state, "inputResponses": {}}
            failure = bad(await one.send(old(params=params)))
            assert failure.reason == "upstream-session-lost"

    run(test())


def test_event_streams_keep_their_connections() -> None:
    async def script(asked: Asked, answer: Answer) -> None:
        answer.stream()
        answer.finish(DONE)

    async def test() -> None:
        async with OldServer(script) as server, upstream(server.url) as one:
            for _ in range(20):
                good(await one.send(old()))
            assert len(server._tasks) <= 2

    run(test())
