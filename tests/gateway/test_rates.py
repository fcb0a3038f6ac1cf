"""Rate limits through running gateways: statuses and headers, replicas, a store that is killed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from lockgate.config.load import load
from lockgate.core.store import Store, StoreGone
from lockgate.errors import LockgateError
from tests.fronts.served import run
from tests.gateway.reloading import changing
from tests.security.world import (
    JSON,
    SCHEMA,
    Answer,
    Json,
    Peer,
    World,
    before,
    gateway,
    modern,
    until,
)
from tests.support.valkey import valkey


async def act(_: Peer, __: Any, message: Json, responder: Any) -> None:
    result = {"resultType": "complete", "content": [], "structuredContent": {}}
    body = {"jsonrpc": "2.0", "id": message["id"], "result": result}
    responder.send(200, (JSON,), json.dumps(body).encode())


def peer() -> Peer:
    tools = [{"name": name, "inputSchema": SCHEMA} for name in ("echo", "slow_one")]
    return Peer("peer", act, tools=tools)


def rates(*written: str, scope: str = "per_principal") -> Json:
    return {scope: list(written)}


async def statuses(w: World, count: int, name: str = "echo") -> list[int]:
    return [(await w.call(name)).status for _ in range(count)]


def test_stateless_clients_get_429_with_headers() -> None:
    async def check() -> None:
        async with before(peer(), rate=rates("3/min")) as w:
            assert await statuses(w, 3) == [200] * 3
            refused = await w.call("echo")
            assert refused.status == 429
            data: Any = refused.error["data"]
            assert data["reason"] == "rate-limited"
            assert 59 < data["retry_after"] <= 60
            assert data["limit"] == "3/min"
            assert refused.headers["retry-after"] == "60"
            assert refused.headers["ratelimit-policy"] == '"principal";q=3;w=60'
            assert refused.headers["ratelimit"] == '"principal";r=0;t=60'

    run(check())


@pytest.mark.parametrize("shared", [False, True])
def test_endpoints_have_rates_of_their_own(shared: bool, tmp_path: Path) -> None:
    endpoints = {"/tight": {"rate": rates("2/min")}, "/wide": {}}
    settings: Json = {"endpoints": endpoints, "rate": rates("4/min")}
    if shared:
        settings["store"] = f"sqlite:{tmp_path / 'shared.db'}"

    async def ask(w: World, path: str) -> Answer:
        body, fields = modern("tools/call", {"name": "echo", "arguments": {}})
        return await w.http(body, path=path, fields=list(fields.items()))

    async def check() -> None:
        async with before(peer(), **settings) as w:
            assert [(await ask(w, "/tight")).status for _ in range(3)] == [200, 200, 429]
            refused = await ask(w, "/tight")
            assert "endpoint /tight takes 2/min" in refused.error["message"]
            # What all are held to together counts what comes to any of them.
            assert [(await ask(w, "/wide")).status for _ in range(3)] == [200, 200, 429]
            assert (await ask(w, "/mcp")).status == 429

    run(check())


def test_tools_have_rates_of_their_own() -> None:
    server = {"tools": {"slow_*": {"rate": {"total": ["1/min"]}}}, "rate": {"total": ["4/min"]}}

    async def check() -> None:
        async with before(peer(), server=server) as w:
            assert await statuses(w, 2, "slow_one") == [200, 429]
            assert await statuses(w, 4) == [200] * 3 + [429]
            assert (await w.tools()) == ["echo", "slow_one"]

    run(check())


def test_replicas_share_their_rates_and_go_on_without_the_store() -> None:
    async def check() -> None:
        with valkey() as server:
            settings: Json = {"rate": rates("4/hour"), "store": server.url}
            async with before(peer(), **settings) as one:
                url = one.gateway._config.servers["peer"].url
                entries = {"peer": {"url": url, "era": "modern"}}
                async with gateway(entries, **settings) as two:
                    for w in (one, two):
                        await answering(w.gateway._store)
                    found = [(await w.call("echo")).status for w in (one, two) * 3]
                    assert found == [200] * 4 + [429] * 2
                    server.kill()
                    # Who was refused stays so; a new caller would be counted by each by itself.
                    assert (await two.call("echo")).status == 429

    run(check())


async def answering(store: Store | None) -> None:
    """On a busy machine the first connection may take longer than a question may."""
    assert store is not None
    while True:
        try:
            await store.get("anything")
        except StoreGone:
            await asyncio.sleep(0.05)
        else:
            return


def test_notifications_that_go_to_servers_count() -> None:
    changed = "notifications/roots/list_changed"

    async def check() -> None:
        async with changing(rate=rates("9/h")) as w:
            client = await w.client("L")
            assert (await client.call("old__echo", a=1)).said
            for _ in range(20):
                await client.tell(changed)
            await until(
                lambda: not w.gateway._endpoints.served["/mcp"].exchange._dialogue._background
            )
            await until(lambda: len(w.old.seen(changed)) >= 1)
            begun = await client.call("old__echo", a=1)
            assert begun.error["data"]["reason"] == "rate-limited"
            assert len(w.old.seen(changed)) < 9

    run(check())


def test_while_the_store_is_away_calls_are_answered() -> None:
    async def check() -> None:
        settings: Json = {"rate": rates("4/hour"), "store": "redis://127.0.0.1:1/0"}
        async with before(peer(), **settings) as w:
            assert await statuses(w, 5) == [200] * 4 + [429]

    run(check())


def test_settings_are_read_shown_and_judged(tmp_path: Path) -> None:
    servers = {"x": {"command": "true", "tools": {"a*": {"rate": {"total": ["5/s"]}}}}}
    file = tmp_path / "mcp.json"

    def write(**settings: Any) -> Path:
        file.write_text(json.dumps({"mcpServers": servers, "lockgate": settings}))
        file.chmod(0o600)
        return file

    config = load(write(store="redis://u:hunter2secret@h:1/0", rate={"total": ["1/s"]}), {})
    assert "hunter2secret" in config.secrets
    assert "hunter2secret" not in repr(config)
    (tmp_path / "state").mkdir()
    config = load(write(store="sqlite:state/x.db"), {})
    assert config.lockgate.store is not None
    assert config.lockgate.store.get_secret_value() == f"sqlite:{tmp_path / 'state/x.db'}"
    for bad in ({"store": "http://x"}, {"rate": {"total": ["5 per second"]}}):
        with pytest.raises(LockgateError):
            load(write(**bad), {})
