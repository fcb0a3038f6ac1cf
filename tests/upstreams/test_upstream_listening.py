"""Listening to a server of the stateless era: one stream for all, exchanged without a gap."""

import asyncio
from typing import Any

import pytest

from lockgate.core.message import Call, Failure, Notification, Reply, Result
from lockgate.core.raw import Raw
from lockgate.upstreams.filters import Filter
from lockgate.upstreams.listening import Listening
from tests.upstreams.calls import QUICK, Heard, bad, call, eventually, good, run, upstream
from tests.upstreams.scripted import Answer, Asked, ScriptedServer
from tests.upstreams.test_upstream_modern import DISCOVERED, DONE

ACK = "notifications/subscriptions/acknowledged"
ID = "io.modelcontextprotocol/subscriptionId"


class Streams:
    """A modern server that keeps its listen streams for the test to write to."""

    def __init__(self, honour: Any = None) -> None:
        self.open: list[tuple[Asked, Answer]] = []
        self.closed = 0
        self.honour = honour or (lambda wanted: wanted)

    async def __call__(self, asked: Asked, answer: Answer) -> None:
        if asked.method == "server/discover":
            answer.result(DISCOVERED)
        elif asked.method == "subscriptions/listen":
            answer.stream()
            wanted = asked.params["notifications"]
            tag = {ID: asked.id}
            answer.note(ACK, notifications=self.honour(wanted), _meta=tag)
            self.open.append((asked, answer))
            await answer.gone()
            self.closed += 1
            raise ConnectionError
        else:
            answer.result(DONE)

    def tell(self, method: str, streams: slice = slice(None), **params: Any) -> None:
        for asked, answer in self.open[streams]:
            answer.note(method, **params, _meta={ID: asked.id, "kept": 1})

    async def until(self, number: int) -> None:
        await eventually(lambda: len(self.open) >= number)


def listen(one: Any, heard: Heard, **notifications: Any) -> asyncio.Task[Any]:
    params = {"notifications": notifications}
    return asyncio.create_task(one.send(call("subscriptions/listen", params, emit=heard)))


async def end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def only_tools(wanted: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in wanted.items() if key == "toolsListChanged"}


def test_the_acknowledgement_comes_first_with_what_is_honoured() -> None:
    async def test() -> None:
        streams = Streams(only_tools)
        async with ScriptedServer(streams) as server, upstream(server.url) as one:
            heard = Heard()
            task = listen(one, heard, toolsListChanged=True, resourceSubscriptions=["x://1"])
            await heard.until(len)
            assert heard[0].method == ACK
            assert dict(heard[0].params) == {"notifications": {"toolsListChanged": True}}
            streams.tell("notifications/tools/list_changed")
            streams.tell("notifications/prompts/list_changed")
            streams.tell("notifications/tools/list_changed")
            await heard.until(lambda all_: len(all_) == 3)
            assert set(heard.methods()[1:]) == {"notifications/tools/list_changed"}
            assert dict(heard[1].params) == {"_meta": {"kept": 1}}
            await end(task)
            await eventually(lambda: streams.closed)

    run(test())


def test_listeners_share_one_stream_and_each_hears_its_own() -> None:
    async def test() -> None:
        streams = Streams()
        async with ScriptedServer(streams) as server, upstream(server.url) as one:
            first, second, third = Heard(), Heard(), Heard()
            tasks = [listen(one, first, toolsListChanged=True)]
            await first.until(len)
            tasks.append(listen(one, second, resourceSubscriptions=["x://1"]))
            await second.until(len)
            tasks.append(listen(one, third, toolsListChanged=True))
            await third.until(len)
            assert len(streams.open) == 2
            wanted = streams.open[1][0].params["notifications"]
            assert wanted == {"toolsListChanged": True, "resourceSubscriptions": ["x://1"]}
            streams.tell("notifications/resources/updated", slice(1, 2), uri="x://1")
            streams.tell("notifications/tools/list_changed", slice(1, 2))
            for heard, method in (
                (first, "notifications/tools/list_changed"),
                (second, "notifications/resources/updated"),
                (third, "notifications/tools/list_changed"),
            ):
                await heard.until(lambda all_: len(all_) == 2)
                assert heard[1].method == method
            await end(*tasks)

    run(test())


def test_nothing_is_lost_or_doubled_while_streams_are_exchanged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test() -> None:
        streams = Streams()
        async with ScriptedServer(streams) as server, upstream(server.url) as one:
            first, second = Heard(), Heard()
            task = listen(one, first, resourceSubscriptions=["x://1"])
            await first.until(len)
            other = listen(one, second, resourceSubscriptions=["x://2"])
            await streams.until(2)
            await second.until(len)
            # Both streams carry these: each counts once, whichever brings it first.
            for _ in range(5):
                streams.tell("notifications/resources/updated", uri="x://1")
            await first.until(lambda all_: len(all_) == 6)
            await eventually(lambda: streams.closed)
            assert len(first) == 6
            streams.tell("notifications/resources/updated", slice(1, 2), uri="x://1")
            await first.until(lambda all_: len(all_) == 7)
            await end(task, other)

    run(test())


