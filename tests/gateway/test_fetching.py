"""Documents of others are fetched within bounds, and strangers choose public addresses only."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lockgate.gateway import fetching
from lockgate.gateway.fetching import PoolFetch
from lockgate.identity.fetch import FetchFailed
from lockgate.upstreams import lookup
from tests.security.musts import must


class Site:
    """Answers every request on loopback with the same bytes, and counts connections."""

    def __init__(self, answer: bytes, *, hold: bool = False) -> None:
        self.answer = answer
        self.hold = hold
        self.connections = 0
        self.heard = b""
        self.port = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            self.heard += await reader.readuntil(b"\r\n\r\n")
            writer.write(self.answer)
            if self.hold:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[str]:
    server = await asyncio.start_server(site, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"http://127.0.0.1:{site.port}"


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await work()

    asyncio.run(bounded())


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"content-length: %d" % len(body), b"connection: close"]
    return b"\r\n".join((*lines, *headers)) + b"\r\n\r\n" + body


async def failure(fetch: PoolFetch, url: str, **options: Any) -> FetchFailed:
    with pytest.raises(FetchFailed) as caught:
        await fetch("GET", url, **options)
    return caught.value


def test_a_document_is_read_whole() -> None:
    async def work() -> None:
        site, fetch = Site(answer(b'{"a": 1}', b"Content-Type: application/json")), PoolFetch()
        async with serving(site) as origin:
            found = await fetch("GET", f"{origin}/x?y=1", headers=[("X-One", "1")])
            await fetch.close()
        assert (found.status, found.body) == (200, b'{"a": 1}')
        assert found.headers["content-type"] == "application/json"
        assert site.heard.startswith(b"GET /x?y=1 HTTP/1.1\r\n")
        assert b"accept-encoding: identity" in site.heard.lower()

    run(work)


def test_redirects_are_answers() -> None:
    async def work() -> None:
        site = Site(answer(b"", b"Location: http://127.0.0.1:1/", status=b"302 Found"))
        fetch = PoolFetch()
        async with serving(site) as origin:
            found = await fetch("GET", origin)
            await fetch.close()
        assert (found.status, site.connections) == (302, 1)

    run(work)


def test_size_and_packing_are_bounded() -> None:
    async def work() -> None:
        fetch = PoolFetch()
        async with serving(Site(answer(b"x" * 2000))) as origin:
            assert (await failure(fetch, origin, most=1000)).cause == "too-large"
            assert len((await fetch("GET", origin, most=2000)).body) == 2000
        async with serving(Site(answer(b"x", b"content-encoding: gzip"))) as origin:
            assert (await failure(fetch, origin)).cause == "broken"
        await fetch.close()

    run(work)


def test_time_is_bounded_and_nothing_is_left_open() -> None:
    async def work() -> None:
        fetch = PoolFetch()
        started = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"
        for said in (b"", started):
            async with serving(Site(said, hold=True)) as origin:
                caught = await failure(fetch, f"{origin}/secret-path", within=0.2)
            assert caught.cause == "timeout"
            assert "secret-path" not in str(caught)
        await fetch.close()

    run(work)


def test_only_so_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "AT_ONCE", 1)

    async def work() -> None:
        fetch, site = PoolFetch(), Site(b"", hold=True)
        async with serving(site) as origin:
            first = asyncio.create_task(fetch("GET", origin))
            await asyncio.sleep(0)
            assert (await failure(fetch, origin)).cause == "busy"
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
        await fetch.close()

    run(work)


@pytest.mark.parametrize("url", ["nonsense", "ftp://a.example", "http://u:p@a.example", "http://"])
def test_what_is_no_url_is_refused(url: str) -> None:
    async def work() -> None:
        assert (await failure(PoolFetch(), url)).cause == "url"

    run(work)


@must("no-inside-addresses")
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "inside.test"])
def test_strangers_lead_to_no_inside_address(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(lookup.socket, "getaddrinfo", resolve)

    async def work() -> None:
        fetch, site = PoolFetch(public_only=True), Site(answer(b"secret"))
        async with serving(site):
            assert (await failure(fetch, f"https://{host}:{site.port}/")).cause == "forbidden"
            assert (await failure(fetch, f"http://{host}:{site.port}/")).cause == "url"
        assert site.connections == 0

    run(work)


@must("no-inside-addresses")
def test_a_name_that_changes_is_judged_where_it_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a public and an inside address, only the public one is connected to."""
    reached: list[str] = []

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in ("10.0.0.1", "93.184.216.34")
        ]

    monkeypatch.setattr(lookup.socket, "getaddrinfo", resolve)

    async def work() -> None:
        loop = asyncio.get_running_loop()

        async def create(_: Any, host: str, *__: Any, **___: Any) -> Any:
            reached.append(host)
            raise ConnectionRefusedError

        monkeypatch.setattr(loop, "create_connection", create)
        caught = await failure(PoolFetch(public_only=True), "https://rebound.test/")
        assert caught.cause == "unreachable"

    run(work)
    assert reached == ["93.184.216.34"]
