"""A stdio server that dies, leaks or babbles: what its callers, its owner and others notice."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.clients import Client
from tests.bridge.world import until
from tests.fronts.served import run
from tests.gateway.reloading import Changing, changing, tools, who

Json = dict[str, Any]
FRAIL = Path(__file__).with_name("frail_server.py")
TOKEN = "ghp_" + "s3cr3t" * 6
LOOP: Json = {"deaths": 3, "within": 60, "pause": 0.5, "longest_pause": 1}
BOTH = pytest.mark.parametrize("era", ["L", "M"])


def frail(folder: Path, **more: Any) -> Json:
    """A server entry for the frail server."""
    args = ["-I", "-S", str(FRAIL), str(folder)]
    return {"command": sys.executable, "args": args, "env": {"TOKEN": TOKEN}, **more}


async def ready(w: Changing) -> Json:
    """What `/ready` says."""

    def ask() -> Json:
        url = f"http://127.0.0.1:{w.port}/ready"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # loopback only
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            return json.load(refusal)

    return await asyncio.to_thread(ask)


def phase(w: Changing, server: str = "frail") -> str:
    return next(one.phase for one in w.gateway.servers() if one.name == server)


async def attempt(client: Client, tool: str, **given: Any) -> Json:
    """The error that a call comes to."""
    begun = await client.call(f"frail__{tool}", **given)
    if begun.stream is not None:
        begun.stream.close()
    return begun.error


@BOTH
def test_a_crash_loop_is_told_and_left_alone_and_over_when_it_is_well(
    era: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        async with changing() as w:
            client = await w.client(era)
            with caplog.at_level(logging.INFO, "lockgate.servers"):
                await w.reload(frail=frail(tmp_path, crash_loop=LOOP))
                assert "frail__who" in await tools(client)
                (tmp_path / "ill").touch()
                error = await attempt(client, "die")
                assert error["data"]["reason"] == "upstream-lost"
                await until(lambda: phase(w) == "crash-looping")

                error = await attempt(client, "who")
                assert error["data"]["code"] == "LG-615"
                assert error["data"]["reason"] == "crash-looping"
                assert 0 <= error["data"]["retry_after"] <= 1
                shown = (await ready(w))["servers"]["frail"]
                assert shown["state"] == "crash-looping"
                assert shown["code"] == "LG-615"
                assert shown["retry_in"] <= 1
                [told] = [one for one in caplog.records if one.levelno == logging.ERROR]
                said = told.getMessage()
                assert "frail is crash-looping" in said
                assert "ended by itself 3 times" in said
                assert "no such table: users" in said
                assert "Run its command by hand" in said
                # It concerns nobody else.
                assert await who(client)
                assert "frail__who" not in await tools(client)

                (tmp_path / "ill").unlink()
                await until(lambda: phase(w) == "ready")
                assert (await who(client, "frail"))["pid"]
            assert "frail is ready again" in caplog.text

    run(play(), 40)


def test_a_changed_entry_has_a_crash_looping_server_tried_at_once(tmp_path: Path) -> None:
    async def play() -> None:
        async with changing() as w:
            (tmp_path / "ill").touch()
            patient = {**LOOP, "deaths": 2, "pause": 600, "longest_pause": 600}
            entry = frail(tmp_path, crash_loop=patient)
            await w.reload(frail=entry)
            await until(lambda: phase(w) == "crash-looping")
            (tmp_path / "ill").unlink()
            await w.reload(other=None)
            assert phase(w) == "crash-looping"
            await w.reload(frail=frail(tmp_path, crash_loop=patient, timeout=20))
            assert phase(w) == "ready"

    run(play(), 40)


def test_what_one_client_wears_out_of_its_own_is_no_crash_loop(tmp_path: Path) -> None:
    async def play() -> None:
        async with changing() as w:
            await w.reload(frail=frail(tmp_path, crash_loop=LOOP, isolation="session"))
            for _ in range(LOOP["deaths"] + 1):
                await until(lambda: phase(w) == "ready")
                assert (await attempt(await w.client("L"), "die"))["data"]["sent"] is True
                await until(lambda: phase(w) != "crash-looping" and phase(w) == "ready")

    run(play(), 60)
