"""Who listens to one stateless server, against a model of who wanted what when it was said."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from lockgate.core.message import Call, Failure, Notification, Reply, Result
from lockgate.core.raw import EMPTY, Raw
from lockgate.upstreams.filters import FLAG_OF, Filter, acknowledged
from lockgate.upstreams.listening import ACKNOWLEDGE, Listening
from lockgate.upstreams.supervisor import Backoff
from lockgate.wire.modern_out import ACKNOWLEDGED
from tests.stateful.timeless import Machine, bounded
from tests.upstreams.calls import call

TOOLS, PROMPTS = "notifications/tools/list_changed", "notifications/prompts/list_changed"
UPDATED = "notifications/resources/updated"
URIS = ("x:1", "x:2")
SUBJECTS = (TOOLS, PROMPTS, *URIS)
ENDED = Result(EMPTY)
BROKEN = Failure(-32603, "It broke.", "upstream", "upstream-lost")
WANTED = st.sets(st.sampled_from(SUBJECTS), max_size=4).map(sorted)
SAID = st.sampled_from(SUBJECTS)


def asked_for(subjects: list[str]) -> dict[str, Any]:
    wanted: dict[str, Any] = {FLAG_OF[one]: True for one in subjects if one in FLAG_OF}
    uris = [one for one in subjects if one in URIS]
    return wanted | ({"resourceSubscriptions": uris} if uris else {})


def subjects_of(filtered: Filter) -> set[str]:
    flags = {method for method, flag in FLAG_OF.items() if flag in filtered.flags}
    return {one for one in flags | filtered.uris() if one in SUBJECTS}


@dataclass(eq=False)
class Stream:
    """A listen request at the server."""

    call: Call
    acked: bool = False
    end: asyncio.Event = field(default_factory=asyncio.Event)
    how: Reply = ENDED

    @property
    def subjects(self) -> set[str]:
        return subjects_of(Filter.of(self.call.params))


@dataclass(eq=False)
class Client:
    wanted: list[str]
    heard: list[Notification]
    task: asyncio.Task[Reply]
    expected: Counter[str] = field(default_factory=Counter[str])

    @property
    def acked(self) -> bool:
        return bool(self.heard)

    def told(self) -> Counter[str]:
        return Counter(subject(one) for one in self.heard[1:])


def subject(notification: Notification) -> str:
    if notification.method == UPDATED:
        return notification.params["uri"]
    return notification.method


class Listeners(Machine):
    def __init__(self) -> None:
        super().__init__()
        self.streams: list[Stream] = []
        self.clients: list[Client] = []
        self.changed: list[str] = []
        self.down = False
        self.slow = False
        self.gaps = False
        self.most = 0
        backoff = Backoff(first=1.0, limit=8.0, jitter=lambda: 0.5)
        self.hub = Listening(self.send, self.changed.append, backoff)

    # The server.

    async def send(self, one: Call) -> Reply:
        if self.down:
            return BROKEN
        stream = Stream(one)
        self.streams.append(stream)
        self.most = max(self.most, len(self.streams))
        try:
            if not self.slow:
                self.acknowledge(stream)
            await stream.end.wait()
            return stream.how
        finally:
            self.streams.remove(stream)

    @staticmethod
    def acknowledge(stream: Stream) -> None:
        stream.acked = True
        stream.call.emit(acknowledged(Filter.of(stream.call.params)))

    @rule(what=SAID)
    def server_says(self, what: str) -> None:
        params = Raw.of({"uri": what}) if what in URIS else EMPTY
        method = UPDATED if what in URIS else what
        for client in self.clients:
            if client.acked and what in client.wanted and self.carried(what):
                client.expected[what] += 1
        for stream in [one for one in self.streams if one.acked and what in one.subjects]:
            self.inside(partial(stream.call.emit, Notification(method, params)))

    def carried(self, what: str) -> bool:
        return any(one.acked and what in one.subjects for one in self.streams)

    @rule(slow=st.booleans())
    def acknowledges_late(self, slow: bool) -> None:
        self.slow = slow
        if not slow:
            for stream in [one for one in self.streams if not one.acked]:
                self.inside(partial(self.acknowledge, stream))

    @precondition(lambda self: self.streams)
    @rule(lost=st.booleans())
    def stream_drops(self, lost: bool) -> None:
        for stream in tuple(self.streams):
            stream.how = BROKEN if lost else ENDED
            stream.end.set()
        self.gaps = True
        self.loop.settle()
        self.after_a_gap()

    @rule(down=st.booleans())
    def server_restarts(self, down: bool) -> None:
        self.down = down
        for stream in tuple(self.streams) if down else ():
            stream.how = BROKEN
            stream.end.set()
        self.gaps = True
        self.loop.settle()
        if not down:
            self.hub.retry()
        self.time_passes(20.0)
        self.after_a_gap()

    def after_a_gap(self) -> None:
        """What happened meanwhile is not known, so that everything is said once more."""
        for client in self.clients:
            for what, times in client.told().items():
                assert what in client.wanted
                client.expected[what] = max(client.expected[what], times)

    # The clients.

    @rule(wanted=WANTED)
    def listen(self, wanted: list[str]) -> None:
        if len(self.clients) >= 5:
            return
        heard: list[Notification] = []
        one = call("subscriptions/listen", {"notifications": asked_for(wanted)}, emit=heard.append)
        self.clients.append(Client(wanted, heard, self.begin(self.hub.listen(one))))
        self.loop.settle()

    @precondition(lambda self: self.clients)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        client = data.draw(st.sampled_from(self.clients))
        self.clients.remove(client)
        client.task.cancel()
        self.loop.settle()
        before = len(client.heard)
        self.server_says(TOOLS)
        assert len(client.heard) == before

    @rule(seconds=st.sampled_from([0.1, 1.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.loop.pass_time(seconds)
        self.after_a_gap()
        self.drop_refused()

    def drop_refused(self) -> None:
        for client in [one for one in self.clients if one.task.done()]:
            self.clients.remove(client)
            assert not client.acked
            reply = client.task.result()
            assert isinstance(reply, Failure)
            assert reply.reason in {"upstream-lost", "upstream-timeout"}

    # What must be so.

    @invariant()
    def all_hear_what_they_wanted_and_nothing_else(self) -> None:
        self.drop_refused()
        for client in self.clients:
            methods = [one.method for one in client.heard]
            assert methods.count(ACKNOWLEDGED) == (1 if methods else 0)
            assert client.heard[:1] == [
                one for one in client.heard if one.method == ACKNOWLEDGED
            ], "something came before the acknowledgement"
            assert set(client.told()) <= set(client.wanted)
            told = client.told()
            if not self.gaps:
                assert told == +client.expected
            else:
                assert all(told[what] >= times for what, times in client.expected.items())

    @invariant()
    def the_server_is_asked_for_the_union(self) -> None:
        union = {what for client in self.clients for what in client.wanted}
        settled = not self.slow and not self.down
        if settled and self.streams:
            assert self.streams[-1].subjects == union
        assert len(self.streams) <= 3

    def after_rest(self) -> None:
        """Left alone, everybody is served by one stream."""
        self.acknowledges_late(slow=False)
        self.down = False
        self.hub.retry()
        self.time_passes(2 * ACKNOWLEDGE)
        union = {what for client in self.clients for what in client.wanted}
        assert all(one.acked for one in self.clients)
        assert len(self.streams) == (1 if union else 0), (union, self.streams, self.clients)
        self.the_server_is_asked_for_the_union()

    def teardown(self) -> None:
        try:
            self.after_rest()
        finally:
            super().teardown()

    async def end(self) -> None:
        self.hub.stop()
        replies = await asyncio.gather(*(one.task for one in self.clients))
        assert all(isinstance(one, Result) for one in replies)
        await asyncio.sleep(1)
        assert self.streams == []


TestListeners = Listeners.TestCase
TestListeners.settings = bounded(150, 40)
