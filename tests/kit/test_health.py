"""Health and metrics are told truthfully, by tools and by routes, on every kind of server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from lockgate.kit import errors
from lockgate.kit.health import Health
from lockgate.kit.metrics import Metrics
from lockgate.testing import ManualClock
from tests.kit.servers import called, sdk


async def asked(app: Callable[..., Any], path: str = "/") -> tuple[int, str]:
    """GET of an ASGI application."""
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "headers": [],
        "query_string": b"", "http_version": "1.1", "scheme": "http", "root_path": "",
        "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "asgi": {"version": "3.0"},
    }  # fmt: skip
    await app(scope, receive, send)
    return said[0]["status"], b"".join(one.get("body", b"") for one in said).decode()


def app_of(server: Any) -> Callable[..., Any]:
    if hasattr(server, "http_app"):
        return server.http_app()
    return server.streamable_http_app()


def test_the_status_is_that_of_the_worst_check() -> None:
    clock = ManualClock()
    health = Health("shop", "1.2", clock=clock)
    well = {"database": True, "mail": True}

    @health.check("database")
    async def database() -> None:
        if not well["database"]:
            raise ConnectionError("password=hunter2 refused")

    @health.check("mail", needed=False)
    async def mail() -> bool:
        return well["mail"]

    def status() -> str:
        clock.advance(2)
        return asyncio.run(health.report())["status"]

    assert status() == "healthy"
    well["mail"] = False
    assert status() == "degraded"
    well["database"] = False
    assert status() == "unhealthy"
    report = asyncio.run(health.report())
    assert report["checks"] == {"database": "failing", "mail": "failing"}
    assert report["uptime_seconds"] == 6
    assert "hunter2" not in json.dumps(report)
    health.stopping = True
    assert status() == "stopping"


def test_checks_run_once_however_many_ask_and_have_their_time() -> None:
    runs = 0
    health = Health(timeout=0.02, clock=ManualClock())

    @health.check("slow")
    async def slow() -> None:
        nonlocal runs
        runs += 1
        await asyncio.Event().wait()

    async def run() -> None:
        reports = await asyncio.gather(*(health.report() for _ in range(10)))
        assert all(one["checks"] == {"slow": "failing"} for one in reports)

    asyncio.run(run())
    assert runs == 1


@pytest.mark.parametrize("number", [0, 1])
def test_routes_and_tools_of_both_sdks(number: int) -> None:
    server = sdk(number)
    health, metrics = Health("shop"), Metrics()
    health.add_to(server)
    metrics.add_to(server, tool="metrics")

    async def run() -> None:
        app = app_of(server)
        assert (await asked(app, "/health"))[0] == 200
        assert (await asked(app, "/ready"))[0] == 200
        health.stopping = True
        status, body = await asked(app, "/ready")
        assert (status, json.loads(body)["status"]) == (503, "stopping")
        assert (await asked(app, "/metrics"))[0] == 200
        failed, text = await called(server, "health")
        assert not failed
        assert json.loads(text)["service"] == "shop"
        assert not (await called(server, "metrics"))[0]

    asyncio.run(run())


def test_without_an_sdk_a_route_is_an_application_and_others_are_told_so() -> None:
    from starlette.applications import Starlette

    health = Health()
    assert asyncio.run(asked(health.ready))[0] == 200
    app: Any = Starlette()
    health.add_to(app, tool=None)
    assert asyncio.run(asked(app, "/health"))[0] == 200
    with pytest.raises(TypeError, match="no routes"):
        health.add_to(object())
    with pytest.raises(TypeError, match="no tools"):
        health.add_to(object(), live=None, ready=None)


def test_calls_are_counted_by_what_they_came_to() -> None:
    metrics = Metrics("shop")
    outcomes: list[Exception | None] = [None, errors.NotFound("x"), KeyError("x"), None]

    @metrics.measured
    async def buy(item: str) -> str:
        error = outcomes.pop(0)
        if error is not None:
            raise error
        return item

    async def run() -> None:
        for _ in range(4):
            try:
                await buy("x")
            except (errors.NotFound, KeyError):
                continue

    asyncio.run(run())
    counters = metrics.snapshot()["counters"]
    assert counters == {
        "tool_calls{outcome=ok, tool=buy}": 2,
        "tool_calls{outcome=not-found, tool=buy}": 1,
        "tool_calls{outcome=error, tool=buy}": 1,
    }
    page = metrics.text()
    assert 'shop_tool_calls_total{outcome="ok",tool="buy"} 2' in page
    assert 'shop_tool_seconds_count{tool="buy"} 4' in page
    assert metrics.snapshot()["seconds"]["tool{tool=buy}"]["count"] == 4


def test_a_cancelled_call_is_counted_as_that() -> None:
    metrics = Metrics()

    @metrics.measured
    async def wait() -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert metrics.snapshot()["counters"] == {"tool_calls{outcome=cancelled, tool=wait}": 1}


def test_labels_that_somebody_else_chooses_take_no_more_than_their_room() -> None:
    metrics = Metrics(most=10)
    for number in range(1000):
        metrics.count("pages", host=f"h{number}")
        metrics.took("fetch", 0.2, host=f"h{number}")
    snapshot = metrics.snapshot()
    assert len(snapshot["counters"]) == len(snapshot["seconds"]) == 11
    assert snapshot["counters"]["pages{host=other}"] == 990
    metrics.count("odd", host='a"\n\\' + "x" * 500)
    assert 'host="a\\"\\n\\\\xxx' in metrics.text()


def test_gauges_are_read_when_somebody_asks_and_names_have_to_be_names() -> None:
    metrics = Metrics()
    size = [1.0]
    metrics.gauge("queue", lambda: size[0])
    metrics.gauge("broken", lambda: 1 / 0)
    size[0] = 7
    assert "mcp_queue 7" in metrics.text()
    assert "broken" not in metrics.text()
    assert metrics.snapshot()["gauges"] == {"queue": 7, "broken": None}
    for name in ("", "a b", "1a", "a\n"):
        with pytest.raises(ValueError, match="names of metrics"):
            metrics.count(name)
        with pytest.raises(ValueError, match="names of metrics"):
            Metrics(name)
