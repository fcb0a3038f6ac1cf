from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lockgate.upstreams.plan import Plan, Step

LIMIT = 3
WAITING = 4
STREAMS = 2


class Pool(RuleBasedStateMachine):
    """Plays the pool: carries out what the plan says and keeps its own books beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.plan: Plan[str, str] = Plan(LIMIT, WAITING, STREAMS)
        self.count = 0
        self.using: dict[str, str] = {}  # connection -> request
        self.idle: dict[str, float] = {}
        self.opening: list[str] = []
        self.streams: set[str] = set()
        self.opening_streams = 0
        self.waiting: dict[str, float] = {}

    def name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"

    @rule(until=st.integers(1, 20))
    def request(self, until: int) -> None:
        request = self.name("request")
        connection = self.plan.take()
        if connection is not None:
            assert connection == list(self.idle)[-1], "not the one used last"
            del self.idle[connection]
            self.using[connection] = request
            return
        assert not self.idle, "there was an idle connection"
        step = self.plan.ask(request, until)
        if step is Step.OPEN:
            self.opening.append(request)
        elif step is Step.WAIT:
            assert len(self.using) + len(self.opening) == LIMIT
            self.waiting[request] = until
        else:
            assert len(self.waiting) == WAITING

    @precondition(lambda self: self.opening)
    @rule(data=st.data(), works=st.booleans())
    def finish_opening(self, data: st.DataObject, works: bool) -> None:
        request = data.draw(st.sampled_from(self.opening))
        self.opening.remove(request)
        if works:
            connection = self.name("connection")
            self.plan.opened(connection)
            self.using[connection] = request
        else:
            self.grant_open(self.plan.gave_up_opening())

    @rule()
    def request_stream(self) -> None:
        room = len(self.streams) + self.opening_streams < STREAMS
        assert self.plan.open_stream() == room
        self.opening_streams += room

    @precondition(lambda self: self.opening_streams)
    @rule(works=st.booleans())
    def finish_opening_stream(self, works: bool) -> None:
        self.opening_streams -= 1
        if works:
            connection = self.name("connection")
            self.plan.stream_opened(connection)
            self.streams.add(connection)
        else:
            self.plan.gave_up_stream()

    @precondition(lambda self: self.streams)
    @rule(data=st.data(), until=st.integers(1, 20))
    def end_stream(self, data: st.DataObject, until: int) -> None:
        connection = data.draw(st.sampled_from(sorted(self.streams)))
        room = len(self.using) + len(self.idle) + len(self.opening) < LIMIT
        assert self.plan.keeps(connection) == room
        if room:
            self.streams.discard(connection)
            assert self.plan.release(connection, until) is None
            self.idle[connection] = until

    @precondition(lambda self: self.streams)
    @rule(data=st.data())
    def lose_stream(self, data: st.DataObject) -> None:
        connection = data.draw(st.sampled_from(sorted(self.streams)))
        self.streams.discard(connection)
        assert self.plan.lose(connection) is None

    @precondition(lambda self: self.using)
    @rule(data=st.data(), until=st.integers(1, 20))
    def release(self, data: st.DataObject, until: int) -> None:
        connection = data.draw(st.sampled_from(list(self.using)))
        del self.using[connection]
        assert self.plan.keeps(connection)
        granted = self.plan.release(connection, until)
        if granted is None:
            assert not self.waiting
            self.idle[connection] = until
        else:
            self.leave_queue(granted)
            self.using[connection] = granted

    @precondition(lambda self: self.using or self.idle)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        connection = data.draw(st.sampled_from([*self.using, *self.idle]))
        self.using.pop(connection, None)
        self.idle.pop(connection, None)
        self.grant_open(self.plan.lose(connection))
        assert self.plan.lose(connection) is None
        assert self.plan.release(connection, 9) is None

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(list(self.waiting)))
        assert self.plan.withdraw(request)
        assert not self.plan.withdraw(request)
        del self.waiting[request]

    @rule(now=st.integers(1, 20))
    def expire(self, now: int) -> None:
        connections, requests = self.plan.expire(now)
        assert connections == [c for c, until in self.idle.items() if until <= now]
        assert requests == [r for r, until in self.waiting.items() if until <= now]
        for connection in connections:
            del self.idle[connection]
        for request in requests:
            del self.waiting[request]

    def grant_open(self, granted: str | None) -> None:
        if granted is None:
            assert not self.waiting
        else:
            self.leave_queue(granted)
            self.opening.append(granted)

    def leave_queue(self, granted: str) -> None:
        assert granted == next(iter(self.waiting)), "not first come, first served"
        del self.waiting[granted]

    @invariant()
    def books_agree(self) -> None:
        plan = self.plan
        assert plan.idle == len(self.idle)
        assert plan.used == len(self.using)
        assert plan.opening == len(self.opening)
        assert plan.waiting == len(self.waiting)
        assert plan.streams == len(self.streams) + self.opening_streams
        assert set(plan.busy()) == set(self.using) | self.streams
        calls = self.idle or self.using or self.opening or self.waiting
        assert plan.empty == (not (calls or self.streams or self.opening_streams))

    @invariant()
    def never_over_the_limit(self) -> None:
        assert len(self.idle) + len(self.using) + len(self.opening) <= LIMIT
        assert len(self.streams) + self.opening_streams <= STREAMS

    @invariant()
    def nobody_waits_beside_room(self) -> None:
        if self.waiting:
            assert not self.idle
            assert len(self.using) + len(self.opening) == LIMIT


TestPlan = Pool.TestCase
TestPlan.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
