"""Calls that wait for their client, against a model of who waits for what."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from lockgate.core.message import Call, ClientFacts, Failure, Principal, Reply, Result, Target
from lockgate.core.raw import Raw
from lockgate.upstreams.handshake import Handshake
from lockgate.upstreams.parking import Parking
from lockgate.upstreams.session_pool import SessionPool
from lockgate.upstreams.sessions import Session
from lockgate.wire.handshake_out import ABANDON
from tests.stateful.servers import SERVER, Wire
from tests.stateful.timeless import Machine, bounded
from tests.upstreams.calls import call

TOTAL, PER_SESSION, PER_PRINCIPAL, LIFETIME = 5, 3, 4, 300.0
GATHERED = 0.1
"""Longer than a session waits for further questions."""


@dataclass(eq=False)
class Ran:
    """One call of a client, as the model has it."""

    call: Call
    wire: Wire
    flight: int
    task: asyncio.Task[Reply]
    questions: dict[str, str] = field(default_factory=dict[str, str])  # key -> question
    state: str = ""
    expires: float = 0.0
    told: bool = False  # the server was told that nobody waits
    answered: bool = False

    @property
    def who(self) -> str:
        return self.call.principal.id


def outcome(task: asyncio.Task[Reply]) -> Reply:
    assert task.done(), "somebody still waits"
    return task.result()


def reason(reply: object) -> str:
    assert isinstance(reply, Failure), reply
    return reply.reason


class ParkedCalls(Machine):
    def __init__(self) -> None:
        super().__init__()
        self.wires: list[Wire] = []
        self.parking = Parking(
            self.clock,
            total=TOTAL,
            per_session=PER_SESSION,
            per_principal=PER_PRINCIPAL,
            lifetime=LIFETIME,
        )
        pool = SessionPool(SERVER, self.open, limit=100, idle=1e9, clock=self.clock)
        self.link = Handshake(
            SERVER, pool, self.parking, self.ready, by_affinity=True, clock=self.clock
        )
        self.running: list[Ran] = []
        self.parked: list[Ran] = []
        self.over: list[Ran] = []
        self.used: list[tuple[Call, str]] = []
        self.given: dict[str, str] = {}

    async def open(self, facts: ClientFacts) -> Session:
        self.wires.append(Wire(len(self.wires), facts, self.parking, one=False))
        return self.wires[-1].session

    async def ready(self) -> None:
        return

    # What clients and servers do.

    @rule(
        who=st.sampled_from("ab"), affinity=st.sampled_from([None, "1", "2"]), n=st.integers(1, 2)
    )
    def start(self, who: str, affinity: str | None, n: int) -> None:
        params = {"name": "t", "arguments": {"n": n}}
        target = Target(SERVER, "tool", "t")
        one = call(params=params, era="handshake", who=who, affinity=affinity, target=target)
        before = self.executed()
        task = self.begin(self.link.send(one))
        new = self.executed() - before
        assert len(new) == 1
        [(number, flight)] = new
        self.running.append(Ran(one, self.wires[number], flight, task))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), number=st.integers(1, 3))
    def server_asks(self, data: st.DataObject, number: int) -> None:
        ran = data.draw(st.sampled_from(self.running))
        asked = [ran.wire.ask(ran.flight) for _ in range(number)]
        self.running.remove(ran)
        room = self.room_for(ran)
        self.wait(GATHERED)
        self.expect_questions(ran, outcome(ran.task), asked, room)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def server_asks_in_vain(self, data: st.DataObject) -> None:
        ran = data.draw(st.sampled_from(self.running))
        ran.wire.withdraw(ran.wire.ask(ran.flight))
        self.wait(GATHERED)
        assert not ran.task.done()

    def room_for(self, ran: Ran) -> bool:
        return (
            len(self.parked) < TOTAL
            and sum(one.who == ran.who for one in self.parked) < PER_PRINCIPAL
            and sum(one.wire is ran.wire for one in self.parked) < PER_SESSION
        )

    def expect_questions(self, ran: Ran, reply: Reply, asked: list[str], room: bool) -> None:
        if not room:
            assert reason(reply) == "upstream-busy"
            refused = [one.id for one in ran.wire.answers if one.error is not None]
            assert set(asked) <= set(refused)
            self.finished(ran, told=True)
            return
        assert isinstance(reply, Result)
        assert reply.kind == "input_required"
        requests = reply.raw.object("inputRequests")
        said = {key: requests.object(key).object("params")["message"] for key in requests}
        assert sorted(said.values()) == sorted(asked)
        ran.questions, ran.state = said, reply.raw["requestState"]
        ran.expires = self.clock.monotonic() + LIFETIME
        self.parked.append(ran)

    @precondition(lambda self: self.running or self.parked)
    @rule(data=st.data())
    def server_answers(self, data: st.DataObject) -> None:
        waiting = [
            one for one in self.running + self.parked if not one.answered and not one.wire.forgotten
        ]
        if not waiting:
            return
        ran = data.draw(st.sampled_from(waiting))
        ran.wire.finish(ran.flight, f"{ran.wire.number}.{ran.flight}")
        ran.answered = True
        self.loop.settle()
        if ran in self.running:
            self.running.remove(ran)
            self.expect_answer(ran, outcome(ran.task))

    def expect_answer(self, ran: Ran, reply: Reply) -> None:
        assert isinstance(reply, Result)
        assert reply.raw["said"] == f"{ran.wire.number}.{ran.flight}"
        self.finished(ran, told=False)

    @precondition(lambda self: self.parked)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        ran = data.draw(st.sampled_from(self.parked))
        answered = data.draw(st.sets(st.sampled_from(sorted(ran.questions))))
        answers = {key: {"content": {"to": ran.questions[key], "by": ran.who}} for key in answered}
        self.parked.remove(ran)
        self.used.append((ran.call, ran.state))
        self.given |= {ran.questions[key]: ran.who for key in answered}
        ran.task = self.begin(self.link.send(again(ran.call, ran.state, answers)))
        if ran.answered:
            self.expect_answer(ran, outcome(ran.task))
            return
        if ran.wire.forgotten:
            assert reason(outcome(ran.task)) in {"upstream-lost", "upstream-session-lost"}
            self.finished(ran, told=False)
            return
        left = [name for key, name in ran.questions.items() if key not in answered]
        if left:
            self.wait(GATHERED)
            self.expect_questions(ran, outcome(ran.task), left, room=True)
        else:
            assert not ran.task.done()
            self.running.append(ran)

    @precondition(lambda self: self.parked or self.used)
    @rule(data=st.data(), how=st.sampled_from(["who", "affinity", "arguments", "name", "state"]))
    def retry_wrongly(self, data: st.DataObject, how: str) -> None:
        states = [(one.call, one.state) for one in self.parked] + self.used
        one, state = data.draw(st.sampled_from(states))
        if how == "who":
            one = one.replace(principal=Principal(id="mallory"))
        elif how == "affinity":
            one = one.replace(affinity="other")
        elif how == "arguments":
            one = one.replace(params=one.params.replace(arguments={"n": 3}))
        elif how == "name":
            one = one.replace(target=Target(SERVER, "tool", "u"))
        else:
            place = data.draw(st.integers(0, len(state) - 1))
            state = state[:place] + ("A" if state[place] != "A" else "B") + state[place + 1 :]
        answers = {"elicitation/create-1": {"content": {"to": "?", "by": "mallory"}}}
        assert reason(self.now(self.link.send(again(one, state, answers)))) == (
            "unknown-request-state"
        )

    @precondition(lambda self: self.used)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        one, state = data.draw(st.sampled_from(self.used))
        reply = self.now(self.link.send(again(one, state, {})))
        assert reason(reply) == "unknown-request-state"

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        ran = data.draw(st.sampled_from(self.running))
        self.running.remove(ran)
        ran.task.cancel()
        self.loop.settle()
        assert ran.task.cancelled()
        self.finished(ran, told=True)

    @precondition(lambda self: self.parked)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        ran = data.draw(st.sampled_from(self.parked))
        params = again(ran.call, ran.state, {}).params.replace(**{ABANDON: True})
        assert isinstance(self.now(self.link.send(ran.call.replace(params=params))), Result)
        self.gone(ran)

    @precondition(lambda self: self.wires)
    @rule(affinity=st.sampled_from(["1", "2"]))
    def end_session(self, affinity: str) -> None:
        self.link.end_session(affinity)
        self.loop.settle()
        for ran in [one for one in self.parked if one.call.affinity == affinity]:
            self.gone(ran)
        for ran in [one for one in self.running if one.call.affinity == affinity]:
            self.running.remove(ran)
            assert reason(outcome(ran.task)) == "upstream-session-lost"
            self.finished(ran, told=True)

    @precondition(lambda self: self.wires)
    @rule(data=st.data())
    def server_dies(self, data: st.DataObject) -> None:
        wire = data.draw(st.sampled_from(self.wires))
        if wire.forgotten or not wire.session.alive:
            return
        wire.die()
        self.loop.settle()
        for ran in [one for one in self.running if one.wire is wire]:
            self.running.remove(ran)
            assert reason(outcome(ran.task)) == "upstream-lost"
            self.finished(ran, told=False)

    @rule(seconds=st.sampled_from([1.0, 100.0, LIFETIME + 1]))
    def time_passes(self, seconds: float) -> None:
        self.wait(seconds)

    def wait(self, seconds: float) -> None:
        self.loop.pass_time(seconds)
        now = self.clock.monotonic()
        if any(abs(one.expires - now) < 0.05 for one in self.parked):
            self.loop.pass_time(0.1)
            now = self.clock.monotonic()
        for ran in [one for one in self.parked if one.expires <= now]:
            self.gone(ran)

    # What must be so.

    def gone(self, ran: Ran) -> None:
        """Nobody waits for a parked call any more: the server is told, if it still works on it."""
        self.parked.remove(ran)
        self.used.append((ran.call, ran.state))
        self.finished(ran, told=not ran.answered and not ran.wire.forgotten)

    def finished(self, ran: Ran, *, told: bool) -> None:
        ran.told = told
        self.over.append(ran)

    def executed(self) -> set[tuple[int, int]]:
        return {(wire.number, flight) for wire in self.wires for flight in wire.requests}

    @invariant()
    def nothing_is_run_twice(self) -> None:
        known = self.running + self.parked + self.over
        assert len(self.executed()) == len(known)
        assert {(one.wire.number, one.flight) for one in known} == self.executed()

    @invariant()
    def answers_reach_the_call_they_are_for(self) -> None:
        answers = [one for wire in self.wires for one in wire.answers if one.error is None]
        assert len({one.id for one in answers}) == len(answers)
        for one in answers:
            content = Raw(one.result).object("content")
            assert content["to"] == one.id
            assert content["by"] == self.given[str(one.id)]

    @invariant()
    def the_server_is_told_exactly_when_nobody_waits(self) -> None:
        told = [(wire.number, one) for wire in self.wires for one in wire.cancelled]
        assert sorted(told) == sorted((o.wire.number, o.flight) for o in self.over if o.told)

    @invariant()
    def counts_are_those_who_wait(self) -> None:
        assert len(self.parking) == len(self.parked)
        expires = min((one.expires for one in self.parked), default=None)
        due = self.parking.next_expiry()
        assert (due is None) == (expires is None)
        flights = sum(len(wire.session.flights) for wire in self.wires)
        dead = sum(one.wire.forgotten for one in self.parked)
        assert len(self.running) + len(self.parked) - dead <= flights
        assert flights <= len(self.running) + len(self.parked)

    async def end(self) -> None:
        self.link.close()
        replies = await asyncio.gather(*(one.task for one in self.running))
        assert {reason(one) for one in replies} <= {"upstream-session-lost"}
        assert all(wire.closed <= 1 for wire in self.wires)


def again(one: Call, state: str, answers: object) -> Call:
    return one.replace(params=one.params.replace(inputResponses=answers, requestState=state))


TestParkedCalls = ParkedCalls.TestCase
TestParkedCalls.settings = bounded(200, 40)
