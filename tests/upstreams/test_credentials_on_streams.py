"""Credentials toward servers of the older transports: HTTP with SSE, and WebSockets."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.core.message import Failure
from tests.support.credentials import Renewed
from tests.support.waiting import until
from tests.upstreams.calls import call, good, run
from tests.upstreams.one_stream import SocketServer, SseServer, reaching


async def sent(one: Any, **more: Any) -> Any:
    return good(await one.send(call(era="handshake", **more)))


def test_each_caller_has_a_stream_by_its_own_credential() -> None:
    async def test() -> None:
        async with SseServer() as server:
            keys = Renewed(0, shared=False)
            async with reaching(server, credentials=keys, kind="sse", era="handshake") as one:
                await one.start()
                peers = {who: (await sent(one, who=who))["peer"] for who in ("ann", "bob")}
                assert peers["ann"] != peers["bob"]
                assert (await sent(one, who="ann"))["peer"] == peers["ann"]
                for who, number in peers.items():
                    session = f"?session={number}"
                    shown = {
                        asked.headers["authorization"]
                        for asked in server.asked
                        if asked.target.endswith(session)
                    }
                    assert shown == {f"Bearer {who}-1"}

    run(test())


def test_a_post_that_is_refused_is_sent_again_with_the_newer_credential() -> None:
    async def test() -> None:
        async with SseServer() as server:
            keys = Renewed(1, shared=True)
            async with reaching(server, credentials=keys, kind="sse", era="handshake") as one:
                await one.start()
                before = await sent(one)
                server.wanted = {"Bearer all-2"}
                assert await sent(one) == before, "the same stream, and executed once"
                assert keys.heard == [("all", "Bearer")]
                [peer] = [one for one in server.peers.values() if one.number == before["peer"]]
                assert peer.methods().count("tools/call") == 2

    run(test())


def test_a_stream_that_is_refused_is_opened_with_the_newer_credential() -> None:
    async def test() -> None:
        async with SseServer() as server:
            server.wanted = {"Bearer all-2"}
            keys = Renewed(1, shared=True)
            async with reaching(server, credentials=keys, kind="sse", era="handshake") as one:
                await one.start()
                await sent(one)
                assert keys.heard == [("all", "Bearer")]

    run(test())


@pytest.mark.parametrize("eras", [("handshake",), ("modern",)])
def test_a_socket_that_is_refused_is_opened_with_the_newer_credential(eras: Any) -> None:
    async def test() -> None:
        async with SocketServer(*eras) as server:
            server.wanted = {"Bearer all-2"}
            keys = Renewed(1, shared=True)
            async with reaching(server, credentials=keys) as one:
                await one.start()
                await until(lambda: one.state.phase == "ready")
                await sent(one)
                assert [who for who, _ in keys.heard] == ["all"]
                shown = [request.headers["authorization"] for request in server.requests]
                assert shown[0] == "Bearer all-1"
                assert set(shown[1:]) == {"Bearer all-2"}

    run(test())


@pytest.mark.parametrize("door", ["sse", "websocket"])
def test_a_server_that_refuses_for_good_is_told_of_without_the_credential(door: str) -> None:
    async def test() -> None:
        async with SseServer() if door == "sse" else SocketServer() as server:
            server.wanted = {"Bearer nobody's"}
            keys = Renewed(0, shared=True)
            async with reaching(server, credentials=keys) as one:
                await one.start()
                await until(lambda: one.state.last_error is not None)
                reply = await one.send(call(era="handshake"))
                assert isinstance(reply, Failure)
                assert keys.heard
                for text in (repr(reply), repr(one.state)):
                    assert "all-1" not in text

    run(test())
