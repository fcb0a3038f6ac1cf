"""What one client session subscribes to, against a model of what it should hear."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from lockgate.core.message import Emit, Failure, Notification, Reply, Result
from lockgate.core.raw import EMPTY, Raw
from lockgate.fronts.listening import ACKNOWLEDGED, Listening
from tests.stateful.timeless import Machine, bounded

TOOLS, UPDATED = "notifications/tools/list_changed", "notifications/resources/updated"
URIS = ("x:1", "x:2", "x:refused")
DOWN = Failure(-32603, "It is down.", "upstream", "upstream-lost")
ENDED = Result(EMPTY)
PATIENCE, LINGER = 5.0, 0.25


@dataclass(eq=False)
class Opened:
    """A listen call of the session, as the gateway sees it."""

    uris: list[str]
    emit: Emit
    acked: bool = False
    end: asyncio.Event = field(default_factory=asyncio.Event)
    how: Reply = ENDED

    def hears(self, what: str) -> bool:
        return self.acked and (what == TOOLS or what in self.uris)


class SessionListening(Machine):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Opened] = []
        self.heard: list[Notification] = []
        self.expected: Counter[str] = Counter()
        self.subscribed: set[str] = set()
        self.down = False
        self.slow = False
        self.listening = Listening(self.open, self.heard.append, PATIENCE, LINGER)

    async def open(self, params: Raw, emit: Emit) -> Reply:
        if self.down:
            return DOWN
        wanted = params.object("notifications")
        call = Opened(wanted.get("resourceSubscriptions", []), emit)
        self.calls.append(call)
        try:
            if not self.slow:
                self.acknowledge(call)
            await call.end.wait()
            return call.how
        finally:
            self.calls.remove(call)

    @staticmethod
    def acknowledge(call: Opened) -> None:
        call.acked = True
        honoured = [uri for uri in call.uris if uri != "x:refused"]
        notifications = {"toolsListChanged": True, "resourceSubscriptions": honoured}
        call.emit(Notification(ACKNOWLEDGED, Raw.of({"notifications": notifications})))

    # The client.

    @rule(uri=st.sampled_from(URIS))
    def subscribe(self, uri: str) -> None:
        reply = self.now(self.listening.subscribe(uri))
        if reply is None:
            assert uri != "x:refused"
            self.subscribed.add(uri)
        else:
            assert reply.reason in {"subscription-refused", "listen-slow", "upstream-lost"}
        self.loop.settle()

    @rule(uri=st.sampled_from(URIS))
    def unsubscribe(self, uri: str) -> None:
        self.subscribed.discard(uri)
        self.now(self.listening.unsubscribe(uri))
        self.loop.settle()

    @rule()
    def ensure(self) -> None:
        reply = self.now(self.listening.ensure())
        assert (reply is None) == self.listening.active
        self.loop.settle()

    @rule()
    def subscribe_and_leave(self) -> None:
        task = self.begin(self.listening.subscribe("x:2"))
        if task.cancel():
            self.loop.settle()
            assert task.cancelled()
        elif task.result() is None:
            self.subscribed.add("x:2")

    # The gateway.

    @rule(what=st.sampled_from([TOOLS, "x:1", "x:2"]), to=st.sampled_from(["all", "oldest"]))
    def something_changes(self, what: str, to: str) -> None:
        hearing = [one for one in self.calls if one.hears(what)]
        self.expected[what] += bool(hearing)
        said = Notification(TOOLS) if what == TOOLS else updated(what)
        for call in hearing if to == "all" else hearing[:1]:
            self.inside(partial(call.emit, said))

    @precondition(lambda self: any(one.acked for one in self.calls))
    @rule(uri=st.sampled_from(["x:1", "x:2"]), what=st.sampled_from([TOOLS, "x:1", "x:2"]))
    def something_changes_while_another_call_is_opened(self, uri: str, what: str) -> None:
        """The new one is told of it as well, and says so once it is acknowledged."""
        if self.down or uri in self.listening.uris:
            return
        was, self.slow = self.slow, True
        task = self.begin(self.listening.subscribe(uri))
        self.loop.settle()
        opening = [one for one in self.calls if not one.acked]
        self.something_changes(what, "all")
        for call in opening:
            self.inside(partial(self.acknowledge, call))
            heard = what == TOOLS or what in call.uris
            if heard and any(one is not call and one.hears(what) for one in self.calls):
                said = Notification(TOOLS) if what == TOOLS else updated(what)
                self.inside(partial(call.emit, said))
        self.loop.settle()
        if task.done() and not task.cancelled() and task.result() is None:
            self.subscribed.add(uri)
        self.slow = was

    @precondition(lambda self: self.calls)
    @rule(how=st.sampled_from([DOWN, ENDED]))
    def ends(self, how: Reply) -> None:
        for call in tuple(self.calls):
            call.how = how
            call.end.set()
        self.loop.settle()
        assert not self.listening.active

    @rule(down=st.booleans(), slow=st.booleans())
    def gateway(self, down: bool, slow: bool) -> None:
        self.down, self.slow = down, slow
        for call in [one for one in self.calls if not one.acked and not slow]:
            self.inside(partial(self.acknowledge, call))

    @rule(seconds=st.sampled_from([0.1, 1.0]))
    def time_passes(self, seconds: float) -> None:
        self.loop.pass_time(seconds)
        if seconds > LINGER:
            assert len(self.calls) <= 1, "more than one is kept"

    # What must be so.

    @invariant()
    def all_that_is_said_is_heard_once(self) -> None:
        told = Counter(
            one.params["uri"] if one.method == UPDATED else one.method for one in self.heard
        )
        assert told == +self.expected

    @invariant()
    def what_is_subscribed_is_known(self) -> None:
        assert set(self.listening.uris) == self.subscribed
        assert self.listening.active <= any(call.acked for call in self.calls)

    async def end(self) -> None:
        self.listening.close()
        await asyncio.sleep(2 * LINGER)
        assert self.calls == []


def updated(uri: str) -> Notification:
    return Notification(UPDATED, Raw.of({"uri": uri}))


TestSessionListening = SessionListening.TestCase
TestSessionListening.settings = bounded(120, 40)
