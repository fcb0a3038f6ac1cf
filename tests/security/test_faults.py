"""A check that fails itself has refused; and nobody is let in because something is broken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from lockgate.core.message import Call
from lockgate.core.policy import CallNext, Stage
from lockgate.gateway.router import Router
from lockgate.observe.decisions import CRASHED
from lockgate.policies.methods import KnownMethods
from tests.bridge.clients import Client
from tests.cli.program import config_file
from tests.cli.program import run as command
from tests.fronts.served import run
from tests.security.controls import holds
from tests.security.world import Peer, World, before
from tests.support.builds import interpreted

CANARY = "canary: /srv/lockgate/policy.py, 10.9.8.7"


def raising(error: BaseException) -> Callable[..., Any]:
    async def act(*_: Any) -> Any:
        raise error

    return act


def answering(value: Any) -> Callable[..., Any]:
    async def act(*_: Any) -> Any:
        return value

    return act


async def breaks_late(_: Any, call: Call, call_next: CallNext) -> Any:
    await call_next(call)
    raise RuntimeError(CANARY)


async def forgets_the_reply(_: Any, call: Call, call_next: CallNext) -> Any:
    await call_next(call)


async def passes_nonsense_on(_: Any, __: Call, call_next: CallNext) -> Any:
    return await call_next("no call")  # pyright: ignore[reportArgumentType] - that is the point


WAYS: dict[str, Callable[..., Any]] = {
    "raises": raising(RuntimeError(CANARY)),
    "raises a time-out": raising(TimeoutError(CANARY)),
    "raises an assertion": raising(AssertionError(CANARY)),
    "recurses": raising(RecursionError(CANARY)),
    "has no memory": raising(MemoryError(CANARY)),
    "answers nothing": answering(None),
    "answers True": answering(True),
    "answers text": answering(CANARY),
    "answers a mapping": answering({"content": []}),
    "breaks once the server has answered": breaks_late,
    "forgets the reply": forgets_the_reply,
    "passes nonsense on": passes_nonsense_on,
}


async def says(w: World, era: str) -> dict[str, Any]:
    if era == "M":
        answer = await w.call("echo")
        assert b"canary" not in answer.raw
        return answer.error
    old = await Client(w.port, "L").open()
    try:
        begun = await old.call("echo")
        assert "canary" not in str(begun.response)
        return begun.error
    finally:
        old.close()


class Faulty:
    """A policy in the place of the concurrency limit that breaks, in its way, on tool calls."""

    name: ClassVar[str] = "concurrency"
    stage: ClassVar[Stage] = Stage.LIMIT
    way: ClassVar[Callable[..., Any] | None] = None

    def __init__(self, *_bounds: int) -> None:
        pass

    def concerns(self, method: str) -> bool:
        return True

    async def __call__(self, call: Call, call_next: CallNext, /) -> Any:
        # The handshake needs its lists and introductions; what is judged is the call.
        if call.method != "tools/call" or Faulty.way is None:
            return await call_next(call)
        return await Faulty.way(self, call, call_next)


class FaultyGate:
    """A gate that does so. What is a coroutine elsewhere is stepped through here."""

    name: ClassVar[str] = "concurrency"
    stage: ClassVar[Stage] = Stage.LIMIT

    def __init__(self, *_bounds: int) -> None:
        pass

    def concerns(self, method: str) -> bool:
        return True

    def enter(self, call: Call, /) -> Any:
        if call.method != "tools/call" or Faulty.way is None:
            return None
        try:
            Faulty.way(self, call, None).send(None)
        except StopIteration as end:
            return end.value
        raise AssertionError("it waited")

    def leave(self, call: Call, /) -> None:
        pass


NO_GATE_CAN = {
    "answers nothing",
    "breaks once the server has answered",
    "forgets the reply",
    "passes nonsense on",
}
BROKEN = [(kind, way) for kind in (Faulty, FaultyGate) for way in WAYS]
BROKEN = [(kind, way) for kind, way in BROKEN if kind is Faulty or way not in NO_GATE_CAN]


@holds(44, 46)
@pytest.mark.parametrize("era", ["L", "M"])
@pytest.mark.parametrize(("kind", "way"), BROKEN)
def test_a_policy_that_breaks_has_refused(
    kind: type[Faulty | FaultyGate],
    way: str,
    era: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The cause is in the log and nowhere else."""
    logging.getLogger("lockgate").propagate = True
    monkeypatch.setattr("lockgate.gateway.engine.ConcurrencyLimit", kind)
    CRASHED.clear()

    async def play() -> None:
        peer = Peer()
        async with before(peer) as w:
            health = (await w.http(verb="GET", path="/health")).raw.rpartition(b"\r\n")[2]
            assert health == b'{"status":"ok"}'
            monkeypatch.setattr(Faulty, "way", WAYS[way])
            error = await says(w, era)
            assert error["code"] == -32603
            assert error["data"]["reason"] in {"policy-crashed", "gateway-crashed"}
            assert error["data"]["remedy"]
            if way != "passes nonsense on":
                assert error["data"]["policy"] == "concurrency"
                health = (await w.http(verb="GET", path="/health")).raw.rpartition(b"\r\n")[2]
                assert health == b'{"status":"ok","policies_crashed":{"concurrency":1}}'
            reached = way in {"breaks once the server has answered", "forgets the reply"}
            assert len(peer.calls) == reached
            monkeypatch.setattr(Faulty, "way", None)
            assert (await w.call("echo")).result

    run(play())
    told = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    assert told
    if way.startswith("raises"):
        assert any(CANARY in one for one in told), told


