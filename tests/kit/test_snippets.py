"""Every snippet of the pages runs, as it stands, and does what its page says."""

from __future__ import annotations

import ast
import asyncio
import inspect
import logging
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from lockgate.kit import errors, execute, fetch, shutdown
from tests.kit.servers import LOOPBACK, Asked, Reply, called, pages
from tests.support.running import free_port
from tests.support.waiting import until

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "kit"
PAGES = sorted(path.stem for path in FOLDER.glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OF_OTHERS = {"results", "memory"}
"""Pages with a test of their own."""

Namespace = dict[str, Any]


def snippets(page: str) -> str:
    return "\n".join(BLOCK.findall((FOLDER / f"{page}.md").read_text("utf-8")))


def compiled(source: str, page: str) -> CodeType:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return compile(source, f"docs/kit/{page}.md", "exec", flags=flags, dont_inherit=True)


async def ran(page: str, **changed: str) -> Namespace:
    source = snippets(page)
    for old, new in changed.items():
        source = source.replace(old, new)
    namespace: Namespace = {"__name__": f"docs_{page}"}
    found = eval(compiled(source, page), namespace)  # noqa: S307 - our own pages
    if inspect.iscoroutine(found):
        await found
    return namespace


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    before, level, told = list(root.handlers), root.level, logging.raiseExceptions
    yield
    root.handlers, root.level, logging.raiseExceptions = before, level, told


def answer(_: Asked) -> Reply:
    return 200, {"content-type": "text/html"}, b"<title>Example</title><p>Hello</p>"


def test_every_page_has_snippets_and_is_no_longer_than_two_screens() -> None:
    for page in set(PAGES) - OF_OTHERS:
        text = (FOLDER / f"{page}.md").read_text("utf-8")
        assert snippets(page), page
        assert text.count("\n") <= 90, page


async def of_errors(found: Namespace) -> None:
    with pytest.raises(errors.NotFound, match="Use a page from 1 to 6"):
        await found["read"](7)
    with pytest.raises(errors.Internal, match="reference"):
        await found["risky"]("unknown")


async def of_validate(found: Namespace) -> None:
    assert await found["rows"]("users") == "SELECT * FROM users LIMIT 100"
    with pytest.raises(errors.InvalidInput):
        await found["rows"]("secrets")
    with pytest.raises(errors.InvalidInput):
        await found["read_file"]("../../etc/passwd")


async def of_request(found: Namespace) -> None:
    assert await called(found["server"], "whoami") == (False, "anonymous called whoami")


async def of_metrics(found: Namespace) -> None:
    assert await called(found["server"], "buy", item="y") == (False, "y")
    assert "shop_queue_length 3" in found["counted"].text()


async def of_health(found: Namespace) -> None:
    failed, text = await called(found["server"], "health")
    assert not failed
    assert "degraded" in text


async def nothing(found: Namespace) -> None:
    del found


CHECKS: dict[str, Callable[[Namespace], Awaitable[None]]] = {
    "errors": of_errors,
    "validate": of_validate,
    "request": of_request,
    "metrics": of_metrics,
    "health": of_health,
}
APART = {"fetch", "index", "shutdown", "logs", "execute"} | OF_OTHERS


@pytest.mark.parametrize("page", [page for page in PAGES if page not in APART])
def test_the_snippets_of_a_page_run(page: str) -> None:
    async def run() -> None:
        await CHECKS.get(page, nothing)(await ran(page))

    asyncio.run(run())


@pytest.mark.skipif(bool(execute.missing()), reason="this host enforces no sandbox")
def test_the_snippets_about_running_code_run() -> None:
    asyncio.run(ran("execute"))


@pytest.fixture
def nearby(monkeypatch: pytest.MonkeyPatch) -> None:
    real = fetch.Client
    monkeypatch.setattr(fetch, "Client", lambda **more: real(networks=LOOPBACK, **more))


@pytest.mark.usefixtures("nearby")
def test_the_snippets_about_fetching_run() -> None:
    async def run() -> None:
        async with pages(answer) as origin:
            found = await ran("fetch", **{"https://example.com": origin})
            assert found["title"] == "Example"

    asyncio.run(run())


@pytest.mark.usefixtures("nearby")
def test_the_tool_that_stands_for_all_of_it_runs() -> None:
    async def run() -> None:
        async with pages(answer) as origin:
            # What leads to loopback is refused before it is fetched; the rest is as it stands.
            found = await ran("index", **{"validate.url(url)": "url"})
            assert await called(found["server"], "read_page", url=origin) == (False, "Hello")
            counters = found["counted"].snapshot()["counters"]
            assert counters == {"tool_calls{outcome=ok, tool=read_page}": 1}
        strict = await ran("index")
        failed, text = await called(strict["server"], "read_page", url="http://127.0.0.1/")
        assert failed
        assert "public internet" in text

    asyncio.run(run())


def test_the_line_of_a_log_is_the_one_on_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(ran("logs"))
    said = re.sub(r'"time": "[^"]+"', '"time": "2026-11-21T20:00:00.000Z"', capsys.readouterr().err)
    (shown,) = re.findall(r"```text\n(.*?)```", (FOLDER / "logs.md").read_text(), re.DOTALL)
    assert said.split() == shown.split()


def test_the_server_that_waits_starts_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[shutdown.Shutdown] = []
    real = shutdown.Shutdown

    def kept(*args: Any, **named: Any) -> shutdown.Shutdown:
        made.append(real(*args, **named))
        return made[-1]

    monkeypatch.setattr(shutdown, "Shutdown", kept)

    source = snippets("shutdown").replace("8000", f"{free_port()}, log_level='critical'")

    async def main() -> None:
        namespace: Namespace = {"__name__": "docs_shutdown"}
        exec(compiled(source, "shutdown"), namespace)  # noqa: S102 - our own page
        serving = asyncio.create_task(namespace["main"]())
        await until(lambda: made)
        made[0].stop()
        await asyncio.wait_for(serving, 60)

    asyncio.run(main())
