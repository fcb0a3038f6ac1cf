"""The same functions answer by REST and by MCP, with the same bounds and the same words."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.examples.loading import example, over_http

pytest.importorskip("fastapi")


def test_both_sides_do_the_same_and_fail_with_the_same_words() -> None:
    import httpx2
    from mcp.client import Client

    async def run() -> None:
        app = example("rest_and_mcp/server.py").make()
        async with over_http(app) as url, httpx2.AsyncClient(base_url=url) as rest:
            made = await rest.post("/api/add_note", params={"title": "Milk"})
            assert made.json() == {"id": 1, "title": "Milk", "text": ""}
            for mode in ("2026-07-28", "legacy"):
                async with Client(f"{url}/mcp", mode=mode) as client:
                    tools = [tool.name for tool in (await client.list_tools()).tools]
                    assert tools == ["add_note", "find_notes", "delete_note"]
                    found: Any = await client.call_tool("find_notes", {"words": "milk"})
                    assert found.structured_content["result"][0]["title"] == "Milk"
                    failed: Any = await client.call_tool("delete_note", {"id": 7})
                    assert failed.is_error
                    words = failed.content[0].text
            missing = await rest.post("/api/delete_note", params={"id": 7})
            assert missing.status_code == 404
            assert missing.json()["error"]["message"] in words
            hidden = await rest.post("/api/add_note", params={"title": "a\u202eb"})
            assert (hidden.status_code, hidden.json()["error"]["code"]) == (422, "invalid-input")
            assert (await rest.post("/api/add_note")).status_code == 422
            paths = (await rest.get("/openapi.json")).json()["paths"]
            assert {"/api/add_note", "/api/find_notes", "/api/delete_note"} <= set(paths)
            assert (await rest.get("/ready")).json()["status"] == "healthy"
            assert 'outcome="not-found",tool="delete_note"} 3' in (await rest.get("/metrics")).text

    asyncio.run(run())


def test_the_rate_holds_for_both_together() -> None:
    import httpx2

    async def run() -> None:
        app = example("rest_and_mcp/server.py").make(rate="2/min")
        async with over_http(app) as url, httpx2.AsyncClient(base_url=url) as rest:
            for _ in range(2):
                assert (await rest.post("/api/find_notes")).status_code == 200
            refused = await rest.post("/api/find_notes")
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) > 50

    asyncio.run(run())
