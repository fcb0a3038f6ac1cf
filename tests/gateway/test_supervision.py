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

from lockgate.upstreams import memory
from tests.bridge.clients import Client
from tests.bridge.world import until
from tests.fronts.served import run
from tests.gateway.reloading import Changing, alive, changing, tools, who

Json = dict[str, Any]
FRAIL = Path(__file__).with_name("frail_server.py")
MIB = 1024 * 1024
TOKEN = "ghp_" + "s3cr3t" * 6
LOOP: Json = {"deaths": 3, "within": 600, "pause": 0.5, "longest_pause": 1}
LONG: Json = {**LOOP, "pause": 5, "longest_pause": 5}
"""Time enough to be looked at before it is tried again; half of it is up to chance."""
BOTH = pytest.mark.parametrize("era", ["L", "M"])


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is looked at more often than once a second."""
    monkeypatch.setattr(memory, "INTERVAL", 0.1)


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
                await w.reload(frail=frail(tmp_path, crash_loop=LONG))
                assert "frail__who" in await tools(client)
                (tmp_path / "ill").touch()
                error = await attempt(client, "die")
                assert error["data"]["reason"] == "upstream-lost"
                await until(lambda: phase(w) == "crash-looping")

                error = await attempt(client, "who")
                assert error["data"]["code"] == "LG-615"
                assert error["data"]["reason"] == "crash-looping"
                assert 0 <= error["data"]["retry_after"] <= 5
                shown = (await ready(w))["servers"]["frail"]
                assert shown["state"] == "crash-looping"
                assert shown["code"] == "LG-615"
                assert shown["retry_in"] <= 5
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


@BOTH
@pytest.mark.parametrize("tool", ["leak", "fork"])
def test_a_server_that_holds_too_much_memory_is_ended_and_comes_back(
    era: str, tool: str, tmp_path: Path
) -> None:
    async def play() -> None:
        async with changing() as w:
            client = await w.client(era)
            limits = {"memory_bytes": 80 * MIB}
            await w.reload(frail=frail(tmp_path, limits=limits))
            before = await who(client, "frail")
            other = await who(client)
            path = str(tmp_path / "never")
            innocent = asyncio.create_task(attempt(await w.client(era), "wait", path=path))
            calls = [innocent, asyncio.create_task(attempt(client, tool, mib=120))]
            for error in await asyncio.gather(*calls):
                assert error["data"]["code"] == "LG-616"
                assert error["data"]["reason"] == "memory-ceiling"
                assert error["data"]["limit"] == 80 * MIB
                assert error["data"]["used"] > 80 * MIB
                assert error["data"]["sent"] is True
                assert "MiB of memory" in error["message"]
                assert "limits.memory_bytes is 80 MiB" in error["message"]
            assert await who(client) == other
            await until(lambda: phase(w) == "ready")
            after = await who(client, "frail")
            assert after["pid"] != before["pid"]
            assert not alive(before["pid"])
            # And what is within its ceiling stays.
            assert (await attempt_within(client, mib=10)) == after["pid"]

    run(play(), 40)


async def attempt_within(client: Client, mib: int) -> int:
    """Hold a little, wait for two looks, and tell who answers then."""
    leaking = asyncio.create_task(client.call("frail__leak", mib=mib))
    await asyncio.sleep(2 * memory.INTERVAL + 0.2)
    leaking.cancel()
    await asyncio.gather(leaking, return_exceptions=True)
    return (await who(client, "frail"))["pid"]


def test_a_server_that_grows_too_large_again_and_again_is_crash_looping(tmp_path: Path) -> None:
    async def play() -> None:
        async with changing() as w:
            client = await w.client("M")
            limits = {"memory_bytes": 4 * MIB}
            await w.reload(frail=frail(tmp_path, limits=limits, crash_loop=LONG))
            await until(lambda: phase(w) == "crash-looping")
            error = await attempt(client, "who")
            assert error["data"]["reason"] == "crash-looping"
            [one] = [one for one in w.gateway.servers() if one.name == "frail"]
            assert "its processes held" in (one.error or "")

    run(play(), 40)


def test_files_are_bounded_for_each_process(tmp_path: Path) -> None:
    async def play() -> None:
        async with changing() as w:
            client = await w.client("M")
            await w.reload(frail=frail(tmp_path, limits={"open_files": 64}))
            said = (await client.call("frail__open")).said
            assert said["limits"] == [64, 64]
            assert said["opened"] < 64

    run(play())


def test_a_program_that_never_comes_to_a_message_is_given_up_at_once(tmp_path: Path) -> None:
    async def play() -> None:
        async with changing() as w:
            client = await w.client("M")
            (tmp_path / "noisy").touch()
            began = asyncio.get_running_loop().time()
            await w.reload(frail=frail(tmp_path, start_timeout=600))
            assert asyncio.get_running_loop().time() - began < 20
            [one] = [one for one in w.gateway.servers() if one.name == "frail"]
            assert one.phase in ("backoff", "connecting")
            assert one.code == "LG-714"
            assert "none is an MCP message" in (one.error or "")
            assert "have it log to stderr" in (one.remedy or "")
            assert "still loading, please wait" in (one.remedy or "")
            assert await who(client)
            (tmp_path / "noisy").unlink()
            await until(lambda: phase(w) == "ready")

    run(play(), 40)


@pytest.mark.parametrize("asked", ["auto", "handshake"])
def test_a_banner_on_stdout_is_passed_over(asked: str, tmp_path: Path) -> None:
    async def play() -> None:
        async with changing() as w:
            client = await w.client("L")
            (tmp_path / "banner").touch()
            await w.reload(frail=frail(tmp_path, era=asked))
            assert phase(w) == "ready"
            assert (await who(client, "frail"))["pid"]

    run(play(), 40)


@BOTH
def test_a_lazy_server_starts_when_it_is_needed_and_ends_when_it_is_not(
    era: str, tmp_path: Path
) -> None:
    async def play() -> None:
        async with changing() as w:
            client = await w.client(era)
            await w.reload(frail=frail(tmp_path, start="lazy", idle_stop=1))
            assert phase(w) == "idle"
            assert (await ready(w))["servers"]["frail"]["state"] == "idle"
            first = (await who(client, "frail"))["pid"]
            assert alive(first)
            # A call that runs is use, however long it takes.
            gate = tmp_path / "gate"
            waiting = asyncio.create_task(client.call("frail__wait", path=str(gate)))
            await asyncio.sleep(2.2)
            assert phase(w) == "ready"
            gate.touch()
            assert (await waiting).said["pid"] == first
            await until(lambda: phase(w) == "idle" and not alive(first))
            # Its tools stay in the list, for they can be called.
            assert "frail__who" in await tools(client)
            second = (await who(client, "frail"))["pid"]
            assert second != first
            assert alive(second)

    run(play(), 60)
