"""What did not change is not sent twice, in a conversation and where it is asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lockgate.core.message import Call, ClientFacts, Principal, Result, Target
from lockgate.core.raw import Raw
from lockgate.policies import repeats
from lockgate.policies.repeats import CONVERSATION, FRESH, Repeats
from lockgate.testing import ManualClock

CLIENT = ClientFacts(era="handshake", protocol_version="2025-11-25")
LARGE = "word " * 1000


def result(text: str = LARGE, **more: Any) -> Result:
    return Result(Raw.of({"content": [{"type": "text", "text": text}], **more}))


class Play:
    def __init__(self, read_only: bool = True) -> None:
        self.clock = ManualClock()
        self.saved: list[tuple[str, str, int]] = []
        self.policy = Repeats(
            ["/mcp"],
            self.clock,
            lambda _: read_only,
            lambda *said: self.saved.append(said),
        )

    def __call__(self, reply: Result | None = None, **changes: Any) -> str:
        """`sent` or `unchanged`."""
        given: dict[str, Any] = {
            "method": "tools/call",
            "client": CLIENT,
            "target": Target("hub", "tool", "list"),
            "affinity": "session",
            "facts": {"endpoint": "/mcp"},
            "params": Raw.of({"arguments": {"a": 1}}),
        }
        call = Call(**{**given, **changes})
        reply = reply or result()
        look = self.policy.check(call)
        found = reply if look is None else look(call, reply)
        if found is reply:
            return "sent"
        assert isinstance(found, Result)
        (block,) = json.loads(found.raw.encode())["content"]
        assert block["text"].startswith("Unchanged: list with these arguments")
        return "unchanged"


def test_what_did_not_change_is_said_once_and_sent_when_asked_for_again() -> None:
    play = Play()
    assert [play() for _ in range(5)] == ["sent", "unchanged", "sent", "unchanged", "sent"]
    assert play.saved[0][:2] == ("hub", "repeat")
    assert play.saved[0][2] == result().raw.size


def test_what_changed_is_sent() -> None:
    play = Play()
    assert [play(), play(result(LARGE + "more")), play()] == ["sent"] * 3


@pytest.mark.parametrize(
    "changes",
    [
        {"affinity": "another"},
        {"principal": Principal(id="bob")},
        {"target": Target("hub", "tool", "other")},
        {"target": Target("other", "tool", "list")},
        {"params": Raw.of({"arguments": {"a": 2}})},
        {"facts": {"endpoint": "/other"}},
        {"affinity": None},
    ],
)
def test_others_are_sent_everything(changes: dict[str, Any]) -> None:
    play = Play()
    assert play() == "sent"
    assert play(**changes) == "sent"


def test_stateless_clients_name_their_conversation() -> None:
    play = Play()
    named = {"affinity": None, "params": Raw.of({"_meta": {CONVERSATION: "c1"}})}
    other = {"affinity": None, "params": Raw.of({"_meta": {CONVERSATION: "c2"}})}
    assert [play(**named), play(**named), play(**other)] == ["sent", "unchanged", "sent"]
    for odd in ("", 7, "x" * 500):
        params = Raw.of({"_meta": {CONVERSATION: odd}})
        assert {play(affinity=None, params=params) for _ in range(2)} == {"sent"}


@pytest.mark.parametrize(
    "reply",
    [result("small"), result(isError=True), result(structuredContent={"a": LARGE})],
)
def test_what_is_small_failed_or_promised_is_always_sent(reply: Result) -> None:
    play = Play()
    assert {play(reply) for _ in range(3)} == {"sent"}


def test_tools_that_change_things_are_left_alone() -> None:
    play = Play(read_only=False)
    assert {play() for _ in range(3)} == {"sent"}


def test_after_a_while_it_is_sent_again() -> None:
    play = Play()
    assert play() == "sent"
    play.clock.advance(FRESH + 1)
    assert play() == "sent"


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MOST", 10)
    play = Play()
    for at in range(100):
        play(affinity=f"s{at}")
    assert len(play.policy._sent) == 10
