"""Whole gateways that find by meaning with an embedder that is a service."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer

import lockgate
from lockgate.errors import LockgateError
from lockgate.gateway import minilm, nearness
from tests.fronts.served import run
from tests.gateway.reloading import Changing, changing
from tests.gateway.test_admin import fetched, samples
from tests.gateway.test_definitions import EVIL
from tests.gateway.test_discovery import peer, said, tool
from tests.hosts import serving
from tests.security.world import World, before
from tests.support.embedding import KEY, Service, service
from tests.support.waiting import until

pytest.importorskip("numpy")


def searching_by(one: Service, folder: Path, **more: Any) -> dict[str, Any]:
    vectors = str(folder / "vectors.sqlite")
    return {"semantic": "auto", "vectors": vectors, "embedder": one.settings(**more)}


async def ready(w: World | Changing) -> None:
    """Wait until tools are found by meaning."""
    await until(lambda: phase(w) == "ready" and w.gateway.status().semantic.embedded > 0)  # pyright: ignore[reportOptionalMemberAccess] - it is on


def phase(w: World | Changing) -> str | None:
    semantic = w.gateway.status().semantic
    return None if semantic is None else semantic.phase


def played(work: Callable[[Service], Awaitable[None]]) -> None:
    async def play() -> None:
        async with service() as one:
            await work(one)

    run(play())


def test_tools_are_found_by_meaning_and_only_by_who_may_see_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the model in the gateway needs is not needed.
    monkeypatch.setattr(minilm, "PACKAGES", ("no_such_package",))

    async def work(one: Service) -> None:
        them = peer(tool("drive"), tool("vehicle"), tool("read"))
        rules = {"rules": [{"allow": {"tools": ["peer/vehicle", "peer/read"]}}]}
        search = searching_by(one, tmp_path)
        async with before(them, access=rules, expose="search", search=search) as w:
            await ready(w)
            found = await said(w, "find_tools", query="limousine")
            assert "vehicle(" in found
            assert "drive" not in found
            [(name, hit, _)] = await w.gateway.find("limousine", 1)
            assert name in ("drive", "vehicle")
            assert hit.shares is not None
            assert hit.shares[1] > 0

    played(work)


def test_what_is_withheld_is_not_sent(tmp_path: Path) -> None:
    async def work(one: Service) -> None:
        them = peer(tool("drive"), tool("add", EVIL))
        async with before(them, expose="search", search=searching_by(one, tmp_path)) as w:
            await ready(w)
            assert [text.partition(":")[0].strip() for text in one.tools()] == ["peer drive"]
            assert not any("id_rsa" in text for text in one.said)

    played(work)


def test_what_is_sent_is_names_descriptions_and_searches(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"speed": {"description": "unsent"}}}
    them = peer(
        tool("drive", "Starts it. " + "x" * 3000, title="Ignition", inputSchema=schema),
        prompts=[{"name": "unsent_prompt"}],
        resources=[{"name": "unsent_resource", "uri": "file:///unsent"}],
    )

    async def work(one: Service) -> None:
        async with before(them, expose="search", search=searching_by(one, tmp_path)) as w:
            await ready(w)
            await said(w, "find_tools", query="limousine " * 300)
            await said(w, "find_tools", query="unsent words", kind="prompt")
            await w.call("call_tool", name="drive", arguments={"speed": "unsent"})
            text, query = one.texts
            assert text.startswith("peer drive Ignition: Starts it. xxx")
            assert len(text) == 2000
            assert query == ("limousine " * 300)[:1000]
            assert not any("unsent" in text for text in one.said)
            assert all(list(body) == ["model", "input"] for body in one.bodies)

    played(work)


@pytest.mark.parametrize("semantic", ["off", None])
def test_nothing_is_sent_where_it_is_not_wanted(semantic: str | None, tmp_path: Path) -> None:
    async def work(one: Service) -> None:
        search = searching_by(one, tmp_path)
        search = {**search, "semantic": "off"} if semantic else {}
        async with before(peer(tool("drive")), expose="search", search=search) as w:
            assert "drive(" in await said(w, "find_tools", query="drive")
            assert phase(w) is None
            assert not one.asked

    played(work)


def test_operators_are_told_how_it_stands(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(one: Service) -> None:
        them = peer(tool("drive"), tool("read"))
        search = searching_by(one, tmp_path)
        admin = {"port": 0}
        async with before(them, expose="search", search=search, admin=admin) as w:
            url = await w.gateway.serve_admin()
            assert url is not None
            await ready(w)
            assert "drive(" in await said(w, "find_tools", query="limousine")
            one.wrong = lambda _: (401, (), KEY.encode())
            assert "drive" not in await said(w, "find_tools", query="vehicle")
            _, body = await fetched(url, "/ready")
            told = json.loads(body)["semantic"]
            assert 50 < told.pop("retry_in") <= 60
            assert told == {
                "state": "failed",
                "embedded": 2,
                "waiting": 0,
                "kept": 2,
                "code": "LG-523",
            }
            _, page = await fetched(url, "/metrics")
            found = samples(page)
            for one_phase in ("building", "ready", "failed"):
                value = found[f'lockgate_semantic_phase{{phase="{one_phase}"}}']
                assert value == (one_phase == "failed")
            assert found['lockgate_semantic_tools{state="embedded"}'] == 2
            assert found['lockgate_semantic_tools{state="waiting"}'] == 0
            assert found["lockgate_semantic_vectors"] == 2
            assert found['lockgate_semantic_searches_total{outcome="meaning"}'] == 1
            assert found['lockgate_semantic_searches_total{outcome="failed"}'] == 1
            assert found['lockgate_semantic_searches_total{outcome="late"}'] == 0
            assert found['lockgate_semantic_requests_total{outcome="ok"}'] == 3
            assert found['lockgate_semantic_requests_total{outcome="embedder-refused"}'] == 1
            assert found["lockgate_semantic_embedded_total"] == 2
            assert found['lockgate_semantic_seconds_count{what="query"}'] == 1
            assert found['lockgate_semantic_seconds_count{what="tools"}'] == 2
            assert KEY not in page
            assert KEY not in body

    caplog.set_level(logging.DEBUG)
    played(work)
    assert KEY not in caplog.text
    sent = [one.getMessage() for one in caplog.records if "is sent to" in one.getMessage()]
    assert len(sent) == 1
    assert "small-1 at http://127.0.0.1:" in sent[0]


def test_a_reload_takes_another_key_another_model_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(one: Service) -> None:
        search = searching_by(one, tmp_path)
        async with changing(expose="search", search=search) as w:
            await ready(w)
            tools = len(one.tools())
            first = w.gateway._worlds.current.meaning
            # What stays the same keeps what it knows.
            w.settings["log"] = {"level": "warning"}
            await w.reload()
            assert w.gateway._worlds.current.meaning is first
            # With another key the vectors are the same.
            w.settings["search"] = searching_by(one, tmp_path, key="another-key")
            assert "lockgate.search" not in (await w.reload()).held
            await ready(w)
            assert len(one.tools()) == tools
            assert one.asked[-1].headers[b"authorization"] == b"Bearer another-key"
            await w.drained()
            assert first is not None
            assert first._closed
            # Of another model, none is.
            w.settings["search"] = searching_by(one, tmp_path, model="small-2")
            await w.reload()
            await ready(w)
            assert len(one.tools()) == 2 * tools
            assert one.bodies[-1]["model"] == "small-2"
            kept = w.gateway._worlds.current.meaning
            monkeypatch.setattr(nearness, "installed", lambda: False)
            w.settings["search"] = {**search, "semantic": "required"}
            with pytest.raises(LockgateError) as refused:
                await w.reload()
            assert refused.value.reason == "semantic-unusable"
            assert "lockgate[vectors]" in (refused.value.remedy or "")
            assert w.gateway._worlds.current.meaning is kept
            w.settings["search"] = {}
            await w.reload()
            await w.drained()
            asked = len(one.asked)
            assert await w.gateway.find("echo", 5)
            assert phase(w) is None
            assert len(one.asked) == asked

    played(work)


def test_in_a_server_that_is_hardened(tmp_path: Path) -> None:
    made = MCPServer("garage")

    @made.tool()
    def drive() -> str:
        """Starts the engine."""
        return "off it goes"

    async def work(one: Service) -> None:
        search = searching_by(one, tmp_path)
        settings = {"lockgate": {"expose": "search", "search": search}}
        async with (
            serving.served(lockgate.harden(made, settings)) as place,
            serving.client(place, serving.ERAS[1]) as client,
        ):

            async def found() -> str:
                asked = {"query": "limousine"}
                return serving.said(await client.call_tool("find_tools", asked))

            async with asyncio.timeout(10):
                while "drive(" not in await found():  # noqa: ASYNC110 - see above
                    await asyncio.sleep(0.01)
        assert [text.partition(":")[0].strip() for text in one.tools()] == ["garage drive"]

    played(work)
