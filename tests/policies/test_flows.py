"""What was read must not flow just anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Literal

import pytest

from lockgate.core.chain import compose
from lockgate.core.flowing import Answered
from lockgate.core.message import Call, ClientFacts, Failure, Kind, Principal, Reply, Result, Target
from lockgate.core.raw import EMPTY
from lockgate.core.targets import Things
from lockgate.policies.flows import Flow, Flows
from lockgate.testing.clock import ManualClock
from tests.security.controls import holds

CLIENT = ClientFacts(era="modern", protocol_version="2026-07-28")
STRANGERS, PRIVATE = Things(["web", "github/get_issue"]), Things(["crm", "files/file:///home/*"])
OUT = Things(["mail/send_*", "github/create_*"])
METHODS: dict[Kind, str] = {"tool": "tools/call", "resource": "resources/read"}


class World:
    """Flows before servers that answer everything, or refuse."""

    def __init__(self, *flows: Flow) -> None:
        self.clock = ManualClock()
        self.answered = Answered(self.clock)
        self.flows = flows

    def call(self, what: str, who: str = "a", *, ok: bool = True, approved: bool = False) -> str:
        """`answered`, or the reason of the refusal."""
        server, _, name = what.partition("/")
        kind: Kind = "resource" if "://" in name else "tool"

        async def inner(_: Call) -> Reply:
            if ok:
                return Result(EMPTY)
            return Failure(code=-32603, message="no", origin="upstream", reason="upstream-error")

        call = Call(
            method=METHODS[kind],
            client=CLIENT,
            principal=Principal(id=who.partition("@")[0]),
            affinity=who.partition("@")[2] or None,
            target=Target(server, kind, name),
            facts={"approved": True} if approved else {},
        )
        reply = asyncio.run(_once(compose([Flows(self.flows, self.answered)], inner)(call)))
        return "answered" if isinstance(reply, Result) else reply.reason


async def _once(reply: Awaitable[Reply]) -> Reply:
    return await reply


def flow(verb: Literal["approve", "deny"] = "approve", within: float = 3600) -> Flow:
    return Flow("trifecta", (STRANGERS, PRIVATE), verb, OUT, within)


STEPS: list[tuple[str, Sequence[str], str]] = [
    ("nothing was read", [], "answered"),
    ("only strangers", ["web/fetch"], "answered"),
    ("only private", ["crm/customer"], "answered"),
    ("both", ["web/fetch", "crm/customer"], "approval-required"),
    ("in any order", ["crm/customer", "github/get_issue"], "approval-required"),
    ("other tools of the same server", ["github/list", "crm/customer"], "answered"),
    ("a resource", ["web/fetch", "files/file:///home/a"], "approval-required"),
    ("by another spelling", ["web/fetch", "files/file:///x/../home/a"], "approval-required"),
    ("another resource", ["web/fetch", "files/file:///tmp/a"], "answered"),
]


@holds(38)
@pytest.mark.parametrize(("read", "outcome"), [one[1:] for one in STEPS], ids=[s[0] for s in STEPS])
def test_what_was_read_decides(read: Sequence[str], outcome: str) -> None:
    world = World(flow())
    for one in read:
        assert world.call(one) == "answered"
    assert world.call("mail/send_now") == outcome
    assert world.call("mail/search") == "answered", "it is not about that"


@holds(38)
def test_callers_and_their_sessions_are_told_apart() -> None:
    world = World(flow())
    for one in ("web/fetch", "crm/customer"):
        world.call(one, "a@1")
    assert world.call("mail/send_now", "a@1") == "approval-required"
    assert world.call("mail/send_now", "a@2") == "answered"
    assert world.call("mail/send_now", "b") == "answered"


def test_a_yes_lets_one_call_through_and_a_no_stays_one() -> None:
    asked, denied = World(flow()), World(flow("deny"))
    for world in (asked, denied):
        for one in ("web/fetch", "crm/customer"):
            world.call(one)
    assert asked.call("mail/send_now", approved=True) == "answered"
    assert asked.call("mail/send_now") == "approval-required"
    assert denied.call("mail/send_now", approved=True) == "flow-denied"


def test_what_failed_was_not_read() -> None:
    world = World(flow())
    world.call("web/fetch")
    world.call("crm/customer", ok=False)
    assert world.call("mail/send_now") == "answered"


def test_it_is_forgotten_after_a_time() -> None:
    world = World(flow(within=60))
    world.call("web/fetch")
    world.clock.advance(59)
    world.call("crm/customer")
    assert world.call("mail/send_now") == "approval-required"
    world.clock.advance(2)
    assert world.call("mail/send_now") == "answered", "what strangers wrote is too long ago"
    world.call("web/fetch")
    assert world.call("mail/send_now") == "approval-required"


def test_callers_are_bounded() -> None:
    answered = Answered(ManualClock(), most=2)
    for caller in ("a", "b", "c"):
        answered.note("f", caller, 0)
    assert [answered.all("f", one, 1, 60) for one in ("a", "b", "c")] == [False, True, True]
