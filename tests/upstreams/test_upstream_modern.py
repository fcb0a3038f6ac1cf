"""Upstream toward servers of the stateless era over HTTP, each scripted for one situation."""

import asyncio
import json
from typing import Any

import pytest

from lockgate.core.message import Result
from lockgate.core.raw import Raw
from lockgate.wire.revisions import META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_VERSION
from tests.upstreams.calls import Heard, bad, call, good, run, upstream
from tests.upstreams.scripted import Answer, Asked, ScriptedServer

DISCOVERED = {
    "resultType": "complete",
    "supportedVersions": ["2026-07-28"],
    "capabilities": {"tools": {"listChanged": True}},
    "ttlMs": 0,
    "cacheScope": "private",
    "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "fake", "version": "3"}},
}
DONE = {"resultType": "complete", "content": [{"type": "text", "text": "ok"}]}


def modern(script: Any, tools: list[dict[str, Any]] | None = None) -> Any:
    async def handler(asked: Asked, answer: Answer) -> None:
        if asked.method == "server/discover":
            answer.result(DISCOVERED)
        elif asked.method == "tools/list":
            answer.result({"resultType": "complete", "tools": tools or []})
        else:
            await script(asked, answer)

    return handler


def test_a_call_is_one_post_with_headers_and_stamped_meta() -> None:
    async def script(asked: Asked, answer: Answer) -> None:
        answer.result({**DONE, "unheard": {"of": [1]}})

    async def test() -> None:
        async with (
            ScriptedServer(modern(script)) as server,
            upstream(server.url, headers={"X-Key": "k"}) as one,
        ):
            params = {"name": "grüß", "_meta": {"traceparent": "00-1", META_VERSION: "evil"}}
            reply = good(await one.send(call(params=params, caps={"roots": {}}, log_level="info")))
            assert reply["unheard"] == {"of": [1]}
            asked = server.asked[-1]
            assert asked.headers["mcp-protocol-version"] == "2026-07-28"
            assert asked.headers["mcp-method"] == "tools/call"
            assert asked.headers["mcp-name"] == "=?base64?Z3LDvMOf?="
            assert asked.headers["x-key"] == "k"
            meta = asked.params["_meta"]
            assert meta["traceparent"] == "00-1"
            assert meta[META_VERSION] == "2026-07-28"
            assert meta[META_CLIENT_CAPABILITIES] == {"roots": {}}
            assert meta[META_CLIENT_INFO] == {"name": "tester", "version": "1"}
            assert meta["io.modelcontextprotocol/logLevel"] == "info"
            assert "progressToken" not in meta
            assert one.state.phase == "ready"
            assert (one.state.name, one.state.version) == ("fake", "3")

    run(test())


def test_a_complete_result_passes_byte_exact() -> None:
    body = b'{"jsonrpc":"2.0","id":%d,"result":{ "resultType":"complete","n":1.50,"a":1,"a":2}}'

    async def script(asked: Asked, answer: Answer) -> None:
        answer.send(200, body % asked.id)

    async def test() -> None:
        async with ScriptedServer(modern(script)) as server, upstream(server.url) as one:
            reply = await one.send(call())
            assert isinstance(reply, Result)
            assert reply.raw.encode() == b'{ "resultType":"complete","n":1.50,"a":1,"a":2}'

    run(test())


def test_what_comes_on_the_stream_goes_to_the_caller() -> None:
    async def script(asked: Asked, answer: Answer) -> None:
        token = asked.params["_meta"]["progressToken"]
        answer.stream()
        answer.note("notifications/progress", progressToken=token, progress=1, total=2)
        answer.note("notifications/progress", progressToken="other", progress=1)
        answer.note("notifications/message", level="info", data="unasked")
        answer.note("notifications/vendor", x=1)
        answer.finish(DONE)

    async def test() -> None:
        async with ScriptedServer(modern(script)) as server, upstream(server.url) as one:
            heard = Heard()
            good(await one.send(call(wants_progress=True, emit=heard)))
            assert heard.methods() == ["notifications/progress", "notifications/vendor"]
            assert dict(heard[0].params) == {"progress": 1, "total": 2}

    run(test())


@pytest.mark.parametrize("kind", ["input_required", "task"])
def test_other_kinds_of_result(kind: str) -> None:
    async def script(asked: Asked, answer: Answer) -> None:
        answer.result({"resultType": kind, "requestState": "s", "taskId": "t"})

    async def test() -> None:
        async with ScriptedServer(modern(script)) as server, upstream(server.url) as one:
            reply = await one.send(call())
            assert isinstance(reply, Result)
            assert reply.kind == kind

    run(test())


