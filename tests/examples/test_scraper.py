"""The scraper reads pages, keeps to its bounds, and tells a model what to do when it cannot."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.examples.loading import FOLDER, example, over_http
from tests.kit.servers import Asked, Reply, pages

pytest.importorskip("mcp.server.mcpserver")

LONG = "".join(f"<p>Paragraph {number} of a page that is long.</p>" for number in range(3000))
HTML = {"content-type": "text/html"}


class Site:
    """Some pages, and what was asked of them."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.down = False

    def __call__(self, asked: Asked) -> Reply:
        self.asked.append(asked.path)
        if asked.path == "/robots.txt":
            return 200, {"content-type": "text/plain"}, b"User-agent: *\nDisallow: /private"
        if self.down:
            return 503, HTML, b""
        said = {
            "/short": b"<title>Short</title><script>steal()</script><p>Hello\xe2\x80\x8b there</p>",
            "/long": f"<title>Long</title>{LONG}".encode(),
            "/private": b"secret",
        }.get(asked.path)
        return (404, HTML, b"") if said is None else (200, HTML, said)


def tried(use: Callable[[Any, str, Site, Any], Awaitable[None]], **settings: Any) -> None:
    """Use the server through the SDK's client; its pages come from loopback."""
    from mcp.client import Client

    module = example("scraper/server.py")

    async def run() -> None:
        site = Site()
        bounds = {"hosts": ("127.0.0.1",), "networks": ("127.0.0.0/8",)}
        made = module.Made(module.Settings(**{**bounds, **settings}))
        async with pages(site) as origin, Client(made.server) as client:
            await use(client, origin, site, made)

    asyncio.run(run())


def text(result: Any) -> str:
    return "\n".join(one.text for one in result.content if one.type == "text")


def test_a_short_page_comes_whole_without_what_is_hidden_and_once() -> None:
    async def use(client: Any, origin: str, site: Site, _: Any) -> None:
        for _again in range(2):
            found = await client.call_tool("scrape_url", {"url": f"{origin}/short"})
            assert not found.is_error, text(found)
            assert text(found).splitlines()[0].startswith("Short (")
            assert "Hello there" in text(found)
            assert "steal" not in text(found)
        assert site.asked == ["/robots.txt", "/short"]

    tried(use)


def test_a_long_page_comes_as_a_preview_and_is_read_on() -> None:
    async def use(client: Any, origin: str, site: Site, _: Any) -> None:
        found = await client.call_tool("scrape_url", {"url": f"{origin}/long"})
        assert len(text(found)) < 4000
        (link,) = [one for one in found.content if one.type == "resource_link"]
        handle = str(link.uri).rpartition("/")[2]
        part = await client.call_tool("read_result", {"id": handle, "grep": "Paragraph 2999 "})
        assert "Paragraph 2999 of a page" in text(part)
        whole = await client.read_resource(str(link.uri))
        assert whole.contents[0].text.count("Paragraph") == 3000

    tried(use)


def test_many_pages_come_together_and_one_that_fails_costs_no_other() -> None:
    async def use(client: Any, origin: str, site: Site, _: Any) -> None:
        names = ("short", "long", "none", "private")
        urls = [*(f"{origin}/{name}" for name in names), "http://169.254.169.254/latest"]
        progress: list[float] = []

        async def heard(done: float, total: float | None, message: str | None) -> None:
            progress.append(done)

        found = await client.call_tool("batch_scrape", {"urls": urls}, progress_callback=heard)
        said = found.structured_content
        assert [one["title"] for one in said["pages"]] == ["Short", "Long"]
        failed = {one["url"].rpartition("/")[2]: one["code"] for one in said["failed"]}
        assert failed == {"none": "not-found", "private": "not-allowed", "latest": "invalid-input"}
        assert len(json.dumps(said)) < 5000
        assert sorted(progress) == [1, 2, 3, 4, 5]
        part = await client.call_tool("read_result", {"id": said["pages"][1]["result"]})
        assert "Paragraph 0 " in text(part)
        many = await client.call_tool("batch_scrape", {"urls": ["http://example.com"] * 21})
        assert "urls must be 1 to 20" in text(many)

    tried(use)


def test_a_caller_is_held_to_its_rate_and_told_when_to_come_back() -> None:
    async def use(client: Any, origin: str, site: Site, _: Any) -> None:
        for _again in range(2):
            assert not (await client.call_tool("scrape_url", {"url": f"{origin}/short"})).is_error
        refused = await client.call_tool("scrape_url", {"url": f"{origin}/short"})
        assert refused.is_error
        assert "No more than 2/min are admitted. Try again in" in text(refused)

    tried(use, rate="2/min")


def test_a_site_that_is_down_is_left_alone_and_health_says_so() -> None:
    async def use(client: Any, origin: str, site: Site, made: Any) -> None:
        await client.call_tool("scrape_url", {"url": f"{origin}/short"})
        site.down = True
        site.asked.clear()
        found = [await client.call_tool("scrape_url", {"url": f"{origin}/{n}"}) for n in range(6)]
        assert all(one.is_error for one in found)
        assert "has not been answering" in text(found[-1])
        assert len(site.asked) < 12
        report = await made.health.report()
        assert report["status"] == "degraded"
        counters = made.counted.snapshot()["counters"]
        assert counters["tool_calls{outcome=unavailable, tool=scrape_url}"] == 6

    tried(use)


def test_over_http_it_has_health_and_metrics_and_answers_old_clients_too() -> None:
    import httpx2
    from mcp.client import Client

    module = example("scraper/server.py")

    async def run() -> None:
        made = module.Made(module.Settings(hosts=("127.0.0.1",), networks=("127.0.0.0/8",)))
        app = made.server.streamable_http_app()
        async with over_http(app) as url, pages(Site()) as origin:
            for mode in ("2026-07-28", "legacy"):
                async with Client(f"{url}/mcp", mode=mode) as client:
                    found = await client.call_tool("scrape_url", {"url": f"{origin}/short"})
                    assert "Hello there" in text(found)
            async with httpx2.AsyncClient() as plain:
                assert (await plain.get(f"{url}/ready")).json()["status"] == "healthy"
                said = (await plain.get(f"{url}/metrics")).text
        assert 'scraper_tool_calls_total{outcome="ok",tool="scrape_url"} 2' in said

    asyncio.run(run())


def test_it_runs_with_one_command_over_stdio_and_logs_to_stderr() -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": "scrape_url", "arguments": {"url": "http://10.0.0.1/"}, "_meta": meta}
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    child = subprocess.Popen(
        [sys.executable, str(FOLDER / "scraper" / "server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(f"{line}\n")
        child.stdin.flush()
        said = json.loads(child.stdout.readline())
        assert said["result"]["isError"]
        assert "public internet" in said["result"]["content"][0]["text"]
        _, logged = child.communicate(timeout=60)
        assert all(json.loads(one)["logger"] for one in logged.splitlines())
    finally:
        child.kill()
        child.communicate()
