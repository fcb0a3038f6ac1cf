"""How lists are judged and the gate is set, without a gateway around them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from lockgate.core.message import Call, ClientFacts, Failure, Reply, Result, Target
from lockgate.core.raw import EMPTY, Raw
from lockgate.gateway.listing import LISTS, Item, Section
from lockgate.gateway.pin_gate import PatientPinGate
from lockgate.gateway.pin_keeper import PinKeeper
from lockgate.gateway.pinning import Pinned, Pinning
from lockgate.gateway.views import View
from lockgate.testing import ManualClock

TOOLS = LISTS["tools/list"]
PLAIN = View("", "modern")
HELD = {"s": Pinned("enforce", {"command": "x"})}


def section(*definitions: bytes) -> Section:
    raws = [Raw(data).check() for data in definitions]
    return Section(server="s", items=tuple(Item(raw["name"], raw) for raw in raws))


def call(name: str, kind: Any = "tool", capabilities: str = "") -> Call:
    client = ClientFacts(era="modern", protocol_version="2026-07-28", capabilities_key=capabilities)
    return Call(method="tools/call", client=client, target=Target("s", kind, name))


class Lists:
    """Where lists would be kept: views differ by the capabilities of the client."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.then = lambda: None

    def view(self, server: str, call: Call, /) -> View:
        del server
        return View("", "modern", call.client.capabilities_key)

    def definition(self, server: str, method: str, key: str, /) -> Raw | None:
        del server, method, key
        return None

    def problem(self, server: str, method: str, call: Call, /) -> Failure | None:
        del server, method, call
        return Failure(-32603, "A login is needed.", "upstream", "login-required")

    async def learn(self, server: str, call: Call, /, *, anew: bool = False) -> None:
        assert anew
        self.asked.append(server)
        self.then()

    def relearn(self, servers: object = None, /) -> None:
        del servers


GOOD = b'{"name":"a","description":"Adds."}'
BAD = b'{"name":"a","description":"Adds, and more."}'


def pinning() -> Pinning:
    made = Pinning(PinKeeper(None, ManualClock()), HELD)
    made.look_into(Lists())
    made.learned(TOOLS, section(GOOD), PLAIN)
    return made


def test_a_name_that_is_there_twice_is_withheld_whole() -> None:
    made = pinning()
    [shown] = made.vet(TOOLS, [section(GOOD, BAD)], "modern")
    assert shown.items == ()
    assert shown.withheld["a"].reason == "pin-changed"


def test_what_could_be_read_otherwise_is_forwarded_as_it_was_inspected() -> None:
    data = b'{"name":"a","inputSchema":{"x":{"description":"good","description":"bad"}}}'
    made = Pinning(PinKeeper(None, ManualClock()), HELD)
    made.learned(TOOLS, section(data), PLAIN)
    [shown] = made.vet(TOOLS, [section(data)], "modern")
    [item] = shown.items
    assert item.raw.encode() == b'{"name":"a","inputSchema":{"x":{"description":"bad"}}}'
    odd = b'{"name":"a","description":"\xff"}'
    [shown] = made.vet(TOOLS, [section(odd)], "modern")
    assert shown.withheld["a"].reason == "pin-unreadable"


def test_the_same_list_is_judged_once() -> None:
    made, one = pinning(), section(BAD)
    first = made.vet(TOOLS, [one], "modern")[0].withheld["a"]
    assert made.vet(TOOLS, [one], "modern")[0].withheld["a"] is first


def test_whoever_is_shown_something_else_is_refused_alone() -> None:
    made = pinning()
    made.learned(TOOLS, section(BAD), PLAIN._replace(capabilities="sampling"))
    gate = made.gates["s"]
    assert gate.check(call("a")) is None
    refused = gate.check(call("a", capabilities="sampling"))
    assert refused is not None
    assert refused.reason == "pin-changed"
    # Who has no list of their own is shown what those without capabilities are.
    assert gate.check(call("a", capabilities="roots")) is None
    made.learned(TOOLS, section(GOOD), PLAIN._replace(capabilities="sampling"))
    assert gate.check(call("a", capabilities="sampling")) is None


def test_nothing_passes_before_a_list_was_read() -> None:
    made = Pinning(PinKeeper(None, ManualClock()), HELD)
    refused = made.gates["s"].check(call("a"))
    assert refused is not None
    assert refused.reason == "pin-unread"
    made.look_into(Lists())
    refused = made.gates["s"].check(call("a"))
    assert refused is not None
    assert refused.reason == "login-required"
    assert made.gates["s"].check(call("t", "task")) is None


def test_where_people_log_in_the_first_call_waits_for_their_list() -> None:
    made, lists = Pinning(PinKeeper(None, ManualClock()), HELD), Lists()
    made.look_into(lists)
    gate = PatientPinGate(made.gates["s"])

    async def inner(_: Call) -> Reply:
        return Result(EMPTY)

    async def asked() -> Reply:
        return await gate(call("a"), inner)

    refused = asyncio.run(asked())
    assert isinstance(refused, Failure)
    assert refused.reason == "login-required"
    lists.then = lambda: made.learned(TOOLS, section(GOOD), PLAIN)
    assert isinstance(asyncio.run(asked()), Result)
    assert isinstance(asyncio.run(asked()), Result)
    assert lists.asked == ["s", "s"]  # once while there was no login, once after it


def test_a_server_that_was_away_at_first_use_is_believed_when_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "lockgate.lock"
    first = PinKeeper(path, ManualClock(), records=True)
    first.meet({"here": {"command": "x"}, "away": {"command": "y"}})
    first.believe("here", "tool", "modern", [])
    first.over("here", ["tool"])
    first.flush()
    later = PinKeeper(path, ManualClock(), records=True)
    later.meet({"here": {"command": "x"}, "away": {"command": "y"}, "new": {"command": "z"}})
    assert later.believes("away", "tool", "modern")
    assert not later.believes("here", "tool", "handshake")
    assert not later.believes("new", "tool", "modern")
    assert not PinKeeper(path, ManualClock()).forgets