def test_an_unknown_kind_is_invalid() -> None:
    async def script(asked: Asked, answer: Answer) -> None:
        answer.result({"resultType": "surprise"})

    async def test() -> None:
        async with ScriptedServer(modern(script)) as server, upstream(server.url) as one:
            assert bad(await one.send(call())).reason == "upstream-invalid"

    run(test())


def test_errors_are_verbatim_whatever_the_status() -> None:
    async def script(asked: Asked, answer: Answer) -> None:
        answer.error(-32602, "no such thing", 400, data={"uri": "x"})

    async def test() -> None:
        async with ScriptedServer(modern(script)) as server, upstream(server.url) as one:
            failure = bad(await one.send(call()))
            assert (failure.code, failure.message, failure.data) == (
                -32602,
                "no such thing",
                {"uri": "x"},
            )
            assert failure.origin == "upstream"

    run(test())


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "upstream-unauthorized"), (403, "upstream-unauthorized"), (302, "upstream-redirect"),
     (500, "upstream-http-error"), (503, "upstream-http-error"), (404, "upstream-http-error")],
)  # fmt: skip
def test_a_status_without_an_error_in_its_body(status: int, reason: str) -> None:
    async def script(asked: Asked, answer: Answer) -> None:
        answer.send(status, b"nope", "text/plain", retry_after="7", location="http://127.0.0.1:1/")

    async def test() -> None:
        async with ScriptedServer(modern(script)) as server, upstream(server.url) as one:
            failure = bad(await one.send(call()))
            assert failure.reason == reason
            if status == 503:
                assert failure.data["retry_after"] == 7

    run(test())


async def garbage(asked: Asked, answer: Answer) -> None:
    answer.send(200, b"{]")


async def page(asked: Asked, answer: Answer) -> None:
    answer.send(200, b"<html>", "text/html")


async def half(asked: Asked, answer: Answer) -> None:
    answer.stream()
    answer.note("notifications/message", level="info", data=1)
    answer.end()


