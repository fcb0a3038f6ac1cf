"""The listener for operators, and what is left for everybody else."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lockgate.config.load import examine
from lockgate.identity.keys import new_key, write_keys
from lockgate.observe.exposition import Exposition
from lockgate.observe.meter import BOUNDS, Histogram
from lockgate.observe.turned_away import TURNED_AWAY
from tests.bridge.clients import Client, Json
from tests.fronts.served import run
from tests.gateway.reloading import Changing, changing
from tests.security.controls import holds
from tests.support.waiting import until

TOKEN = "a-token-of-operators"
SAMPLE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? (\S+)$")


@asynccontextmanager
async def watched(
    admin: Json | None = None, **settings: Any
) -> AsyncIterator[tuple[Changing, str]]:
    """A gateway with a listener for operators, and where that is."""
    async with changing(admin={"port": 0, **(admin or {})}, **settings) as w:
        where = await w.gateway.serve_admin()
        assert where is not None
        yield w, where


async def fetched(
    url: str, path: str, token: str | None = None, verb: str = "GET", host: str | None = None
) -> tuple[int, str]:
    """Status and body of one request."""
    where = url.removeprefix("http://").partition("/")[0]
    prefix = url.removeprefix(f"http://{where}")
    host = host or where
    name, _, port = where.rpartition(":")
    reader, writer = await asyncio.open_connection(name.strip("[]"), int(port))
    shown = f"Authorization: Bearer {token}\r\n" if token is not None else ""
    head = f"{verb} {prefix}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{shown}\r\n"
    writer.write(head.encode())
    answer = (await reader.read()).decode()
    writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split(" ")[1]), body


def samples(page: str) -> dict[str, float]:
    """Every sample; fails the test where the page is not of the format."""
    found: dict[str, float] = {}
    typed: set[str] = set()
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            name = line.split(" ")[2]
            assert name not in typed, "a family is written in one piece"
            typed.add(name)
        elif not line.startswith("# HELP "):
            matched = SAMPLE.match(line)
            assert matched, line
            family = re.sub(r"_(bucket|sum|count)$", "", matched[1])
            assert {matched[1], family} & typed, line
            assert line.rsplit(" ", 1)[0] not in found, line
            found[line.rsplit(" ", 1)[0]] = float(matched[3])
    return found


def test_operators_are_told_everything_and_others_a_word() -> None:
    async def play() -> None:
        async with watched() as (w, url):
            public = f"http://127.0.0.1:{w.port}"
            status, body = await fetched(url, "/ready")
            assert status == 200
            assert set(json.loads(body)["servers"]) == {"child", "old", "new"}
            assert await fetched(public, "/ready") == (200, '{"status":"serving"}')
            assert await fetched(public, "/health") == (200, '{"status":"ok"}')
            assert (await fetched(public, "/metrics"))[0] == 404
            assert (await fetched(url, "/mcp"))[0] == 404
            assert (await fetched(url, "/metrics", verb="POST"))[0] == 405

    run(play())


@pytest.mark.parametrize(
    "settings",
    [
        {"endpoints": {"/one": {"servers": ["old"]}}},
        {"access": {"rules": [{"allow": "old"}]}},
    ],
    ids=["endpoints", "rules"],
)
def test_where_some_see_less_strangers_are_not_told_which_servers_there_are(settings: Json) -> None:
    async def play() -> None:
        async with changing(**settings) as w:
            public = f"http://127.0.0.1:{w.port}"
            assert await fetched(public, "/ready") == (200, '{"status":"serving"}')

    run(play())


def test_calls_are_counted_by_endpoint_server_and_outcome() -> None:
    async def play() -> None:
        async with watched(endpoints={"/one": {"tools": ["new/*"], "servers": ["new"]}}) as (
            w,
            url,
        ):
            for path in ("/mcp", "/one"):
                client = await w.client("M", path=path)
                for _ in range(3):
                    _ = (await client.call("new__echo", a=1)).result
                _ = (await client.call("new__fail", code=-32000, message="no")).error
                _ = (await client.call("absent")).error
            old = await w.client("L")
            _ = (await old.call("old__echo")).result
            lost = Client(w.port, "M")
            w.stack.callback(lost.close)
            _ = (await lost.begin("made/up")).error
            status, page = await fetched(url, "/metrics")
            assert status == 200
            found = samples(page)

            def calls(endpoint: str, outcome: str, method: str = "tools/call") -> float:
                labels = f'endpoint="{endpoint}",method="{method}",outcome="{outcome}"'
                return found[f"lockgate_calls_total{{{labels}}}"]

            assert calls("/one", "ok") == 3
            assert calls("/mcp", "ok") == 4
            assert calls("/one", "upstream") == calls("/one", "client") == 1
            labels = 'endpoint="/one",method="tools/call"'
            assert found[f"lockgate_call_seconds_count{{{labels}}}"] == 5
            assert found[f'lockgate_call_seconds_bucket{{{labels},le="+Inf"}}'] == 5
            assert found['lockgate_server_calls_total{server="new",outcome="ok"}'] >= 6
            assert found['lockgate_server_calls_total{server="new",outcome="upstream-error"}'] == 2
            assert found['lockgate_server_phase{server="old",phase="ready"}'] == 1
            assert found['lockgate_breaker_phase{server="old",phase="closed"}'] == 1
            assert found['lockgate_sessions{endpoint="/mcp"}'] == 1
            reason = 'endpoint="/one",origin="client",reason="unknown-tool"'
            assert found[f"lockgate_failures_total{{{reason}}}"] == 1
            assert "made/up" not in page
            labels = 'server="new",tool="echo"'
            assert found[f"lockgate_tool_result_tokens_total{{{labels}}}"] > 0
            assert found['lockgate_definition_tokens{server="new",form="written"}'] > 0
            assert found["lockgate_http_requests_total"] > 10

    run(play())


def test_counts_go_on_over_a_reload() -> None:
    async def play() -> None:
        async with watched() as (w, url):
            client = await w.client("M")
            _ = (await client.call("new__echo")).result
            w.settings["page_size"] = 7
            await w.reload(child=None)
            _ = (await client.call("new__echo")).result
            found = samples((await fetched(url, "/metrics"))[1])
            labels = 'endpoint="/mcp",method="tools/call",outcome="ok"'
            assert found[f"lockgate_calls_total{{{labels}}}"] == 2
            assert found["lockgate_configuration_refused"] == 0
            w.gateway.refuse_reload()
            found = samples((await fetched(url, "/metrics"))[1])
            assert found["lockgate_configuration_refused"] == 1

    run(play())


@holds(10)
def test_a_token_guards_all_but_health() -> None:
    async def play() -> None:
        async with watched({"token": TOKEN, "path": "/ops"}) as (_, url):
            assert url.endswith("/ops")
            for path in ("/ready", "/metrics"):
                for wrong in (None, "", "other", TOKEN + "x", TOKEN.upper()):
                    status, body = await fetched(url, path, wrong)
                    assert status == 401
                    assert json.loads(body)["error"]["reason"] == "admin-refused"
                assert (await fetched(url, path, TOKEN))[0] == 200
            assert (await fetched(url, "/health"))[0] == 200
            # Scrapers ask for addresses, and have a token that a page in a browser has not.
            assert (await fetched(url, "/metrics", TOKEN, host="10.0.0.5:4041"))[0] == 200

    run(play())


def test_without_a_token_a_page_in_a_browser_learns_nothing() -> None:
    async def play() -> None:
        async with watched() as (_, url):
            for path in ("/metrics", "/ready", "/health"):
                assert (await fetched(url, path, host="rebound.example"))[0] == 421

    run(play())


def test_nothing_is_counted_where_nobody_can_ask() -> None:
    async def play() -> None:
        async with changing() as w:
            assert await w.gateway.serve_admin() is None
            assert w.gateway._engine._meter is None

    run(play())


def test_readiness_tells_of_the_drain() -> None:
    async def play() -> None:
        async with watched() as (w, url):
            client = await w.client("M")
            waits = asyncio.create_task(client.call("new__wait", gate="g"))
            await w.new.happened("at g")
            stopping = asyncio.create_task(w.gateway.stop(5))
            await until(lambda: w.gateway.phase == "draining")
            status, body = await fetched(url, "/ready")
            assert status == 503
            assert json.loads(body)["status"] == "draining"
            w.new.let("g")
            await waits
            await stopping

    run(play())


@pytest.mark.parametrize(
    ("admin", "found"),
    [
        ({"host": "0.0.0.0"}, {"admin-open"}),
        ({"host": "0.0.0.0", "token": TOKEN}, set[str]()),
        ({"host": "::1"}, set[str]()),
    ],
)
def test_strangers_need_a_token(tmp_path: Path, admin: Json, found: set[str]) -> None:
    file = tmp_path / "lockgate.json"
    servers = {"one": {"url": "http://127.0.0.1:9/mcp"}}
    file.write_text(json.dumps({"servers": servers, "lockgate": {"admin": admin}}))
    findings = examine(file, {}).findings.ordered()
    assert {one.id for one in findings if one.severity == "error"} == found


def test_labels_are_quoted_and_histograms_add_up() -> None:
    page = Exposition()
    took = Histogram()
    for seconds in (0.0, BOUNDS[0], 0.3, 1e6):
        took.add(seconds)
    page.histogram("h", "Of this.", [((("server", 'a"b\\c\nd'),), took)])
    page.family("g", "gauge", "Of that.", [((), 1.5)])
    page.family("none", "gauge", "Of nothing.", [])
    text = page.text().decode()
    assert 'h_bucket{server="a\\"b\\\\c\\nd",le="0.001"} 2\n' in text
    assert 'le="+Inf"} 4\n' in text
    assert "g 1.5\n" in text
    assert "none" not in text


def test_callers_that_are_not_let_in_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        listed = tmp_path / "keys.json"
        listed.write_bytes(write_keys([new_key("ann", 0.0)[1]]))
        listed.chmod(0o600)
        async with watched(auth={"keys_file": str(listed)}) as (w, url):
            for shown in (None, "lg_wrong"):
                status, _ = await fetched(f"http://127.0.0.1:{w.port}", "/mcp", shown, "POST")
                assert status == 401
            found = samples((await fetched(url, "/metrics"))[1])
            name = "lockgate_callers_refused_total"
            counted = {key: n for key, n in found.items() if key.startswith(name)}
            assert sum(counted.values()) == 2
            assert all('endpoint="/mcp"' in key for key in counted)

    TURNED_AWAY.clear()
    with caplog.at_level("INFO", "lockgate.callers"):
        run(play())
    assert "lg_wrong" not in caplog.text
    assert caplog.text.count("caller refused") == 2
