"""Batches of revision 2025-03-26 over HTTP, and their refusal everywhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import pytest

from lockgate.core.message import Call, Notification, Reply
from lockgate.core.raw import Raw
from lockgate.fronts.http import HttpRequest
from tests.fronts.play import META, FakeEngine, Play, http, message, playing, result

VERSION = "2025-03-26"
NOTICE = message("notifications/roots/list_changed", number=None)


def batch(play: Play, *messages: Any, headers: Mapping[bytes, bytes] | None = None) -> HttpRequest:
    return http(msgspec.json.encode(messages), {**play.session, **(headers or {})})


def within(
    body: Callable[[Play], Awaitable[None]],
    version: str = VERSION,
    *,
    act: Callable[[Call], Awaitable[Reply]] | None = None,
) -> None:
    async def run() -> None:
        engine = FakeEngine()
        if act is not None:
            engine.on("tools/call", act)
        async with playing(engine) as play:
            await play.open(version=version)
            await body(play)

    asyncio.run(run())


def test_requests_run_at_once_and_their_answers_come_in_one_array() -> None:
    together = asyncio.Barrier(2)

    async def act(call: Call) -> Reply:
        await together.wait()
        return result({"name": call.params["name"]})

    async def body(play: Play) -> None:
        answer = await play.ask(
            batch(
                play,
                message("tools/call", {"name": "a"}, 1),
                NOTICE,
                message("tools/call", {"name": "b"}, "x"),
                message("ping", number=3),
            )
        )
        assert answer.headers[b"content-type"] == b"application/json"
        found = {one["id"]: one["result"] for one in answer.json()}
        assert found == {1: {"name": "a"}, "x": {"name": "b"}, 3: {}}
        await play.engine.called(4)

    within(body, act=act)


def test_one_that_streams_makes_all_of_them_a_stream() -> None:
    async def act(call: Call) -> Reply:
        call.emit(Notification("notifications/progress", Raw.of({"progress": 1})))
        return result({"done": True})

    async def body(play: Play) -> None:
        asked = {"name": "a", "_meta": {"progressToken": 5}}
        answer = await play.ask(
            batch(play, message("ping", number=1), message("tools/call", asked, 2))
        )
        assert answer.done
        assert answer.headers[b"content-type"] == b"text/event-stream"
        assert sorted(e.get("id", 0) for e in answer.events) == [0, 1, 2]

    within(body, act=act)


def test_without_a_request_there_is_no_answer() -> None:
    async def body(play: Play) -> None:
        answer = await play.ask(batch(play, NOTICE, NOTICE))
        assert (answer.status, answer.body) == (202, b"")
        answer = await play.ask(batch(play, {"jsonrpc": "2.0", "id": 5, "result": {}}))
        assert (answer.status, answer.body) == (202, b"")

    within(body)


@pytest.mark.parametrize(
    ("item", "number", "code"),
    [
        (1, None, -32600),
        ([], None, -32600),
        ({"jsonrpc": "1.0", "id": 4, "method": "ping"}, 4, -32600),
        (message("initialize", {}, 5), 5, -32600),
        (message("tools/list", {"_meta": META}, 6), 6, -32600),
        (message("server/discover", {}, 7), 7, -32601),
    ],
)
def test_each_item_is_judged_by_itself(item: Any, number: int | None, code: int) -> None:
    async def body(play: Play) -> None:
        answer = await play.ask(batch(play, item, message("ping", number=1)))
        found = {one["id"]: one for one in answer.json()}
        assert found[1]["result"] == {}
        assert found[number]["error"]["code"] == code

    within(body)


def test_equal_ids_are_not_both_answered() -> None:
    async def body(play: Play) -> None:
        twice = message("tools/call", {"name": "a"}, 1)
        answer = await play.ask(batch(play, twice, twice))
        assert sorted("error" in one for one in answer.json()) == [False, True]

    async def act(_: Call) -> Reply:
        await asyncio.sleep(0)
        return result({})

    within(body, act=act)


def test_one_request_can_be_called_off() -> None:
    async def act(call: Call) -> Reply:
        if call.params["name"] == "a":
            await asyncio.Event().wait()
        return result({"name": "b"})

    async def body(play: Play) -> None:
        names = (message("tools/call", {"name": name}, name) for name in "ab")
        answer = play.begin(batch(play, *names))
        await play.engine.called(3)
        off = message("notifications/cancelled", {"requestId": "a"}, None)
        assert (await play.ask(http(off, play.session))).status == 202
        await answer.until(lambda it: it.done)
        assert [one["id"] for one in answer.json()] == ["b"]

    within(body, act=act)


@pytest.mark.parametrize("count", [0, 51])
def test_the_number_of_messages_is_bounded(count: int) -> None:
    async def body(play: Play) -> None:
        answer = await play.ask(batch(play, *[message("ping", number=n) for n in range(count)]))
        assert (answer.status, answer.code) == (400, -32600)
        full = await play.ask(batch(play, *[message("ping", number=n) for n in range(50)]))
        assert len(full.json()) == 50

    within(body)


@pytest.mark.parametrize("version", ["2024-11-05", "2025-06-18", "2025-11-25", "none", "modern"])
def test_no_other_revision_has_batches(version: str) -> None:
    async def body(play: Play) -> None:
        if version == "none":
            play.session = {}
        modern = {b"mcp-protocol-version": b"2026-07-28"} if version == "modern" else None
        answer = await play.ask(batch(play, message("ping"), headers=modern))
        assert (answer.status, answer.code) == (400, -32600)

    within(body, VERSION if version in {"none", "modern"} else version)


def test_what_is_no_json_or_too_deep_is_refused() -> None:
    async def body(play: Play) -> None:
        broken = await play.ask(http(b'[{"jsonrpc":', play.session))
        assert (broken.status, broken.code) == (400, -32700)
        deep = b"[" * 70 + b"]" * 70
        answer = await play.ask(http(b"[" + deep + b"]", play.session))
        assert answer.status == 400

    within(body)


def test_a_batch_that_is_cut_off_is_answered_as_a_whole() -> None:
    async def act(call: Call) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    async def run() -> None:
        async with playing(FakeEngine().on("tools/call", act)) as play:
            await play.open(version="2025-03-26")
            asked = {"name": "x", "arguments": {}}
            twice = (message("tools/call", asked, 1), message("tools/call", asked, 2))
            answer = play.begin(batch(play, message("ping", number=3), *twice))
            await play.engine.called(2)
            play.tasks[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await play.tasks[0]
            said = {one["id"]: one for one in answer.json()}
            assert said[3]["result"] == {}
            for number in (1, 2):
                assert said[number]["error"]["data"]["code"] == "LG-505"

    asyncio.run(run())
