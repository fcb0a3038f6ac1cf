"""Pages come from where strangers may send us, and from nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from time import time
from typing import Any

import pytest

from lockgate.kit import errors, fetch
from tests.kit.servers import LOOPBACK, Asked, Reply, pages


def fetched(
    answer: Callable[[Asked], Reply],
    use: Callable[[fetch.Client, str], Awaitable[Any]],
    **more: Any,
) -> Any:
    async def run() -> Any:
        async with pages(answer) as origin, fetch.Client(networks=LOOPBACK, **more) as client:
            return await use(client, origin)

    return asyncio.run(run())


def page(body: bytes = b"hello", status: int = 200, **headers: str) -> Callable[[Asked], Reply]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: (status, {"content-type": "text/plain", **named}, body)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://127.0.0.1:{port}/", errors.NotAllowed),
        ("http://localhost:{port}/", errors.NotAllowed),
        ("http://[::ffff:127.0.0.1]:{port}/", errors.NotAllowed),
        ("http://169.254.169.254/latest/meta-data", errors.NotAllowed),
        ("http://10.0.0.1/", errors.NotAllowed),
        ("file:///etc/passwd", errors.InvalidInput),
        ("http://user:pass@example.com/", errors.InvalidInput),
        ("http://0x7f.1/", errors.InvalidInput),
        ("gopher://example.com/", errors.InvalidInput),
    ],
)
def test_what_leads_inside_is_not_fetched(url: str, kind: type[errors.ToolError]) -> None:
    reached: list[Asked] = []

    def answer(asked: Asked) -> Reply:
        reached.append(asked)
        return 200, {}, b"secret"

    async def run() -> None:
        async with pages(answer) as origin, fetch.Client() as client:
            with pytest.raises(kind):
                await client.get(url.format(port=origin.rpartition(":")[2]))

    asyncio.run(run())
    assert not reached


def test_metadata_is_never_reached_even_where_its_network_is_named() -> None:
    async def run() -> None:
        async with fetch.Client(networks=["169.254.0.0/16"], timeout=2) as client:
            with pytest.raises(errors.NotAllowed):
                await client.get("http://169.254.169.254/")

    asyncio.run(run())


def test_networks_that_are_named_may_be_reached() -> None:
    found = fetched(page(), lambda client, origin: client.get(f"{origin}/a?b=c"))
    assert (found.status, found.text, found.type) == (200, "hello", "text/plain")
    assert found.url.endswith("/a?b=c")


def test_a_redirect_is_judged_like_the_first_url() -> None:
    def answer(asked: Asked) -> Reply:
        return (302, {"location": "http://10.0.0.1/"}, b"") if asked.path == "/" else (200, {}, b"")

    async def use(client: fetch.Client, origin: str) -> None:
        with pytest.raises(errors.NotAllowed):
            await client.get(f"{origin}/")

    fetched(answer, use)


def test_only_hosts_that_are_named_are_asked_redirects_included() -> None:
    def answer(asked: Asked) -> Reply:
        port = asked.headers["host"].rpartition(":")[2]
        return 302, {"location": f"http://127.0.0.2:{port}/"}, b""

    async def use(client: fetch.Client, origin: str) -> None:
        for url in (f"{origin}/", "http://example.com/"):
            with pytest.raises(errors.NotAllowed, match="hosts that are allowed"):
                await client.get(url)

    fetched(answer, use, hosts=["127.0.0.1"])


def test_what_is_sent_is_what_was_given() -> None:
    seen: list[Asked] = []

    def answer(asked: Asked) -> Reply:
        seen.append(asked)
        return 200, {"content-type": "application/json"}, b'{"ok": true}'

    async def use(client: fetch.Client, origin: str) -> None:
        found = await client.post(f"{origin}/x", json={"a": 1}, headers={"X-One": "1"})
        assert found.json() == {"ok": True}

    fetched(answer, use, agent="tried/1")
    (asked,) = seen
    assert (asked.method, asked.body) == ("POST", b'{"a":1}')
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["x-one"] == "1"
    assert asked.headers["user-agent"] == "tried/1"


def test_it_is_bounded_in_bytes_time_and_kind() -> None:
    async def use(client: fetch.Client, origin: str) -> None:
        with pytest.raises(errors.TooLarge):
            await client.get(f"{origin}/")
        with pytest.raises(errors.InvalidInput, match="media type"):
            await client.get(f"{origin}/", types=["application/json"])

    fetched(page(b"x" * 2000), use, max_bytes=1000)

    async def late() -> None:
        never = asyncio.Event()

        async def answer(_: Asked) -> Reply:
            await never.wait()
            return 200, {}, b""

        async with pages(answer) as origin, fetch.Client(networks=LOOPBACK) as client:
            with pytest.raises(errors.TimedOut):
                await client.get(f"{origin}/", timeout=0.05)

    asyncio.run(late())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, errors.NotFound),
        (410, errors.NotFound),
        (401, errors.NotAllowed),
        (403, errors.NotAllowed),
        (429, errors.RateLimited),
        (504, errors.TimedOut),
        (500, errors.Unavailable),
        (418, errors.Unavailable),
    ],
)
def test_a_status_that_is_no_answer_becomes_the_error_it_is(
    status: int, kind: type[errors.ToolError]
) -> None:
    found = fetched(page(status=status, retry_after="7"), lambda c, o: c.get(f"{o}/"))
    with pytest.raises(kind, match=f"HTTP {status}") as caught:
        found.require_ok()
    assert caught.value.retry_after == pytest.approx(7, abs=0.01)


def test_a_moment_to_come_back_may_be_a_date() -> None:
    later = formatdate(time() + 90, usegmt=True)
    found = fetched(page(status=503, retry_after=later), lambda c, o: c.get(f"{o}/"))
    with pytest.raises(errors.Unavailable) as caught:
        found.require_ok()
    assert 80 < (caught.value.retry_after or 0) < 91
    nonsense = fetched(page(status=503, retry_after="soon"), lambda c, o: c.get(f"{o}/"))
    with pytest.raises(errors.Unavailable) as caught:
        nonsense.require_ok()
    assert caught.value.retry_after is None


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-type": "text/html; charset=ISO-8859-1"}, "caf\xe9".encode("latin-1")),
        ({"content-type": "text/html"}, '<meta charset="latin-1">caf\xe9'.encode("latin-1")),
        ({"content-type": "text/html; charset=none-such"}, b"caf\xc3\xa9"),
        ({}, b"caf\xc3\xa9"),
    ],
)
def test_text_is_read_as_it_says_it_is_written(headers: Mapping[str, str], body: bytes) -> None:
    found = fetched(lambda _: (200, headers, body), lambda c, o: c.get(f"{o}/"))
    assert found.text.endswith("caf\xe9")


def test_what_is_no_json_is_said_to_be_none() -> None:
    found = fetched(page(b"<html>"), lambda c, o: c.get(f"{o}/"))
    with pytest.raises(errors.Unavailable, match="no JSON"):
        found.json()


def test_nobody_there_is_unavailable() -> None:
    async def run() -> None:
        async with pages(page()) as origin:
            pass
        async with fetch.Client(networks=LOOPBACK) as client:
            with pytest.raises(errors.Unavailable):
                await client.get(f"{origin}/")

    asyncio.run(run())
