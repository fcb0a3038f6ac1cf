"""The policies that are on by default: what they refuse, and what they leave alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lockgate.core.chain import compose
from lockgate.core.message import Call, ClientFacts, Failure, Principal, Reply, Result
from lockgate.core.raw import EMPTY
from lockgate.policies.concurrency import ConcurrencyLimit
from lockgate.policies.methods import KnownMethods
from tests.support.asking import asked

CLIENT = ClientFacts(era="modern", protocol_version="2026-07-28")
DONE = Result(EMPTY)


def call(method: str = "tools/call", who: str = "anonymous", **more: Any) -> Call:
    return Call(method=method, client=CLIENT, principal=Principal(id=who), **more)


async def answer(_: Call) -> Reply:
    return DONE


@pytest.mark.parametrize(
    ("method", "passes"),
    [
        ("tools/call", True),
        ("subscriptions/listen", True),
        ("notifications/roots/list_changed", True),
        ("tools/cal", False),
        ("initialize", False),
        ("lockgate/admin", False),
        ("", False),
        ("x" * 5000, False),
    ],
)
def test_only_known_methods_pass(method: str, passes: bool) -> None:
    reply = asked(compose([KnownMethods()], answer)(call(method)))
    assert isinstance(reply, Result) is passes
    if isinstance(reply, Failure):
        assert reply.code == -32601
        assert len(reply.message) < 200


def test_an_unknown_method_gets_the_nearest_known_one_suggested() -> None:
    reply = asked(compose([KnownMethods()], answer)(call("tools/cal")))
    assert isinstance(reply, Failure)
    assert "tools/call" in str(reply.remedy)


def test_concurrency_is_bounded_in_total_and_per_principal_and_freed_again() -> None:
    async def run() -> None:
        gate = asyncio.Event()
        started: list[str] = []

        async def wait(one: Call) -> Reply:
            started.append(one.principal.id)
            await gate.wait()
            return DONE

        chain = compose([ConcurrencyLimit(total=3, per_principal=2, listens=1)], wait)
        running = [asyncio.ensure_future(chain(call(who=who))) for who in ("a", "a", "b")]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert started == ["a", "a", "b"]
        for who in ("a", "b", "c"):
            reply = await chain(call(who=who))
            assert isinstance(reply, Failure)
            assert reply.reason == "too-many-calls"
            assert reply.data == {"retry_after": 1}
        running[0].cancel()
        await asyncio.gather(running[0], return_exceptions=True)
        late = asyncio.ensure_future(chain(call(who="a")))
        await asyncio.sleep(0)
        assert isinstance(await chain(call(who="a")), Failure)
        gate.set()
        assert await asyncio.gather(running[1], running[2], late) == [DONE] * 3
        assert await chain(call(who="c")) is DONE

    asyncio.run(run())


def test_streams_have_a_bound_of_their_own() -> None:
    async def run() -> None:
        gate = asyncio.Event()

        async def wait(_: Call) -> Reply:
            await gate.wait()
            return DONE

        chain = compose([ConcurrencyLimit(total=1, per_principal=1, listens=1)], wait)
        stream = asyncio.ensure_future(chain(call("subscriptions/listen")))
        await asyncio.sleep(0)
        refused = await chain(call("subscriptions/listen"))
        assert isinstance(refused, Failure)
        gate.set()
        assert await chain(call()) is DONE
        await stream

    asyncio.run(run())
