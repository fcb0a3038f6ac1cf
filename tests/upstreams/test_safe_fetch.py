"""What a stranger's URL names is fetched from where strangers may send us, and from nowhere else.

On Linux all of 127.0.0.0/8 is this machine, so 127.0.0.2 and 127.0.0.3 stand for public hosts here,
and 127.0.0.1 for what is inside.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lockgate.upstreams.safe_fetch import Document, NotFetched, SafeFetch
from tests.fronts.served import run
from tests.security.controls import holds
from tests.support.names import named

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs more loopback addresses")
OUTSIDE = ("127.0.0.2", "127.0.0.3")
REDIRECT = b"HTTP/1.1 %d x\r\nlocation: %b\r\ncontent-length: 0\r\n\r\n"


def reachable(address: str) -> bool:
    return address in OUTSIDE


class Site:
    """Answers by path on one address, and keeps what it was asked."""

    def __init__(self, address: str, answers: dict[str, bytes] | None = None) -> None:
        self.address = address
        self.answers = answers or {}
        self.heard: list[bytes] = []
        self.port = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heard.append(head)
                path = head.split(b" ")[1].decode()
                writer.write(self.answers.get(path, page(b"hello")))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    @property
    def paths(self) -> list[str]:
        return [one.split(b" ")[1].decode() for one in self.heard]


def page(body: bytes, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"content-length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@asynccontextmanager
async def up(*sites: Site) -> AsyncIterator[None]:
    servers: list[asyncio.Server] = []
    port = 0
    for site in sites:
        server = await asyncio.start_server(site, site.address, port)
        site.port = port = server.sockets[0].getsockname()[1]
        servers.append(server)
    try:
        yield
    finally:
        for server in servers:
            server.close()


async def why(fetch: SafeFetch, url: str, **more: Any) -> str:
    with pytest.raises(NotFetched) as caught:
        await fetch(url, **more)
    return caught.value.why


def fetcher() -> SafeFetch:
    return SafeFetch(schemes=("http",), reachable=reachable)


@holds(28)
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://inside.test:{port}/",
        "http://both.test:{port}/inside-only",
        "http://0x7f000001:{port}/",
        "http://127.1:{port}/",
        "http://2130706433:{port}/",
        "http://user@127.0.0.2:{port}/",
        "http://127.0.0.2\\@127.0.0.1:{port}/",
        "file:///etc/passwd",
        "https://outside.test:{port}/",
    ],
)
def test_nothing_inside_is_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        inside = Site("127.0.0.1")
        async with up(inside):
            fetch = fetcher()
            with named(
                monkeypatch,
                {"inside.test": [["127.0.0.1"]], "both.test": [["127.0.0.1", "127.0.0.2"]]},
            ):
                # The outside half of `both` has nobody listening: it is tried, the other is not.
                said = await why(fetch, url.format(port=inside.port))
            assert said in {"forbidden", "url", "unreachable"}
            assert inside.heard == []
            await fetch.close()

    run(play())


@holds(28)
def test_a_name_that_leads_inside_the_second_time_gains_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: what was judged is what is connected to, with one look-up for both."""

    async def play() -> None:
        inside, outside = Site("127.0.0.1"), Site("127.0.0.2")
        async with up(inside, outside):
            answers = {"rebound.test": [["127.0.0.2"], ["127.0.0.1"]]}
            with named(monkeypatch, answers) as names:
                url = f"http://rebound.test:{outside.port}/"
                first = fetcher()
                assert (await first(url)).body == b"hello"
                assert names.asked["rebound.test"] == 1
                # On the connection there is, or on a new one that is judged anew: never inside.
                assert (await first(url)).body == b"hello"
                second = fetcher()
                assert await why(second, url) == "forbidden"
                assert names.asked["rebound.test"] == 2
                await first.close()
                await second.close()
        assert inside.heard == []
        assert len(outside.heard) == 2

    run(play())


@holds(28)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{port}/secret",
        "//127.0.0.1:{port}/secret",
        "http://inside.test:{port}/secret",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/",
    ],
)
def test_a_redirect_is_judged_like_the_first_step(
    status: int, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        inside, outside = Site("127.0.0.1"), Site("127.0.0.2")
        async with up(inside, outside):
            place = target.format(port=inside.port).encode()
            outside.answers["/"] = REDIRECT % (status, place)
            fetch = fetcher()
            with named(monkeypatch, {"inside.test": [["127.0.0.1"]]}):
                said = await why(fetch, f"http://127.0.0.2:{outside.port}/")
            assert said in {"forbidden", "url"}
            await fetch.close()
        assert inside.heard == []

    run(play())


@holds(29)
def test_credentials_stay_at_their_origin() -> None:
    async def play() -> None:
        one, two = Site("127.0.0.2"), Site("127.0.0.3")
        async with up(one, two):
            one.answers["/same"] = REDIRECT % (302, b"/there")
            one.answers["/other"] = REDIRECT % (
                307,
                f"http://127.0.0.3:{two.port}/there".encode(),
            )
            fetch = fetcher()
            secret = [
                ("Authorization", "Bearer s3cret"),
                ("Cookie", "a=s3cret"),
                ("X-Api-Key", "s3cret"),
                ("Accept", "text/plain"),
            ]
            base = f"http://127.0.0.2:{one.port}"
            found = await fetch(f"{base}/same", headers=secret)
            assert found.url == f"{base}/there"
            assert one.heard[-1].count(b"s3cret") == 3
            found = await fetch(f"{base}/other", headers=secret)
            assert found.url == f"http://127.0.0.3:{two.port}/there"
            assert b"s3cret" not in two.heard[0]
            assert b"text/plain" in two.heard[0]
            posted = {"method": "POST", "body": b"s3cret"}
            assert await why(fetch, f"{base}/other", **posted) == "redirects"
            assert len(two.heard) == 1
            await fetch.close()

    run(play())


def test_redirects_size_time_and_types_are_bounded() -> None:
    async def play() -> None:
        site = Site("127.0.0.2")
        async with up(site):
            base = f"http://127.0.0.2:{site.port}"
            site.answers |= {
                "/loop": REDIRECT % (302, b"/loop"),
                "/big": page(b"x" * 5000),
                "/packed": page(b"x", b"content-encoding: gzip"),
                "/html": page(b"x", b"content-type: text/html"),
                "/never": b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx",
                "/endless": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                 b"1000\r\n" + b"x" * 4096 + b"\r\n",
            }  # fmt: skip
            fetch = fetcher()
            assert await why(fetch, f"{base}/loop", redirects=2) == "redirects"
            assert site.paths.count("/loop") == 3
            assert await why(fetch, f"{base}/big", most=1000) == "too-large"
            assert await why(fetch, f"{base}/endless", most=1000) == "too-large"
            assert await why(fetch, f"{base}/packed") == "broken"
            assert await why(fetch, f"{base}/html", types=["application/json"]) == "type"
            assert await why(fetch, f"{base}/never", within=0.05) == "timeout"
            found = await fetch(f"{base}/html", types=["text/"])
            assert isinstance(found, Document)
            assert found.status == 200
            await fetch.close()

    run(play())


def test_only_https_at_public_addresses_unless_told_otherwise() -> None:
    async def play() -> None:
        fetch = SafeFetch()
        assert await why(fetch, "http://example.com/") == "url"
        assert await why(fetch, "https://127.0.0.1/") == "forbidden"
        await fetch.close()

    run(play())
