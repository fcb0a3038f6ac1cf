"""A person's answer at replicas: good once at all of them with a store, at one without."""

from __future__ import annotations

import asyncio
import os
from base64 import urlsafe_b64encode
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from lockgate.policies.approval import KEY
from tests.fronts.served import run
from tests.identity.world import echo
from tests.security.world import META, Answer, Peer, World, before
from tests.support.valkey import valkey

Json = dict[str, Any]
CAN_ASK = {**META, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
RULES = {"rules": [{"allow": "*"}, {"approve": "peer/echo"}]}


async def call(at: World, state: str | None = None) -> Answer:
    """The call; with a state, a person's yes to it."""
    params: Json = {"name": "echo", "arguments": {}, "_meta": CAN_ASK}
    if state is not None:
        params |= {"requestState": state, "inputResponses": {KEY: {"action": "accept"}}}
    return await at.post("tools/call", params)


async def asked(at: World) -> str:
    """The state that comes with the question."""
    result = (await call(at)).result
    assert result["resultType"] == "input_required"
    return result["requestState"]


def went_through(answer: Answer) -> bool:
    """Or was asked about once more."""
    kind = answer.result["resultType"]
    assert kind in ("complete", "input_required")
    return kind == "complete"


async def replicas(stack: AsyncExitStack, **shared: Any) -> tuple[World, World, list[Peer]]:
    key = urlsafe_b64encode(os.urandom(32)).decode()
    peers = [Peer(script=echo), Peer(script=echo)]
    settings = {"session": {"keys": [key]}, "access": RULES, **shared}
    one, other = [await stack.enter_async_context(before(peer, **settings)) for peer in peers]
    return one, other, peers


def called(peers: list[Peer]) -> int:
    return sum(method == "tools/call" for peer in peers for method in methods(peer))


def methods(peer: Peer) -> list[str]:
    return [one.headers.get(b"mcp-method", b"").decode() for one in peer.requests]


def test_with_a_store_a_yes_is_good_at_any_replica_and_once_at_all(tmp_path: Path) -> None:
    async def test() -> None:
        async with AsyncExitStack() as stack:
            store = f"sqlite:{tmp_path / 'shared.db'}"
            one, other, peers = await replicas(stack, store=store)
            state = await asked(one)
            assert went_through(await call(other, state))
            assert not went_through(await call(one, state))
            assert not went_through(await call(other, state))
            state = await asked(one)
            # At once, so that neither can know of the other but by the store.
            both = await asyncio.gather(*(call(at, state) for at in (one, other, one, other)))
            assert sum(map(went_through, both)) == 1
            assert called(peers) == 2

    run(test())


def test_without_a_store_a_yes_is_good_where_the_question_was_asked() -> None:
    async def test() -> None:
        async with AsyncExitStack() as stack:
            one, other, peers = await replicas(stack)
            state = await asked(one)
            assert not went_through(await call(other, state)), "it asks once more"
            assert went_through(await call(one, state))
            assert not went_through(await call(one, state))
            assert called(peers) == 1

    run(test())


def test_while_the_store_is_away_no_yes_lets_anything_through() -> None:
    async def test() -> None:
        with valkey() as server:
            async with AsyncExitStack() as stack:
                one, _, peers = await replicas(stack, store=server.url)
                state = await asked(one)
                server.kill()
                refused = await call(one, state)
                assert refused.error["data"]["reason"] == "approval-unavailable"
                assert refused.error["data"]["retry_after"] > 0
                assert called(peers) == 0
                assert not went_through(await call(one)), "questions are asked all the same"

    run(test())
