"""Streams that break and go on: event ids, priming, `Last-Event-ID`, bounds on what is kept.

Source: specification 2025-11-25, basic/transports, "Resumability and Redelivery".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.message import Call, Notification, Reply
from lockgate.core.raw import Raw
from lockgate.fronts.replay import OF_REQUEST, OF_SESSION, Replay, read_cursor
from lockgate.fronts.settings import ExchangeSettings
from lockgate.testing import ManualClock
from lockgate.wire import sse
from tests.fronts.play import FakeEngine, FakeResponder, Play, http, message, playing, result
from tests.support.waiting import settle

STREAM_FIRST = {b"accept": b"text/event-stream, application/json"}
CALL = {"name": "x", "_meta": {"progressToken": "t"}}


class Tool:
    """A tool whose progress and end a test decides."""

    def __init__(self) -> None:
        self.call: Call | None = None
        self.finish = asyncio.Event()
        self.answer: Reply = result({"done": True})

    async def __call__(self, call: Call) -> Reply:
        self.call = call
        await self.finish.wait()
        return self.answer

    def progress(self, number: int) -> None:
        assert self.call is not None
        self.call.emit(Notification("notifications/progress", Raw.of({"progress": number})))


def bounded(body: Callable[[Play, Tool], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        tool = Tool()
        async with playing(FakeEngine().on("tools/call", tool), **settings) as play:
            await body(play, tool)

    asyncio.run(run())


async def broken(play: Play, tool: Tool, version: str = "2025-11-25") -> FakeResponder:
    """A call whose client went away after one event."""
    await play.open(version=version)
    stream = play.begin(play.post("tools/call", CALL, 7))
    await play.engine.called(2)
    tool.progress(1)
    stream.leave()
    return stream


def progress(stream: FakeResponder) -> list[int]:
    return [e["params"]["progress"] for e in stream.events if e.get("method")]


@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18", "2025-11-25"])
def test_a_stream_begins_with_an_empty_event_for_clients_that_know_it(version: str) -> None:
    async def body(play: Play, tool: Tool) -> None:
        await play.open(version=version)
        stream = play.begin(http(message("tools/call", CALL), {**play.session, **STREAM_FIRST}))
        await play.engine.called(2)
        tool.progress(1)
        tool.finish.set()
        await stream.until(lambda it: it.done)
        parsed = sse.Parser(1 << 20).feed(stream.body)
        primed = version == "2025-11-25"
        assert [bool(event.data) for event in parsed] == [False] * primed + [True, True]
        assert [event.retry for event in parsed][:1] == ([1000] if primed else [None])
        assert len(set(stream.ids)) == len(parsed)

    bounded(body)


def test_a_plain_answer_keeps_nothing() -> None:
    async def body(play: Play, tool: Tool) -> None:
        tool.finish.set()
        await play.open()
        assert (await play.ask(play.post("tools/call", CALL))).json()["result"] == {"done": True}
        assert len(play.exchange.replay) == 0

    bounded(body)


def test_what_followed_is_said_again_and_the_call_goes_on() -> None:
    async def body(play: Play, tool: Tool) -> None:
        first = await broken(play, tool)
        tool.progress(2)
        again = await play.ask(play.get(first.ids[-1]))
        assert again.status == 200
        assert progress(again) == [2]
        tool.progress(3)
        assert progress(again) == [2, 3]
        tool.finish.set()
        await again.until(lambda it: it.done)
        assert again.events[-1] == {"jsonrpc": "2.0", "id": 7, "result": {"done": True}}
        assert progress(first) == [1]
        assert len({*first.ids, *again.ids}) == 5
        assert not play.engine.cancelled

    bounded(body)


def test_an_answer_that_came_meanwhile_is_there() -> None:
    async def body(play: Play, tool: Tool) -> None:
        first = await broken(play, tool)
        tool.progress(2)
        tool.finish.set()
        await asyncio.gather(*play.tasks)
        for _ in range(2):
            again = await play.ask(play.get(first.ids[0]))
            assert again.done
            assert progress(again) == [1, 2]
            assert again.events[-1]["result"] == {"done": True}
            rest = await play.ask(play.get(again.ids[-1]))
            assert rest.done
            assert rest.events == []

    bounded(body)


def test_a_client_back_before_its_break_was_seen_moves_over() -> None:
    async def body(play: Play, tool: Tool) -> None:
        await play.open()
        first = play.begin(play.post("tools/call", CALL, 7))
        await play.engine.called(2)
        tool.progress(1)
        again = await play.ask(play.get(first.ids[-1]))
        assert first.done
        tool.progress(2)
        again.leave()
        first.leave()
        tool.progress(3)
        third = await play.ask(play.get(again.ids[-1]))
        assert (progress(again), progress(third)) == ([2], [3])
        again.leave()
        tool.progress(4)
        assert progress(third) == [3, 4]

    bounded(body)


def test_no_other_stream_and_no_other_session_is_heard() -> None:
    async def body(play: Play, tool: Tool) -> None:
        first = await broken(play, tool)
        mine = play.session
        await play.open()
        foreign = await play.ask(play.get(first.ids[-1]))
        tool.progress(2)
        assert [e["error"]["data"]["reason"] for e in foreign.events] == ["events-lost"]
        play.session = mine
        listening = await play.ask(play.get())
        assert progress(listening) == []
        assert progress(await play.ask(play.get(first.ids[-1]))) == [2]

    bounded(body)


@pytest.mark.parametrize("settings", [{"replay_stream_bytes": 300}, {"replay_bytes": 300}])
def test_an_answer_too_large_to_keep_ends_in_an_error_and_not_in_silence(
    settings: dict[str, int],
) -> None:
    async def body(play: Play, tool: Tool) -> None:
        tool.answer = result({"text": "x" * 500})
        first = await broken(play, tool)
        tool.finish.set()
        await asyncio.gather(*play.tasks)
        [said] = (await play.ask(play.get(first.ids[-1]))).events
        assert said["id"] == 7
        assert said["error"]["data"]["reason"] == "events-lost"
        assert play.exchange.replay.size == 0

    bounded(body, **settings)


def test_the_oldest_events_go_first() -> None:
    async def body(play: Play, tool: Tool) -> None:
        first = await broken(play, tool)
        for number in range(2, 9):
            tool.progress(number)
        again = await play.ask(play.get(first.ids[-1]))
        assert progress(again) == [6, 7, 8]

    bounded(body, replay_events=3)


def test_what_nobody_fetches_expires() -> None:
    async def body(play: Play, tool: Tool) -> None:
        first = await broken(play, tool)
        tool.finish.set()
        await asyncio.gather(*play.tasks)
        play.clock.advance(301)
        play.exchange.pulse.beat()
        assert (len(play.exchange.replay), play.exchange.replay.size) == (0, 0)
        [said] = (await play.ask(play.get(first.ids[-1]))).events
        assert (said["id"], said["error"]["code"]) == (7, -32603)

    bounded(body)


@pytest.mark.parametrize("last", [b"", b"x", b"p-1x", b"\xff-1", b"p1.!-1", b"p1-" + b"1" * 300])
def test_ids_from_elsewhere_are_refused(last: bytes) -> None:
    async def body(play: Play, tool: Tool) -> None:
        await play.open()
        assert (await play.ask(play.get(last))).status == (200 if last == b"" else 400)
        assert (await play.ask(play.get(b"p1-1"))).status == 410

    bounded(body)


def test_a_get_stream_goes_on_where_it_broke() -> None:
    async def body(play: Play, tool: Tool) -> None:
        await play.open()
        first = await play.ask(play.get())
        await settle()
        listening = next(c for c in play.engine.calls if c.method == "subscriptions/listen")

        def say(uri: str) -> None:
            updated = Notification("notifications/resources/updated", Raw.of({"uri": uri}))
            listening.emit(updated)

        acknowledged = Raw.of({"notifications": {}})
        listening.emit(Notification("notifications/subscriptions/acknowledged", acknowledged))
        say("a:1")
        say("a:2")
        first.leave()
        say("a:3")
        again = await play.ask(play.get(first.ids[1]))
        assert [e["params"]["uri"] for e in again.events] == ["a:2", "a:3"]
        say("a:4")
        assert [e["params"]["uri"] for e in again.events] == ["a:2", "a:3", "a:4"]
        play.clock.advance(301)
        play.exchange.pulse.beat()
        say("a:5")
        assert len(again.events) == 4
        again.leave()
        play.clock.advance(301)
        play.exchange.pulse.beat()
        fresh = await play.ask(play.get(again.ids[-1]))
        assert (fresh.status, fresh.events) == (200, [])
        say("a:6")
        assert [e["params"]["uri"] for e in fresh.events] == ["a:6"]

    async def listens(_: Call) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    async def with_listens(play: Play, tool: Tool) -> None:
        play.engine.on("subscriptions/listen", listens)
        await body(play, tool)

    bounded(with_listens)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 400), st.booleans()), max_size=60),
    st.integers(1, 6),
)
def test_the_store_keeps_its_bounds(steps: list[tuple[int, int, bool]], most: int) -> None:
    clock = ManualClock()
    settings = ExchangeSettings(
        clock=clock,
        replay_events=most,
        replay_stream_bytes=600,
        replay_bytes=1500,
        replay_streams=most,
    )
    replay = Replay(settings)
    tracks = [replay.begin(OF_REQUEST, "s", number) for number in range(6)]
    for place, size, rest in steps:
        track = tracks[place]
        track.record(b"x" * size)
        if rest:
            replay.rest(track)
        kept = [one for one in tracks if len(one)]
        assert replay.size == sum(one.size for one in kept) <= 1500
        assert len(replay) <= most
        assert all(len(one) <= most and one.size <= 600 for one in tracks)
        assert all(one.number - one.forgotten == len(one) for one in tracks)
    for track in tracks:
        replay.rest(track)
    clock.advance(1000)
    assert not replay.sweep(clock.monotonic())
    assert replay.size == 0


@given(st.one_of(st.integers(), st.text(max_size=10), st.none()))
def test_a_cursor_names_its_request(request_id: int | str | None) -> None:
    replay = Replay(ExchangeSettings())
    track = replay.begin(OF_SESSION if request_id is None else OF_REQUEST, "s", request_id)
    [event] = sse.Parser(1000).feed(track.record(b"{}"))
    cursor = read_cursor((event.id or "").encode())
    assert cursor is not None
    assert (cursor.name, cursor.number) == (track.name, 1)
    assert cursor.request_id == request_id
    assert cursor.of_session == (request_id is None)
    assert replay.find("s", cursor) is track
    assert replay.find("t", cursor) is None
