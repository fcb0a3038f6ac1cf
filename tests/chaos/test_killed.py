"""`lockgate up` killed with SIGKILL in a storm, and started again."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sqlite3
from pathlib import Path

import pytest

from tests.chaos.callers import Caller, Load
from tests.chaos.company import Company
from tests.chaos.process import children, up, whole
from tests.chaos.schedule import chosen_seconds, chosen_seed
from tests.chaos.storm import CLIENTS, Verdict, callers, eventually, fleet
from tests.fronts.served import run
from tests.gateway.reloading import alive
from tests.support.running import free_port

pytestmark = pytest.mark.xdist_group("chaos")


def test_the_gateway_is_killed_in_a_storm_and_started_again(tmp_path: Path) -> None:
    seed = chosen_seed(7)
    print(f"to have the same storm again: LOCKGATE_CHAOS_SEED={seed}")
    run(killed(tmp_path, seed), 120 + chosen_seconds(0))


async def killed(folder: Path, seed: int) -> None:
    async with fleet(folder) as servers:
        port, config, store = free_port(), folder / "mcp.json", folder / "store.db"
        entries = servers.entries()
        entries["well-modern"]["tools"] = {"kept": {"cache": {"ttl": 600, "public": True}}}
        settings = {
            "naming": "prefix",
            "store": f"sqlite:{store}",
            "session": {"keys": [base64.b64encode(os.urandom(32)).decode()]},
        }
        config.write_text(json.dumps({"mcpServers": entries, "lockgate": settings}))
        config.chmod(0o600)
        tools = {f"{name}__act" for name in servers.all}
        process = up(config, port)
        clients: list[Caller] = []
        try:
            await eventually(lambda: whole(port, tools), 30, "the gateway is ready")
            clients += await callers(port, CLIENTS)
            company = Company(port, servers, seed)
            await company.arrive()
            sessions = [one.session for one in clients]
            kept = await clients[0].call("well-modern", "kept", nonce="kept")
            assert kept.kind == "result", kept
            load = Load(clients, list(servers.all), seed)
            load.start()
            company.begin()
            storm = asyncio.ensure_future(servers.play(seed, chosen_seconds(5)))
            await asyncio.sleep(2)
            left = children(process.pid)
            process.kill()
            process.wait(60)

            async def gone() -> bool:
                return not any(alive(one) for one in left)

            assert len(left) >= 2
            await eventually(gone, 10, "children do not outlive the gateway")
            process = up(config, port)
            await storm
            load.check()
            await eventually(lambda: whole(port, tools), 40, "every server is back")
            await load.stop()
            # Those it was killed with are cut, and opened again at the next one.
            await company.recovered(servers.well)

            async def works() -> bool:
                asked = [(one, name) for one in clients[:8] for name in servers.all]
                return all([(await one.call(name, "act")).kind == "result" for one, name in asked])

            await eventually(works, 30, "every tool of every server answers")
            # Sealed with a key that both processes have, sessions went on.
            assert [one.session for one in clients] == sessions
            again = await clients[0].call("well-modern", "kept", nonce="kept")
            assert again.body["structuredContent"] == kept.body["structuredContent"]
            assert servers.runs()["well-modern kept"] == 1, "what was kept on disk is there"
            verdict = Verdict(load, servers, interrupted=True)
            print(verdict.summary())
            verdict.all()
            company.check(interrupted=True)
            await company.leave()
        finally:
            for one in clients:
                one.close()
            process.terminate()
            process.wait(60)
        with sqlite3.connect(store) as database:
            assert database.execute("pragma integrity_check").fetchone() == ("ok",)
