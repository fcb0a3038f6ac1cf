"""Names of hosts: looked up once at a time, tried address by address, waited for by nobody."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from lockgate.upstreams import lookup
from tests.upstreams.calls import run


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were looked up; `many.test` has a dead address before a live one."""
    names: list[str] = []

    def answer(host: str, port: int, **_: Any) -> list[Any]:
        names.append(host)
        if host == "none.test":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host == "bad.test":
            raise UnicodeError("label too long")
        found = ["127.0.0.2", "127.0.0.1"] if host == "many.test" else ["127.0.0.1"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(lookup.socket, "getaddrinfo", answer)
    return names


async def listening(work: Callable[[int], Any]) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        await work(server.sockets[0].getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "one.test", "many.test"])
def test_every_address_is_tried_in_turn(host: str, asked: list[str]) -> None:
    async def work(port: int) -> None:
        loop = asyncio.get_running_loop()
        made = await lookup.connect(loop, asyncio.Protocol, host, port, None)
        assert isinstance(made, asyncio.Protocol)
        assert asked == ([] if host[0].isdigit() else [host])
        assert not lookup._pending

    run(listening(work))


def test_what_the_last_address_said_is_told() -> None:
    async def test() -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
            loop = asyncio.get_running_loop()
            with pytest.raises(ConnectionRefusedError):
                await lookup.connect(loop, asyncio.Protocol, "127.0.0.1", port, None)

    run(test())


@pytest.mark.parametrize("host", ["none.test", "bad.test"])
def test_a_name_without_an_address(host: str, asked: list[str]) -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(2):
            with pytest.raises(socket.gaierror):
                await lookup.connect(loop, asyncio.Protocol, host, 80, None)
        assert asked == [host] * 2

    run(test())


def test_many_who_ask_for_one_name_share_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    go, names = threading.Event(), list[str]()

    def slow(host: str, port: int, **_: Any) -> list[Any]:
        names.append(host)
        go.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(lookup.socket, "getaddrinfo", slow)

    async def test() -> None:
        loop = asyncio.get_running_loop()
        impatient = asyncio.create_task(lookup.addresses(loop, "slow.test", 80))
        others = [asyncio.create_task(lookup.addresses(loop, "slow.test", 80)) for _ in range(5)]
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        go.set()
        assert await asyncio.gather(*others) == [["127.0.0.1"]] * 5
        assert names == ["slow.test"]

    run(test())


def test_an_answer_after_the_end_of_the_loop_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def slow(host: str, port: int, **_: Any) -> list[Any]:
        go.wait(60)
        return []

    monkeypatch.setattr(lookup.socket, "getaddrinfo", slow)

    async def test() -> None:
        asking = lookup.addresses(asyncio.get_running_loop(), "late.test", 80)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asking, 0.01)

    run(test())
    [thread] = [one for one in threading.enumerate() if one.name == "lookup"]
    go.set()
    thread.join(60)
    assert not thread.is_alive()
    assert not lookup._pending