def test_a_broken_stream_is_opened_again_and_all_look_afresh() -> None:
    async def test() -> None:
        streams = Streams()
        async with ScriptedServer(streams) as server, upstream(server.url) as one:
            heard = Heard()
            task = listen(one, heard, toolsListChanged=True, resourceSubscriptions=["x://1"])
            await heard.until(len)
            streams.open[0][1].drop()
            await heard.until(lambda all_: len(all_) == 3)
            assert heard.methods() == [
                ACK, "notifications/tools/list_changed", "notifications/resources/updated"
            ]  # fmt: skip
            assert dict(heard[2].params) == {"uri": "x://1"}
            await end(task)

    run(test())


def test_a_server_that_cannot_listen_honours_nothing() -> None:
    async def handler(asked: Asked, answer: Answer) -> None:
        if asked.method == "server/discover":
            answer.result(DISCOVERED)
        else:
            answer.error(-32601, "Method not found", 404)

    async def test() -> None:
        async with ScriptedServer(handler) as server, upstream(server.url) as one:
            heard = Heard()
            task = listen(one, heard, toolsListChanged=True)
            await heard.until(len)
            assert dict(heard[0].params) == {"notifications": {}}
            assert not task.done()
            await end(task)
            assert server.methods().count("subscriptions/listen") == 1

    run(test())


def test_a_first_stream_that_fails_is_a_failure() -> None:
    async def handler(asked: Asked, answer: Answer) -> None:
        if asked.method == "server/discover":
            answer.result(DISCOVERED)
        else:
            answer.send(500)

    async def test() -> None:
        async with ScriptedServer(handler) as server, upstream(server.url) as one:
            heard = Heard()
            assert bad(await listen(one, heard, toolsListChanged=True)).reason == (
                "upstream-http-error"
            )
            assert not heard

    run(test())


def test_who_wants_nothing_is_not_refused_with_the_others() -> None:
    async def test() -> None:
        async def broken(_: Call) -> Reply:
            await asyncio.sleep(0)
            return Failure(-32603, "It is down.", "upstream", "upstream-lost")

        hub, heard, nothing = Listening(broken, lambda _: None, QUICK), Heard(), Heard()
        wanted = {"notifications": {"toolsListChanged": True}}
        asking = asyncio.create_task(hub.listen(call("subscriptions/listen", wanted, emit=heard)))
        idle = asyncio.create_task(hub.listen(call("subscriptions/listen", {}, emit=nothing)))
        assert bad(await asking).reason == "upstream-lost"
        assert heard == []
        await nothing.until(len)
        assert nothing.methods() == [ACK]
        assert not idle.done()
        hub.stop()
        assert isinstance(await idle, Result)

    run(test())


def test_a_stream_that_ends_as_soon_as_it_stands_is_opened_again() -> None:
    async def test() -> None:
        opened: list[Call] = []

        async def send(one: Call) -> Reply:
            opened.append(one)
            one.emit(Notification(ACK, one.params))
            if len(opened) > 1:
                await asyncio.Event().wait()
            return Result(Raw())

        hub = Listening(send, lambda _: None, QUICK)
        hub.watch()
        await eventually(lambda: len(opened) == 2)
        hub.stop()

    run(test())


def test_stopping_ends_listeners_gracefully_and_watchers_hear_of_lists() -> None:
    async def test() -> None:
        streams = Streams()
        async with ScriptedServer(streams) as server, upstream(server.url) as one:
            seen: list[str] = []
            one.watch(lambda changed: seen.append(changed.subject))
            good(await one.send(call()))
            await streams.until(1)
            heard = Heard()
            task = listen(one, heard, toolsListChanged=True)
            await heard.until(len)
            assert len(streams.open) == 1
            for _ in range(3):
                streams.tell("notifications/tools/list_changed")
            await heard.until(lambda all_: len(all_) == 4)
            await eventually(lambda: seen.count("tools") >= 2)
            assert seen == ["state", "state", "tools", "tools"]
            await one.stop(1.0)
            assert good(await task) == {}

    run(test())


def test_filters_are_sets() -> None:
    one = Filter.of(
        Raw.of({"notifications": {"toolsListChanged": True, "promptsListChanged": False,
                                  "resourceSubscriptions": ["b", "a", 7], "new": True}})
    )  # fmt: skip
    assert one.params() == {
        "notifications": {
            "new": True,
            "toolsListChanged": True,
            "resourceSubscriptions": ["a", "b"],
        }
    }
    assert one.covers(one & Filter())
    assert (one | Filter()) == one
    assert one.takes(Notification("notifications/unheard"))
    assert not one.takes(Notification("notifications/prompts/list_changed"))
    many = {"resourceSubscriptions": [str(number) for number in range(5000)]}
    assert len(Filter.of(Raw.of({"notifications": many})).values) == 1000