async def cut(asked: Asked, answer: Answer) -> None:
    answer.raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{")
    await asyncio.sleep(0)
    answer.drop()


async def huge(asked: Asked, answer: Answer) -> None:
    answer.result({"x": "y" * 5000})


async def huge_event(asked: Asked, answer: Answer) -> None:
    answer.stream()
    answer.finish({"x": "y" * 5000})


async def array(asked: Asked, answer: Answer) -> None:
    answer.json([{"jsonrpc": "2.0", "id": asked.id, "result": {}}])


async def other_id(asked: Asked, answer: Answer) -> None:
    answer.json({"jsonrpc": "2.0", "id": 999, "result": {}})


async def no_object(asked: Asked, answer: Answer) -> None:
    answer.result([1])


@pytest.mark.parametrize(
    ("script", "reason"),
    [(garbage, "upstream-invalid"), (page, "upstream-invalid"), (half, "upstream-lost"),
     (cut, "upstream-lost"), (huge, "upstream-too-large"), (huge_event, "upstream-too-large"),
     (array, "upstream-invalid"), (other_id, "upstream-invalid"), (no_object, "upstream-invalid")],
)  # fmt: skip
def test_a_broken_answer_is_a_typed_failure(script: Any, reason: str) -> None:
    async def test() -> None:
        limits = {"message_bytes": 2048}
        async with (
            ScriptedServer(modern(script)) as server,
            upstream(server.url, limits=limits) as one,
        ):
            assert bad(await one.send(call())).reason == reason
            assert one.state.phase == "ready"

    run(test())


def test_cancelling_closes_the_stream() -> None:
    closed = asyncio.Event()
    begun = asyncio.Event()

    async def script(asked: Asked, answer: Answer) -> None:
        answer.stream()
        begun.set()
        await answer.gone()
        closed.set()

    async def test() -> None:
        async with ScriptedServer(modern(script)) as server, upstream(server.url) as one:
            task = asyncio.create_task(one.send(call()))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await closed.wait()

    run(test())


def test_a_deadline_ends_the_call() -> None:
    async def script(asked: Asked, answer: Answer) -> None:
        await answer.gone()

    async def test() -> None:
        async with (
            ScriptedServer(modern(script)) as server,
            upstream(server.url, call_timeout=0.05) as one,
        ):
            assert bad(await one.send(call())).reason == "upstream-timeout"

    run(test())


ANNOTATED = {
    "name": "echo",
    "inputSchema": {
        "type": "object",
        "properties": {"text": {"type": "string", "x-mcp-header": "Text"}},
    },
}


def test_annotated_arguments_are_repeated_in_headers() -> None:
    async def script(asked: Asked, answer: Answer) -> None:
        answer.result(DONE)

    async def test() -> None:
        async with (
            ScriptedServer(modern(script, [ANNOTATED])) as server,
            upstream(server.url) as one,
        ):
            good(await one.send(call()))
            good(await one.send(call()))
            assert server.methods() == ["server/discover", "tools/list", "tools/call", "tools/call"]
            assert server.asked[-1].headers["mcp-param-text"] == "hi"

    run(test())


def test_a_header_mismatch_refreshes_the_list_once() -> None:
    tools: list[dict[str, Any]] = [{"name": "echo", "inputSchema": {"type": "object"}}]

    async def script(asked: Asked, answer: Answer) -> None:
        if "mcp-param-text" in asked.headers:
            answer.result(DONE)
        else:
            tools[:] = [ANNOTATED]
            answer.error(-32020, "Header mismatch", 400)

    async def test() -> None:
        async with ScriptedServer(modern(script, tools)) as server, upstream(server.url) as one:
            good(await one.send(call()))
            assert server.methods().count("tools/call") == 2
            assert server.methods().count("tools/list") == 2

    run(test())


def test_tools_with_invalid_annotations_are_left_out() -> None:
    wrong = {
        "name": "bad",
        "inputSchema": {"properties": {"n": {"type": "number", "x-mcp-header": "N"}}},
    }

    async def test() -> None:
        async with (
            ScriptedServer(modern(None, [ANNOTATED, wrong])) as server,
            upstream(server.url) as one,
        ):
            listed = good(await one.send(call("tools/list")))
            assert [tool["name"] for tool in listed["tools"]] == ["echo"]
            assert json.dumps(listed["tools"][0]) == json.dumps(ANNOTATED)

    run(test())


def test_a_server_that_only_speaks_modern_is_asked_once_whether_it_is_so() -> None:
    async def script(asked: Asked, answer: Answer) -> None:
        if asked.method == "initialize":
            answer.error(-32601, "Method not found", 404)
        else:
            assert asked.headers["mcp-method"] == "tools/call"
            answer.result(DONE)

    async def test() -> None:
        async with ScriptedServer(modern(script)) as server, upstream(server.url) as one:
            for _ in range(2):
                good(await one.send(call(era="handshake", affinity="a")))
            assert server.methods().count("initialize") == 1
            assert one.state.eras == {"modern"}

    run(test())


def test_numbers_out_of_range_hurt_nobody() -> None:
    async def script(asked: Asked, answer: Answer) -> None:
        answer.stream()
        answer.raw(b'3b\r\ndata: {"jsonrpc":"2.0","method":"notifications/x","params":\r\n')
        answer.raw(b'f\r\n{"uri":1e999}}\n\n\r\n')
        answer.finish(DONE)

    async def test() -> None:
        tools = [ANNOTATED, {"name": "odd", "inputSchema": {"maximum": 1}}]
        async with ScriptedServer(modern(script, tools)) as server, upstream(server.url) as one:
            params = Raw(b'{"name":"echo","arguments":{"text":1e999}}')
            assert bad(await one.send(call().replace(params=params))).reason == "invalid-params"
            params = Raw(b'{"name":1e999}')
            assert bad(await one.send(call().replace(params=params))).reason == "invalid-params"
            assert await one.send(call())

    run(test())


@pytest.mark.parametrize("method", ["tools/call", "resources/read"])
def test_idle_connections_that_all_close_as_calls_arrive_are_a_loss(method: str) -> None:
    waiting: list[Answer] = []
    dropped: list[str] = []
    all_there, dropping = asyncio.Event(), asyncio.Event()

    async def script(asked: Asked, answer: Answer) -> None:
        if dropping.is_set():
            dropped.append(asked.method)
            answer.drop()
            return
        waiting.append(answer)
        if len(waiting) == 4:
            all_there.set()
        await all_there.wait()
        answer.result(DONE)

    async def test() -> None:
        async with ScriptedServer(modern(script)) as server, upstream(server.url) as one:
            await asyncio.gather(*(one.send(call()) for _ in range(4)))
            dropping.set()
            failure = bad(await one.send(call(method, {"name": "x", "uri": "x:y"})))
            assert (failure.reason, failure.data["sent"]) == ("upstream-lost", True)
            # What changes nothing was asked once more, on the next connection that was idle.
            assert dropped == [method] * (1 if method == "tools/call" else 2)

    run(test())