@holds(44)
@pytest.mark.parametrize("kind", [Faulty, FaultyGate])
def test_a_policy_that_calls_itself_off_lets_nothing_through(
    kind: type[Faulty | FaultyGate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lockgate.gateway.engine.ConcurrencyLimit", kind)

    async def play() -> None:
        peer = Peer()
        async with before(peer) as w:
            monkeypatch.setattr(Faulty, "way", raising(asyncio.CancelledError(CANARY)))
            answer = await w.call("echo")
            assert answer.status == 503
            assert b"canary" not in answer.raw
            assert not peer.calls

    run(play())


@holds(44)
def test_a_broken_policy_of_unknown_methods_refuses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ValueError(CANARY)

    async def play() -> None:
        peer = Peer()
        async with before(peer) as w:
            monkeypatch.setattr(KnownMethods, "enter", broken)
            answer = await w.post("evil/method")
            assert answer.error["data"]["reason"] == "policy-crashed"
            assert answer.error["data"]["policy"] == "known-methods"
            assert not peer.calls

    run(play())


@holds(44, 46)
@interpreted
@pytest.mark.parametrize("era", ["L", "M"])
def test_a_broken_router_shows_no_trace(era: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Router.__call__

    def act(router: Router, call: Call) -> Any:
        if call.method == "tools/call":
            raise RuntimeError(CANARY)
        return whole(router, call)

    async def play() -> None:
        async with before(Peer()) as w:
            monkeypatch.setattr(Router, "__call__", act)
            error = await says(w, era)
            assert error["data"]["reason"] == "gateway-crashed"
            assert "Traceback" not in str(error)

    run(play())


@holds(44)
@pytest.mark.parametrize("content", [None, "", "short\n", "!" * 44 + "\n"])
def test_session_keys_that_cannot_be_used_are_not_replaced_by_others(
    content: str | None, tmp_path: Path
) -> None:
    """An empty file too: it says that keys are meant to be shared, and there are none."""
    keys = tmp_path / "keys"
    if content is not None:
        keys.write_text(content)
    config = config_file(tmp_path, {}, session={"keys_file": str(keys)}, port=0)
    done = command("up", config)
    assert done.returncode not in (0, None)
    assert "session.keys_file" in done.stderr
