"""Sandboxed servers in a gateway: refused and said to be, ended, started again, and in plenty."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lockgate.gateway import sandboxes
from lockgate.gateway.health import always, ready
from lockgate.upstreams.environment import SAFE
from lockgate.upstreams.sandbox import starting
from lockgate.upstreams.sandbox.host import Host, this_host
from lockgate.upstreams.sandbox.plan import lacking
from lockgate.upstreams.sandbox.spec import SandboxSpec
from tests.fronts.served import run
from tests.security.controls import holds
from tests.security.world import gateway, until

MIRROR = Path(__file__).with_name("mirror.py")
LACKS = lacking(SandboxSpec(level="strict", home="/"), this_host())
here = pytest.mark.skipif(bool(LACKS), reason="; ".join(one.what for one in LACKS))


def entry(folder: Path, **more: Any) -> dict[str, Any]:
    shutil.copy(MIRROR, folder / "mirror.py")
    return {
        "command": sys.executable,
        "args": ["-I", "-S", "mirror.py"],
        "cwd": str(folder),
        "sandbox": {"level": "strict", "home": str(folder.parent / "home"), **more},
    }


def fenced(pid: int) -> bool:
    """Whether a process is held by a filter, and by having given up new privileges."""
    status = Path(f"/proc/{pid}/status").read_text()
    return "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status


class Answer:
    """Takes what a handler sends."""

    started = False
    body = b""

    def send(self, _: int, __: Any, body: bytes = b"") -> None:
        self.body = body


async def told(gateway: Any) -> dict[str, Any]:
    """What `/ready` says of the one server."""
    answer: Any = Answer()
    request: Any = SimpleNamespace(method="GET")
    await ready(gateway.status, always)(request, answer)
    [server] = json.loads(answer.body)["servers"].values()
    return server


@holds(14)
def test_a_server_that_cannot_be_held_stays_down_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cwd").mkdir()
    old = Host(system="Linux 4.19", missing="this kernel is older than 5.13")
    monkeypatch.setattr(starting, "this_host", lambda: old)
    monkeypatch.setattr(sandboxes, "this_host", lambda: old)

    async def play() -> None:
        async with gateway({"m": entry(tmp_path / "cwd")}) as w:
            [server] = w.gateway.servers()
            assert server.phase == "backoff"
            assert server.code == "LG-740"
            assert "older than 5.13" in (server.error or "")
            assert "unenforced: allow" in (server.remedy or "")
            said = (await w.call("mirror")).error
            assert "older" not in json.dumps(said)  # its owner's business
            shown = await told(w.gateway)
            assert shown["code"] == "LG-740"
            assert shown["sandbox"]["lacks"]

    run(play())


@here
def test_what_a_server_is_held_to_is_shown(tmp_path: Path) -> None:
    (tmp_path / "cwd").mkdir()

    async def play() -> None:
        async with gateway({"m": entry(tmp_path / "cwd")}) as w:
            shown = (await told(w.gateway))["sandbox"]
            assert shown["level"] == "strict"
            assert {"files", "calls", "signals", "network"} <= set(shown["holds"])
            assert "lacks" not in shown

    run(play())


@here
@pytest.mark.parametrize("more", [{}, {"spare": True}, {"isolation": "session"}])
def test_it_comes_back_with_its_sandbox(more: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "cwd").mkdir()

    async def play() -> None:
        async with gateway({"m": {**entry(tmp_path / "cwd"), **more}}) as w:
            for _ in range(2):
                seen = (await w.call("mirror")).result["structuredContent"]
                assert seen["env"]["HOME"] == str(tmp_path / "home")
                pid = seen["pid"]
                assert fenced(pid)
                os.kill(pid, signal.SIGKILL)
                await until(lambda pid=pid: not Path(f"/proc/{pid}").exists())
                await until(lambda: w.gateway.servers()[0].phase == "ready", within=20)

    run(play())


@here
@holds(11, 13)
@pytest.mark.parametrize("level", ["standard", "strict"])
def test_arguments_and_environment_are_as_without_one(
    level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cwd").mkdir()
    mark = tmp_path / "mark"
    words = [f"$(touch {mark})", f"; touch {mark}", f"`touch {mark}`", "a b", '"', "*", "${HOME}"]
    for name in ("AWS_SECRET_ACCESS_KEY", "LD_LIBRARY_PATH", "PYTHONHOME", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-of-the-parent")

    async def play() -> None:
        server = entry(tmp_path / "cwd", level=level)
        server["args"] += words
        server["env"] = {"OWN": "one's own"}
        async with gateway({"m": server}) as w:
            seen = (await w.call("mirror")).result["structuredContent"]
        assert seen["argv"] == words
        assert seen["cwd"] == str(tmp_path / "cwd")
        assert seen["env"]["OWN"] == "one's own"
        extra = {name for name in seen["env"] if not name.startswith("LC_")} - SAFE - {"OWN"}
        assert not extra
        assert "canary" not in json.dumps(seen)
        assert not mark.exists()

    run(play())
