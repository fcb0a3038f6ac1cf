"""GET streams of the handshake era: what a session hears outside of its requests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lockgate.core.message import Call, Failure, Notification, Reply, Result
from lockgate.core.raw import Raw
from lockgate.fronts import session_streams
from tests.fronts.play import FakeEngine, FakeResponder, http, message, playing, result
from tests.support.waiting import settle

ACK = "notifications/subscriptions/acknowledged"
UPDATED = "notifications/resources/updated"


class Listens:
    """The server side of listen calls: acknowledges, remembers, lets a test speak."""

    def __init__(self, refuse: tuple[str, ...] = ()) -> None:
        self.open: list[Call] = []
        self.refuse = refuse
        self.closed = asyncio.Event()

    async def __call__(self, call: Call) -> Reply:
        asked = call.params["notifications"]
        uris = [uri for uri in asked.get("resourceSubscriptions", []) if uri not in self.refuse]
        call.emit(Notification(ACK, Raw.of({"notifications": {"resourceSubscriptions": uris}})))
        self.open.append(call)
        if len(self.open) > 1:
            self.closed.clear()
        try:
            await asyncio.Event().wait()
        finally:
            self.open.remove(call)
            if len(self.open) <= 1:
                self.closed.set()
        raise AssertionError

    def say(self, method: str, **params: Any) -> None:
        for call in tuple(self.open):
            call.emit(Notification(method, Raw.of(params)))


def test_a_get_stream_opens_at_once_and_carries_what_is_heard() -> None:
    async def run() -> None:
        listens = Listens()
        async with playing(FakeEngine().on("subscriptions/listen", listens)) as play:
            await play.open()
            stream = await play.ask(play.get())
            assert stream.status == 200
            assert stream.headers[b"content-type"] == b"text/event-stream"
            assert b": keep-alive" in stream.body
            await play.engine.called(2)
            call = play.engine.last
            assert call.affinity == play.engine.calls[0].affinity
            assert call.params["notifications"]["toolsListChanged"] is True
            await settle()
            listens.say("notifications/tools/list_changed")
            assert (await stream.event(1))["method"] == "notifications/tools/list_changed"
            play.clock.advance(20)
            play.exchange.pulse.beat()
            assert stream.body.count(b": keep-alive") == 2
            await play.exchange.drain()
            assert stream.done
            await settle()
            assert not listens.open

    asyncio.run(run())


def test_messages_wait_bounded_while_no_stream_is_open() -> None:
    async def run() -> None:
        listens = Listens()
        engine = FakeEngine().on("subscriptions/listen", listens)
        async with playing(engine, backlog=2) as play:
            await play.open()
            first = await play.ask(play.get())
            await settle()
            first.leave()
            for number in range(4):
                listens.say(UPDATED, uri=f"a:{number}")
            second = await play.ask(play.get())
            assert [e["params"]["uri"] for e in second.events] == ["a:2", "a:3"]
            assert first.events == []
            assert len(listens.open) == 1

    asyncio.run(run())


def test_each_message_goes_on_one_stream_and_streams_are_bounded() -> None:
    async def run() -> None:
        listens = Listens()
        engine = FakeEngine().on("subscriptions/listen", listens)
        async with playing(engine, get_streams=2) as play:
            await play.open()
            one, two = await play.ask(play.get()), await play.ask(play.get())
            assert (await play.ask(play.get())).status == 409
            await settle()
            listens.say(UPDATED, uri="a:1")
            assert (len(one.events), len(two.events)) == (0, 1)
            two.leave()
            listens.say(UPDATED, uri="a:2")
            assert (len(one.events), len(two.events)) == (1, 1)

    asyncio.run(run())


def test_subscribing_reopens_the_listen_call_and_loses_nothing() -> None:
    async def run() -> None:
        listens = Listens()
        async with playing(FakeEngine().on("subscriptions/listen", listens)) as play:
            await play.open()
            stream = await play.ask(play.get())
            for number, uri in enumerate(("a:1", "a:2")):
                answer = await play.ask(play.post("resources/subscribe", {"uri": uri}))
                assert answer.json()["result"] == {}
                # Old and new call are both open here: what both report arrives once.
                listens.say(UPDATED, uri=uri)
                assert len(stream.events) == number + 1
            await listens.closed.wait()
            assert listens.open[0].params["notifications"]["resourceSubscriptions"] == [
                "a:1",
                "a:2",
            ]
            listens.say(UPDATED, uri="a:1")
            listens.say(UPDATED, uri="a:1")
            assert len(stream.events) == 4
            calls = len(play.engine.calls)
            await play.ask(play.post("resources/subscribe", {"uri": "a:1"}))
            await play.ask(play.post("resources/unsubscribe", {"uri": "never"}))
            assert len(play.engine.calls) == calls
            await play.ask(play.post("resources/unsubscribe", {"uri": "a:1"}))
            await listens.closed.wait()
            assert listens.open[0].params["notifications"]["resourceSubscriptions"] == ["a:2"]

    asyncio.run(run())


def test_an_event_only_the_old_call_reports_still_arrives() -> None:
    async def run() -> None:
        listens = Listens()
        async with playing(FakeEngine().on("subscriptions/listen", listens)) as play:
            await play.open()
            stream = await play.ask(play.get())
            await settle()
            await play.ask(play.post("resources/subscribe", {"uri": "a:1"}))
            old, new = listens.open
            old.emit(Notification(UPDATED, Raw.of({"uri": "late"})))
            new.emit(Notification(UPDATED, Raw.of({"uri": "late"})))
            new.emit(Notification(UPDATED, Raw.of({"uri": "late"})))
            assert len(stream.events) == 2

    asyncio.run(run())


def test_a_subscription_nobody_takes_is_an_error() -> None:
    async def run() -> None:
        listens = Listens(refuse=("a:no",))
        engine = FakeEngine().on("subscriptions/listen", listens)
        async with playing(engine) as play:
            await play.open()
            answer = await play.ask(play.post("resources/subscribe", {"uri": "a:no"}))
            assert answer.code == -32602
            assert (await play.ask(play.post("resources/subscribe", {}))).code == -32602
            play.engine.on("subscriptions/listen", Failure(-32601, "m", "upstream"))
            answer = await play.ask(play.post("resources/subscribe", {"uri": "a:x"}))
            assert answer.code == -32601

    asyncio.run(run())


def test_a_listen_call_that_ends_is_opened_again_with_the_next_stream() -> None:
    async def run() -> None:
        async def ends(call: Call) -> Reply:
            call.emit(Notification(ACK))
            return result({})

        async with playing(FakeEngine().on("subscriptions/listen", ends)) as play:
            await play.open()
            await play.ask(play.get())
            await settle()
            listens = Listens()
            play.engine.on("subscriptions/listen", listens)
            await play.ask(play.get())
            await settle()
            assert len(listens.open) == 1

    asyncio.run(run())


@pytest.mark.parametrize("way", ["get", "post", "none"])
def test_servers_can_ask_outside_of_any_call(way: str) -> None:
    async def run() -> None:
        listens = Listens()
        engine = FakeEngine().on("subscriptions/listen", listens)

        async def slow(call: Call) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

        engine.on("tools/call", slow)
        async with playing(engine) as play:
            await play.open({"roots": {}})
            stream = await play.ask(play.get())
            await settle()
            carrier: FakeResponder = stream
            if way != "get":
                stream.leave()
            if way == "post":
                carrier = play.begin(play.post("tools/call", {"name": "x"}, number=9))
                await play.engine.called(3)
            ask = listens.open[0].ask
            assert ask is not None
            waiting = asyncio.ensure_future(ask("roots/list", Raw.of({"x": 1})))
            if way == "none":
                reply = await waiting
                assert isinstance(reply, Failure)
                assert reply.reason == "client-unreachable"
                return
            asked = await carrier.event(1)
            assert (asked["method"], asked["params"]) == ("roots/list", {"x": 1})
            answered = {"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": []}}
            await play.ask(http(answered, play.session))
            reply = await waiting
            assert isinstance(reply, Result)
            assert reply.raw.encode() == b'{"roots":[]}'
            refused = await ask("sampling/createMessage", Raw())
            assert isinstance(refused, Failure)
            assert refused.code == -32601

    asyncio.run(run())


def test_log_messages_on_the_stream_obey_the_level() -> None:
    async def run() -> None:
        listens = Listens()
        async with playing(FakeEngine().on("subscriptions/listen", listens)) as play:
            await play.open()
            stream = await play.ask(play.get())
            await play.ask(play.post("logging/setLevel", {"level": "error"}))
            await settle()
            listens.say("notifications/message", level="info")
            listens.say("notifications/message", level="alert")
            assert [e["params"]["level"] for e in stream.events] == ["alert"]

    asyncio.run(run())


def test_other_methods_are_refused_with_what_is_allowed() -> None:
    async def run() -> None:
        async with playing() as play:
            answer = await play.ask(http(message("x"), method="PATCH"))
            assert answer.status == 405
            assert answer.headers[b"allow"] == b"GET, POST, DELETE"

    asyncio.run(run())


def test_a_stream_opens_once_its_servers_are_listened_to() -> None:
    async def run() -> None:
        acknowledge = asyncio.Event()

        async def listen(call: Call) -> Reply:
            await acknowledge.wait()
            call.emit(Notification(ACK, Raw.of({})))
            await asyncio.Event().wait()
            raise AssertionError

        async with playing(FakeEngine().on("subscriptions/listen", listen)) as play:
            await play.open()
            stream = play.begin(play.get())
            await play.engine.called(2)
            await settle()
            assert not stream.started
            acknowledge.set()
            await stream.until(lambda it: it.started)
            assert stream.status == 200

    asyncio.run(run())


def test_a_stream_opens_although_a_server_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_streams, "HEARD_WITHIN", 0.01)

    async def run() -> None:
        async def never(_: Call) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

        async with playing(FakeEngine().on("subscriptions/listen", never)) as play:
            await play.open()
            assert (await play.ask(play.get())).status == 200

    asyncio.run(run())
